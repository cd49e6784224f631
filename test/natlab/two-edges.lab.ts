/**
 * Two appliances without accounts before one registrar, which stores the Path (RFC 3327): phones behind NATs
 * register through the one and call through the other. Once with Kamailio as the registrar, once with our own.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { Program } from "../support/process.ts";
import type { Passed } from "./capture.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge, SIP_PORT } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { CALLED, CALLING, LabSipp } from "./lab-sipp.ts";
import type { Namespace } from "./namespace.ts";
import { FORGETFUL } from "./nat-box.ts";
import { valuesOf } from "./sip-text.ts";

const DOMAIN = "pbx.test";
const [A, B] = ["203.0.113.10", "203.0.113.11"] as const;
const REGISTRAR = "203.0.113.50";
const HOST = "192.168.1.10";
/** Which the phone takes its registration back from, while its call holds its own port. */
const OTHER_PORT = 5062;
const ATTACK_PORT = 5070;
/** Longer than its NAT remembers a flow that nobody keeps open. */
const IDLE_MS = (FORGETFUL.stream_s + 3) * 1000;
const KINDS = [
  { kind: "symmetric", outside: "203.0.113.100", callee: "203.0.113.20" },
  { kind: "port_restricted", outside: "203.0.113.101", callee: "203.0.113.21" },
] as const;
const NAMES = KINDS.flatMap(({ kind }) => [kind, `callee-${kind}`]);
const EDGE_TOML = [
  `[keepalive]\ninterval_s = 5\nmethod = "zero_bytes"`, // the phones of sipp take nothing else
  `[[peer]]\nname = "pbx"\nuris = ["sip:${REGISTRAR}"]\nserves = ["${DOMAIN}"]\nnetworks = ["${REGISTRAR}"]`,
  "probe_s = 0",
].join("\n");
const REGISTRARS = [
  { registrar: "Kamailio", programs: ["sipp", "kamailio"], start: startKamailio },
  { registrar: "our own", programs: ["sipp"], start: startOurOwn },
] as const;

/** It is to be stopped, not killed: its children would live on. */
async function startKamailio(space: Namespace): Promise<Program> {
  const place = ["-l", `udp:${REGISTRAR}:${SIP_PORT}`, "-Y", space.folder(), "-w", space.folder()];
  const config = join(import.meta.dir, "two-edges.kamailio.cfg");
  const program = space.start(["kamailio", "-f", config, "-DD", "-E", "-m", "32", "-M", "4", ...place]);
  await program.says(/Listening on/);
  return program;
}

async function startOurOwn(space: Namespace): Promise<Program> {
  const edge = await LabEdge.start(space, { address: REGISTRAR, domains: [DOMAIN], users: NAMES });
  return edge.program;
}

setDefaultTimeout(60_000);

