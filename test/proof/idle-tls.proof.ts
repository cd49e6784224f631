/**
 * Proof: thousands of idle TLS connections, and slow ones on every kind of listener, cost calls nothing: as many
 * succeed beside them as without.
 *
 *     bun test ./test/proof/idle-tls.proof.ts
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";

setDefaultTimeout(240_000);

const EDGE = "127.0.0.48";
const CALLEE = "127.0.0.49";
const CALLER = "127.0.0.50";
const IDLE = 5000;
const SLOW = 50;
const CALLS = 800;
const CALLS_PER_S = 50;
/** After those that are slow have met their first limit, `partial_message_s` or `connect_timeout_ms`. */
const PARTIAL_S = 3;
const BYTES_PER_IDLE_MAX = 40_000;
const STORIES = join(import.meta.dir, "../interop/sipp");

describe.skipIf(missing("idle and slow connections", "sipp", "openssl"))(
  "B-13, B-52 those who connect and say nothing",
  () => {
    test(`${IDLE} idle TLS connections and ${4 * SLOW} slow ones: calls over UDP and TCP are unhurt`, async () => {
      using authority = new Authority();
      const { file, key } = authority.issue("edge", { names: [`IP:${EDGE}`] });
      const [tls, ws] = [await freePort(EDGE), await freePort(EDGE)];
      const edge = await Edge.start({
        addresses: [EDGE],
        toml:
          `[[listen]]\ntransport = "tls"\naddress = "${EDGE}"\nport = ${tls}\n` +
          `[[listen]]\ntransport = "ws"\naddress = "${EDGE}"\nport = ${ws}\n` +
          `[[certificate]]\nfile = "${file}"\nkey = "${key}"\n` +
          `[tcp]\nconnections_per_address_max = 1000\nfirst_message_s = 600\npartial_message_s = ${PARTIAL_S}\n` +
          `[auth]\ntrusted_networks = ["${CALLEE}/32", "${CALLER}/32"]\n`,
      });
      const programs: Program[] = [];
      const start = (...argv: string[]): Program => {
        const program = new Program(argv);
        programs.push(program);
        return program;
      };
      try {
        const alone = await callsAnswered(edge, start);
        expect(alone).toEqual({ udp: CALLS, tcp: CALLS });
        const before = residentBytes(edge.program.pid);
        const crowd = start(
          process.execPath,
          join(import.meta.dir, "idle-crowd.ts"),
          JSON.stringify({ host: EDGE, tcp: edge.port, tls, ws, idle: IDLE, slow: SLOW }),
        );
        await crowd.says(new RegExp(`open ${IDLE}\\n`), 120_000);
        const each = (residentBytes(edge.program.pid) - before) / IDLE;
        await crowd.says(/trickling/);
        const beside = await callsAnswered(edge, start);
        const { connections } = await edge.get<{ connections: number }>("/v1/flows?limit=1");
        crowd.signal("SIGTERM");
        expect(await crowd.ended()).toBe(0);
        const [said] = /\{"still_idle.*\}/.exec(crowd.output) ?? [];
        process.stdout.write(
          `${Math.round(each)} bytes for each idle TLS connection; ${connections} open; ${said}\n`,
        );
        expect(beside).toEqual(alone);
        const { still_idle, closed } = JSON.parse(said!) as {
          still_idle: number;
          closed: Record<string, number>;
        };
        expect(still_idle).toBe(IDLE);
        for (const kind of ["tcp", "tls", "handshake", "ws"])
          expect(closed[kind] ?? 0).toBeGreaterThanOrEqual(SLOW);
        expect(connections).toBeGreaterThanOrEqual(IDLE);
        expect(each).toBeLessThan(BYTES_PER_IDLE_MAX);
      } finally {
        for (const program of programs) await program.stop();
        expect(await edge.stop()).toBe(0);
      }
    });
  },
);

/** Calls over UDP and over TCP at the same time; how many were made to their end. */
async function callsAnswered(
  edge: Edge,
  start: (...argv: string[]) => Program,
): Promise<{ udp: number; tcp: number }> {
  const port = await freePort(CALLEE);
  const story = (name: string): string[] => ["-sf", join(STORIES, `${name}.xml`)];
  const at = (address: string, more: readonly string[]): string[] => [
    ...["-i", address, "-nostdin", "-timeout", "60s", ...more],
  ];
  const contact = `<sip:bob@${CALLEE}:${port}>`;
  const words = ["user", "bob", "domain", EDGE, "contact", contact, "expires", "600"];
  const keys = words.flatMap((word, index) => (index % 2 === 0 ? ["-key", word] : [word]));
  const place = ["-p", `${port}`, "-m", "1"];
  const register = start(
    "sipp",
    ...story("register-openly"),
    ...at(CALLEE, [...place, ...keys]),
    edge.hostPort,
  );
  expect(await register.ended()).toBe(0);
  const callee = start("sipp", ...story("callee-is-hung-up"), ...at(CALLEE, ["-p", `${port}`]));
  const kinds = { udp: "u1", tcp: "t1" };
  const callers = Object.values(kinds).map((kind) =>
    start(
      ...["sipp", "-sn", "uac", "-s", "bob", "-t", kind, "-m", `${CALLS}`, "-r", `${CALLS_PER_S}`],
      ...at(CALLER, [edge.hostPort]),
    ),
  );
  const [udp, tcp] = await Promise.all(
    callers.map(async (caller) => {
      await caller.ended(90_000);
      return Number(/Successful call\s*\|\s*\d+\s*\|\s*(\d+)/.exec(caller.output.slice(-4000))?.[1] ?? 0);
    }),
  );
  await callee.stop();
  return { udp: udp!, tcp: tcp! };
}

/** Resident memory of a process. */
function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1")) ?? [];
  return 1024 * Number(kilobytes);
}
