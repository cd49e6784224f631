/**
 * Phones behind HAProxy: they register, call and talk; the appliance sees them, not the balancer.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect } from "node:net";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import { StreamPhone } from "../support/stream-phone.ts";
import { Haproxy } from "./haproxy.ts";
import { accounts, Phones, talk } from "./phones.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.46";
const BALANCER = "127.0.0.47";
/** baresip connects from there, whichever address it has. */
const PHONES = "127.0.0.1";
const FIRST_HOST = 210;
const NEIGHBOUR = "127.0.0.220";
const absent = missing("phones behind a balancer", "haproxy", "baresip", "sox", "openssl");

interface Flows {
  readonly flows: readonly { readonly transport: string; readonly remote: string }[];
}

describe.skipIf(absent)("interop: phones behind HAProxy", () => {
  let authority: Authority;
  let edge: Edge;
  let haproxy: Haproxy;
  let phones: Phones;
  /** What the phones know: the balancer's ports. */
  let outside: Record<"tcp" | "tls" | "ws", string>;

  beforeAll(async () => {
    authority = new Authority();
    const { file, key } = authority.issue("edge", { names: [`IP:${BALANCER}`] });
    const inner = { tcp: await freePort(EDGE), tls: await freePort(EDGE), ws: await freePort(EDGE) };
    outside = {
      tcp: `${BALANCER}:${await freePort(BALANCER)}`,
      tls: `${BALANCER}:${await freePort(BALANCER)}`,
      ws: `${BALANCER}:${await freePort(BALANCER)}`,
    };
    const listen = (transport: "tcp" | "tls"): string =>
      `[[listen]]\ntransport = "${transport}"\naddress = "${EDGE}"\nport = ${inner[transport]}\n` +
      `advertise = "${outside[transport]}"\nproxy_protocol_from = ["${BALANCER}"]\n`;
    edge = await Edge.start({
      addresses: [EDGE],
      toml:
        `[[listen]]\ntransport = "ws"\naddress = "${EDGE}"\nport = ${inner.ws}\n` +
        `advertise = "${outside.ws}"\nforwarded_for_from = ["${BALANCER}"]\n` +
        `${listen("tcp")}${listen("tls")}[[certificate]]\nfile = "${file}"\nkey = "${key}"\n` +
        `[media]\nrelay = "always"\naccept_from = "anywhere"\n${accounts("ann", "ben", "cem")}`,
    });
    haproxy = await Haproxy.start(
      { from: outside.tcp, to: `${EDGE}:${inner.tcp}`, send: "send-proxy", source: BALANCER },
      { from: outside.tls, to: `${EDGE}:${inner.tls}`, send: "send-proxy-v2", source: BALANCER },
      { from: outside.ws, to: `${EDGE}:${inner.ws}`, send: "forwardfor", source: BALANCER },
    );
    phones = new Phones(edge, FIRST_HOST);
  });
  afterAll(async () => {
    await phones?.stop();
    await haproxy?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
    authority?.[Symbol.dispose]();
  });

  /** Whom the appliance sees at the other end of its connections, the checks of the balancer left out. */
  async function seen(transport: string): Promise<string[]> {
    const { flows } = await edge.get<Flows>("/v1/flows");
    const hosts = flows
      .filter((flow) => flow.transport === transport)
      .map(({ remote }) => remote.split(":")[0]!);
    return [...new Set(hosts)].filter((host) => host !== BALANCER);
  }
  const metrics = async (): Promise<string> => (await fetch(`${edge.api}/metrics`)).text();

  test("ARC-23, B-72 phones over TCP (version 1) and TLS (version 2) talk, and are seen as who they are", async () => {
    const [ann, ben] = [
      await phones.add("ann", { transport: "tcp", registrar: outside.tcp }),
      await phones.add("ben", { transport: "tls", registrar: outside.tls, ca: authority.file }),
    ];
    expect(await seen("tcp")).toEqual([PHONES]);
    expect(await seen("tls")).toEqual([PHONES]);
    ann.dial(`sip:ben@${outside.tcp};transport=tcp`);
    await talk(ann, ben);
    expect(await metrics()).toMatch(/sipedge_proxy_headers_total\{result="good"\} [1-9]/);
  });

  test("ARC-23 a browser phone over WebSocket and HTTP is seen as who it is (X-Forwarded-For)", async () => {
    const page = await StreamPhone.webSocket(`ws://${outside.ws}/`);
    try {
      const options = page.request("OPTIONS", `sip:${EDGE}`, `sip:page@${EDGE}`);
      expect(await page.ask(options)).toStartWith("SIP/2.0 200 ");
      expect(await seen("ws")).toEqual([PHONES]);
    } finally {
      page.close();
    }
  });

  test("ARC-23 the checks of the balancer are its own, and no fault", async () => {
    await eventually("a check", async () =>
      /sipedge_proxy_headers_total\{result="own"\} [1-9]/.test(await metrics()),
    );
    expect(await metrics()).not.toContain('result="malformed"');
  });

  test("B-72 a ban holds for one host behind the balancer, not for the others", async () => {
    const [host, port] = outside.tcp.split(":");
    const socket = connect({ host: host!, port: Number(port), localAddress: NEIGHBOUR });
    let isClosed = false;
    socket.resume().on("error", () => {});
    socket.on("close", () => {
      isClosed = true;
    });
    socket.write("\r\n\r\n");
    await eventually("its connection", async () => (await seen("tcp")).includes(NEIGHBOUR));
    const banned = await fetch(`${edge.api}/v1/bans/${NEIGHBOUR}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "a test", seconds: 60 }),
    });
    expect(banned.status).toBe(200);
    await eventually("its connection to be closed", () => isClosed);
    expect(await seen("tcp")).toEqual([PHONES]);
    expect(await seen("tls")).toEqual([PHONES]);
    expect(await metrics()).toMatch(/sipedge_tcp_closed_total\{reason="banned"\} 1/);
  });
});
