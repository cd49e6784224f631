/**
 * NATs that forget what nobody refreshes: after three times that long without a packet of their own, phones are
 * still called, and the far end of a call is still told of its end. Only the pings of the appliance do that.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Program } from "../support/process.ts";
import { callBothWays, hangUp, up, uriOf } from "./calls.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import type { NatKind } from "./nat-box.ts";
import { FORGETFUL, NAT_KINDS } from "./nat-box.ts";

const SCENARIOS = join(import.meta.dir, "../interop/sipp");
const EDGE = "203.0.113.10";
const SILENT_EDGE = "203.0.113.11";
const HOST = "192.168.1.10";
/** NAT boxes whose hosts are trusted without a password. */
const TRUSTED = ["203.0.113.140", "203.0.113.141"] as const;
const IDLE_MS = 3 * Math.max(FORGETFUL.udp_s, FORGETFUL.stream_s, FORGETFUL.tcp_s) * 1000;
/** The shortest interval there is: shorter than the least patient timeout of the lab's NATs. */
const KEEPALIVE = "[keepalive]\ninterval_s = 5\n";
const PLACES = NAT_KINDS.flatMap((kind) =>
  (["udp", "tcp"] as const).map((transport) => ({ kind, transport, name: `${kind}-${transport}` })),
);

setDefaultTimeout(90_000);

describe.skipIf(noLab("idle phones behind NATs", "sipp"))(
  `after ${IDLE_MS / 1000} s without a packet`,
  () => {
    const phones = new Map<string, LabPhone>();
    let lab: Lab;
    let edge: LabEdge;
    let silent: LabEdge;
    /** Public phones that others call; each has only one call. */
    let outside: LabPhone;
    let callees: readonly [LabPhone, LabPhone];
    let stranger: LabPhone;
    let scripted: Program;
    let addresses = 100;

    async function publicPhone(name: string, registrar: string): Promise<LabPhone> {
      const address = `203.0.113.${addresses++}`;
      return LabPhone.start(lab.host(name, address), { name, registrar, transport: "udp", address });
    }

    function site(name: string, kind: NatKind, outer = `203.0.113.${addresses++}`) {
      const box = lab.nat(name, { kind, outside: outer, inside: "192.168.1.1", timeouts: FORGETFUL });
      return lab.behind(box, `${name}-host`, HOST);
    }

    async function add(
      name: string,
      kind: NatKind,
      transport: "udp" | "tcp",
      { hostPort }: LabEdge,
    ): Promise<void> {
      const options = { name, registrar: hostPort, transport, address: HOST };
      phones.set(name, await LabPhone.start(site(name, kind), options));
    }

    /** A call of somebody who is not registered, from behind a symmetric NAT. */
    async function strangerCalls(callee: LabPhone): Promise<void> {
      const options = {
        name: "stranger",
        registrar: edge.hostPort,
        transport: "udp",
        address: HOST,
      } as const;
      const space = site("stranger", "symmetric", TRUSTED[0]);
      stranger = await LabPhone.start(space, { ...options, registers: false });
      stranger.dial(uriOf(callee, stranger));
      await up(stranger, callee);
    }

    /** The same by sipp, which says no `rport`, behind a NAT that keeps port numbers. */
    async function scriptCalls(callee: LabPhone): Promise<void> {
      const argv = [
        "sipp",
        "-sf",
        join(SCENARIOS, "foreign-caller-is-hung-up.xml"),
        "-i",
        HOST,
        "-p",
        `${SIP_PORT}`,
      ];
      argv.push("-m", "1", "-nostdin", "-timeout", "60s", "-timeout_error", "-key", "user", "script");
      argv.push(
        "-key",
        "home",
        `${HOST}:${SIP_PORT}`,
        "-key",
        "peer",
        `${callee.name}@${edge.hostPort}`,
        edge.hostPort,
      );
      scripted = site("script", "port_restricted", TRUSTED[1]).start(argv);
      await callee.got(/^ACK /, "ACK");
    }

    beforeAll(async () => {
      lab = new Lab("idle");
      const trusted = TRUSTED.map((address) => `"${address}"`);
      edge = await LabEdge.start(lab.host("edge", EDGE), {
        address: EDGE,
        users: ["outside", "callee-one", "callee-two", ...PLACES.map(({ name }) => name)],
        toml: `${KEEPALIVE}[auth]\ntrusted_networks = [${trusted}]`,
      });
      silent = await LabEdge.start(lab.host("silent", SILENT_EDGE), {
        address: SILENT_EDGE,
        users: ["unasked", "forgotten"],
        toml: "[keepalive]\nenabled = false",
      });
      outside = await publicPhone("outside", edge.hostPort);
      callees = [
        await publicPhone("callee-one", edge.hostPort),
        await publicPhone("callee-two", edge.hostPort),
      ];
      phones.set("unasked", await publicPhone("unasked", silent.hostPort));
      await Promise.all([
        ...PLACES.map(({ name, kind, transport }) => add(name, kind, transport, edge)),
        add("forgotten", "port_restricted", "udp", silent),
        strangerCalls(callees[0]),
        scriptCalls(callees[1]),
      ]);
      await Bun.sleep(IDLE_MS);
    });
    afterAll(() => lab?.close());

    test("NAT-29: without pings the phone cannot be reached, so the lab's NATs do forget", async () => {
      const [caller, callee] = [phones.get("unasked")!, phones.get("forgotten")!];
      callee.forget();
      caller.dial(uriOf(callee, caller));
      await caller.got(/^SIP\/2\.0 100/, "INVITE");
      await Bun.sleep(1500); // two tries over UDP: RFC 3261 §17.1.1.2 Timer A
      expect(callee.received(/^INVITE /, "INVITE")).toEqual([]);
      caller.hangUp();
    });

    test.each(PLACES)("NT-03, NAT-29 $name: is called, and calls", async ({ name }) => {
      await callBothWays(outside, phones.get(name)!);
    });

    test("NT-06: the BYE of the called side reaches a caller who is not registered", async () => {
      await hangUp(callees[0], stranger);
    });

    test("NT-06: so it does a caller without rport", async () => {
      callees[1].hangUp();
      await callees[1].got(/^SIP\/2\.0 200/, "BYE");
      expect(await scripted.ended(5000)).toBe(0);
    });

    test("the appliance itself had no trouble with any of it", () => {
      expect(edge.metric("sipedge_exceptions_total") + silent.metric("sipedge_exceptions_total")).toBe(0);
    });
  },
);