for (const { registrar, programs, start } of REGISTRARS)
  describe.skipIf(noLab(`two edges, ${registrar} registrar`, ...programs))(
    `two edges, one registrar: ${registrar}`,
    () => {
      const phones = new Map<string, LabSipp>();
      const others = new Map<string, LabSipp>();
      const callees = new Map<string, LabPhone>();
      const wires = new Map<string, Capture>();
      let lab: Lab;
      let edges: readonly LabEdge[];
      let pbx: Namespace;
      let server: Program;

      beforeAll(async () => {
        lab = new Lab("two");
        pbx = lab.host("pbx", REGISTRAR);
        server = await start(pbx);
        const options = { users: [], toml: EDGE_TOML };
        edges = [
          await LabEdge.start(lab.host("edge-a", A), { address: A, ...options }),
          await LabEdge.start(lab.host("edge-b", B), { address: B, ...options }),
        ];
        for (const { space } of [...edges, { space: pbx }])
          wires.set(space.name, await Capture.start(space, "eth0"));
        for (const { kind, outside, callee } of KINDS) {
          const box = lab.nat(kind, { kind, outside, inside: "192.168.1.1", timeouts: FORGETFUL });
          const host = lab.behind(box, `${kind}-host`, HOST);
          const account = { name: kind, address: HOST, domain: DOMAIN };
          phones.set(kind, new LabSipp(host, account));
          others.set(kind, new LabSipp(host, { ...account, port: OTHER_PORT }));
          const name = `callee-${kind}`;
          const publicPhone = { name, registrar: `${REGISTRAR}:${SIP_PORT}`, transport: "udp" } as const;
          const space = lab.host(name, callee);
          callees.set(kind, await LabPhone.start(space, { ...publicPhone, address: callee }));
          await phones.get(kind)!.registers(`${A}:${SIP_PORT}`);
        }
      });
      afterAll(async () => {
        await server?.stop();
        await lab?.close();
      });

      const messagesAt = (space: Namespace): readonly Passed[] => wires.get(space.name)!.messages();
      const requestsAt = (space: Namespace, method: string, from = ""): readonly Passed[] =>
        messagesAt(space).filter(
          (passed) => passed.text.startsWith(`${method} `) && passed.from.startsWith(from),
        );
      const pathOf = (kind: string): string =>
        requestsAt(pbx, "REGISTER", A)
          .filter(({ text }) => valuesOf(text, "Contact")[0]?.includes(`sip:${kind}@`))
          .flatMap(({ text }) => valuesOf(text, "Path"))
          .at(-1) ?? "";

      /** The public phone calls by the registrar, which has the Path. */
      async function called(kind: string, ends: "hangsUp" | "isHungUp"): Promise<void> {
        const [phone, other] = [phones.get(kind)!, callees.get(kind)!];
        const before = edges.map(({ space }) => requestsAt(space, "INVITE", REGISTRAR).length);
        const story = await phone.takes(CALLED[ends]);
        other.forget();
        other.dial(`sip:${kind}@${other.options.registrar}`);
        await other.got(/^SIP\/2\.0 200/, "INVITE");
        if (ends === "isHungUp") other.hangUp();
        else await other.got(/^BYE /, "BYE");
        await phone.succeeds(story);
        const passed = edges.map(
          ({ space }, i) => requestsAt(space, "INVITE", REGISTRAR).length - before[i]!,
        );
        expect(passed).toEqual([1, 0]);
      }

      test("the passwords are asked by the registrar: the edges have no accounts and no registrations", () => {
        for (const { kind } of KINDS) {
          const challenges = messagesAt(pbx).filter(
            ({ to, text }) =>
              to === `${A}:${SIP_PORT}` &&
              text.startsWith("SIP/2.0 401") &&
              valuesOf(text, "To")[0]?.includes(`sip:${kind}@`),
          );
          expect(challenges).toHaveLength(1);
          for (const edge of edges) expect(edge.registrations(kind)).toEqual([]);
        }
      });

      test.each(KINDS)(
        "B-02, RFC 3327 $kind: the registrar hears one Path, with a token of edge A",
        ({ kind }) => {
          expect(pathOf(kind)).toMatch(new RegExp(`^<sip:[A-Za-z0-9_-]{35}@${A}:${SIP_PORT};lr;ob>$`));
        },
      );

      test.each(KINDS)("NT-05, B-02 $kind: is called over edge A, the caller hangs up", ({ kind }) =>
        called(kind, "isHungUp"),
      );

      test.each(KINDS)("NT-05, B-02 $kind: is called over edge A, and hangs up", ({ kind }) =>
        called(kind, "hangsUp"),
      );

      test("NT-05: edge A keeps open what it registered, edge B nothing", async () => {
        expect(edges.map((edge) => edge.metric("sipedge_registered_endpoints"))).toEqual([KINDS.length, 0]);
        await Bun.sleep(IDLE_MS);
        for (const { kind } of KINDS) await called(kind, "isHungUp");
      });

      test.each(KINDS)(
        "RFC 5626 §5.3.1 $kind: a forged token in the Route is refused with 403",
        async ({ kind }) => {
          const path = pathOf(kind);
          const [, token = ""] = /sip:([^@]+)@/.exec(path) ?? [];
          const forged = `${token[0] === "A" ? "B" : "A"}${token.slice(1)}`;
          const attacker = new LabSipp(pbx, {
            name: "attacker",
            address: REGISTRAR,
            port: ATTACK_PORT,
            domain: DOMAIN,
          });
          const sent = () => edges.map(({ space, hostPort }) => requestsAt(space, "INVITE", hostPort).length);
          const before = sent();
          await attacker.isForbidden(`${kind}@${HOST}`, path.replace(token, forged), `${A}:${SIP_PORT}`);
          // The token of edge A is none of edge B's.
          await attacker.isForbidden(`${kind}@${HOST}`, path.replace(A, B), `${B}:${SIP_PORT}`);
          expect(sent()).toEqual(before);
        },
      );

      test.each(KINDS)("NT-05 $kind: calls out over edge B, and hangs up", async ({ kind }) => {
        const [phone, other] = [phones.get(kind)!, callees.get(kind)!];
        other.forget();
        await phone.succeeds(phone.calls(CALLING.hangsUp, other.name, `${B}:${SIP_PORT}`));
        await other.got(/^BYE /, "BYE");
      });

      test("NT-05: when its registration is long gone, the BYE of the called side reaches it over edge B", async () => {
        const byes = () => edges.map(({ space }) => requestsAt(space, "BYE", REGISTRAR).length);
        const before = byes();
        const stories = await Promise.all(KINDS.map(({ kind }) => callsAndLeaves(kind)));
        await Bun.sleep(IDLE_MS);
        expect(edges.map((edge) => edge.metric("sipedge_dialog_endpoints"))).toEqual([0, KINDS.length]);
        for (const [i, { kind }] of KINDS.entries()) {
          const callee = callees.get(kind)!;
          callee.hangUp();
          await callee.got(/^SIP\/2\.0 200/, "BYE");
          await phones.get(kind)!.succeeds(stories[i]!);
        }
        expect(byes().map((count, i) => count - before[i]!)).toEqual([0, KINDS.length]);
      });

      /** Calls over edge B, and takes back its registration while it talks; gives the call. */
      async function callsAndLeaves(kind: string): Promise<Program> {
        const [phone, callee] = [phones.get(kind)!, callees.get(kind)!];
        callee.forget();
        const story = phone.calls(CALLING.isHungUp, callee.name, `${B}:${SIP_PORT}`);
        await callee.got(/^ACK /, "ACK");
        await others.get(kind)!.leaves(`${A}:${SIP_PORT}`);
        return story;
      }

      test.each(KINDS)("NT-05 $kind: nobody finds it any more", async ({ kind }) => {
        const callee = callees.get(kind)!;
        callee.forget();
        callee.dial(`sip:${kind}@${callee.options.registrar}`);
        await callee.got(/^SIP\/2\.0 4(04|80)/, "INVITE");
      });

      test("nobody had trouble with any of it", () => {
        for (const edge of edges) expect(edge.metric("sipedge_exceptions_total")).toBe(0);
      });
    },
  );
