/**
 * Proof: connections that drip, that are half closed, that never read what they are sent, and more of them than there are
 * file descriptors, delay nobody else.
 *
 *     bun test ./test/proof/faults-streams.proof.ts
 */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { Edge, SIPEDGE } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { message } from "./sip-lines.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const SITE = [
  '[auth]\ntrusted_networks = ["127.0.0.0/8"]',
  "[tcp]\nfirst_message_s = 4\npartial_message_s = 2\nconnections_per_address_max = 10000\nqueue_bytes_max = 65536",
].join("\n");
/** File descriptors of the starved process; it has some 80 open from the start, 64 of them media ports. */
const FILES_MAX = 300;
const CONNECTIONS = 400;
/** What a starved process may take to turn connections away, of a core: accepting in vain would take all of it. */
const STARVED_SHARE_MAX = 0.2;
const TICKS_PER_S = 100;

let edge: Edge;
let ann: UdpPhone;
let ben: UdpPhone;
const sockets: Socket[] = [];

async function open(command: readonly string[] = SIPEDGE): Promise<void> {
  edge = await Edge.start({ addresses: [EDGE], toml: SITE, command });
  ann = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
  ben = await UdpPhone.open("127.0.0.82", [EDGE, edge.port]);
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  ann?.close();
  ben?.close();
  expect(await edge?.stop()).toBe(0);
});

/** A connection, and all that came over it. */
class Dialled {
  readonly socket: Socket;
  text = "";
  isOpen = false;
  /** Their half, or all of it. */
  isClosed = false;

  constructor() {
    this.socket = connect({ host: EDGE, port: edge.port, allowHalfOpen: true });
    this.socket.on("connect", () => {
      this.isOpen = true;
    });
    this.socket.on("data", (bytes) => {
      this.text += bytes.toString("latin1");
    });
    for (const event of ["end", "close", "error"])
      this.socket.on(event, () => {
        this.isClosed = true;
      });
    sockets.push(this.socket);
  }
}

let serial = 0;
function options(body = ""): Buffer {
  const id = `stream${serial++}`;
  return message(
    [
      `OPTIONS sip:${edge.hostPort} SIP/2.0`,
      `Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK${id};rport`,
      "Max-Forwards: 70",
      `From: <sip:x@${EDGE}>;tag=${id}`,
      `To: <sip:${edge.hostPort}>`,
      `Call-ID: ${id}`,
      "CSeq: 1 OPTIONS",
    ],
    body,
  );
}

const answersIn = (text: string): number => text.split("SIP/2.0 200 ").length - 1;

/** Registers both phones and makes a call: what must go on whatever the streams do. */
async function everybodyElse(): Promise<void> {
  expect(await registerOpenly(ben, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");
  await wholeCall(ann, ben, "ben", edge.hostPort);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${edge.api}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** Seconds of processor that it has used. */
function cpu_s(): number {
  const fields = readFileSync(`/proc/${edge.program.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

describe("slow and half-closed streams", () => {
  beforeEach(() => open());

  test("a byte at a time: answered; a request that goes on and on is cut off", async () => {
    const drip = new Dialled();
    for (const byte of options("a body")) {
      drip.socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    await eventually("an answer to what dripped in", () => answersIn(drip.text) === 1);
    const endless = new Dialled();
    endless.socket.write(options("x").subarray(0, 100));
    const more = setInterval(() => endless.socket.writable && endless.socket.write("y"), 100);
    await everybodyElse();
    await eventually("the endless request to be cut off", () => endless.isClosed);
    clearInterval(more);
  });

  test("half closed behind its last request: the answers still come, then the other half is closed", async () => {
    const half = new Dialled();
    half.socket.end(Buffer.concat([options(), options(), options()]));
    await eventually("three answers", () => answersIn(half.text) === 3);
    await eventually("the other half to be closed", () => half.isClosed);
    await eventually("no connection to be left", async () => (await metric("sipedge_tcp_connections")) === 0);
  });

  test("half closed in the middle of a request, reset, and silent: all are closed, none is left", async () => {
    new Dialled().socket.end(options().subarray(0, 50));
    const reset = new Dialled();
    await eventually("a connection", () => reset.isOpen);
    reset.socket.write(options().subarray(0, 50));
    reset.socket.resetAndDestroy();
    for (let i = 0; i < 20; i++) new Dialled();
    await everybodyElse();
    await eventually("no connection to be left", async () => (await metric("sipedge_tcp_connections")) === 0);
  });

  test("one that reads nothing of its answers is dropped once tcp.queue_bytes_max waits for it", async () => {
    const deaf = new Dialled();
    await eventually("a connection", () => deaf.isOpen);
    deaf.socket.pause();
    let isClosed = false;
    deaf.socket.on("close", () => {
      isClosed = true;
    });
    const batch = Buffer.concat(Array.from({ length: 200 }, () => options()));
    await eventually(
      "the deaf one to be dropped",
      async () => {
        if (deaf.socket.writable && deaf.socket.writableLength < 1_000_000) deaf.socket.write(batch);
        return isClosed || (await metric("sipedge_tcp_connections")) === 0;
      },
      30_000,
    );
    await everybodyElse();
  });
});

describe("EMFILE", () => {
  beforeEach(() => open(["bash", "-c", `ulimit -n ${FILES_MAX} && exec "$@"`, "bash", ...SIPEDGE]));

  test(`${CONNECTIONS} connections and ${FILES_MAX} file descriptors: calls over UDP go on; freed, everything works`, async () => {
    const limits = readFileSync(`/proc/${edge.program.pid}/limits`, "utf8");
    expect(limits).toMatch(new RegExp(`^Max open files +${FILES_MAX} +${FILES_MAX} `, "m"));
    const crowd = Array.from({ length: CONNECTIONS }, () => new Dialled());
    await eventually("all of them to be taken or turned away", () =>
      crowd.every((each) => each.isOpen || each.isClosed),
    );
    for (let i = 0; i < 5; i++) await everybodyElse();
    const before = cpu_s();
    await Bun.sleep(2000);
    const share = (cpu_s() - before) / 2;
    process.stderr.write(`starved: ${(100 * share).toFixed(0)} % of a core\n`);
    expect(share).toBeLessThan(STARVED_SHARE_MAX);
    for (const { socket } of crowd) socket.destroy();
    const late = new Dialled();
    late.socket.write(options());
    await eventually("an answer over a new connection", () => answersIn(late.text) === 1);
    expect((await edge.get<{ ready: boolean }>("/v1/status")).ready).toBe(true);
    expect(await metric("sipedge_exceptions_total")).toBe(0);
    await everybodyElse();
  });
});
