/**
 * Proof: an interface that goes and comes back, ICMP in masses, name servers that are gone, datagrams in disorder and a
 * storm of SIGHUPs cost what they must and nothing else. Each in a network of its own; needs root.
 *
 *     bun test ./test/proof/faults-network.proof.ts
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { missing, Program } from "../support/process.ts";
import { inLonelyNetwork, lonelyNetworks } from "./lonely-network.ts";

setDefaultTimeout(150_000);

interface Seen {
  readonly exceptions: number;
  readonly exit: number;
  readonly counts: Record<string, { sent: number; answered: number }>;
  readonly statuses: Record<string, number>;
  readonly forgotten: readonly string[];
  readonly [more: string]: unknown;
}

/** What was seen in that story of faults-network-run.ts, which in all of them ends without an exception. */
async function seenIn(story: string): Promise<Seen> {
  const run = join(import.meta.dir, "faults-network-run.ts");
  const program = new Program(inLonelyNetwork(process.execPath, run, story));
  const code = await program.ended(120_000);
  process.stderr.write(program.output);
  expect(code).toBe(0);
  const seen = JSON.parse(/^\{.*\}$/m.exec(program.output)?.[0] ?? "") as Seen;
  expect([seen.exceptions, seen.exit]).toEqual([0, 0]);
  return seen;
}

/** Every request of the traffic beside the fault got the answer it was to get. */
function expectAllAnswered({ counts, statuses, forgotten }: Seen): void {
  expect(forgotten).toEqual([]);
  for (const { sent, answered } of Object.values(counts)) expect(answered).toBe(sent);
  for (const kind of ["register", "answer", "bye", "ring", "cancel", "busy", "options", "connection"])
    expect(counts[kind]?.sent).toBeGreaterThan(10);
  expect(new Set(Object.keys(statuses))).toEqual(new Set(["200", "486", "487"]));
  expect(statuses["486"]).toBe(counts.busy?.sent);
  expect(statuses["487"]).toBe(counts.ring?.sent);
}

describe.skipIf(
  !lonelyNetworks("faults of the network") || missing("faults of the network", "ip", "python3"),
)("faults of the network", () => {
  test("an interface is gone: its phone is not reached, other calls go on; back: it is, without a restart", async () => {
    expect(await seenIn("interface")).toMatchObject({ gone: 408, back: 200 });
  });

  test("400 calls to closed ports and 20,000 forged ICMP errors: nobody else notices", async () => {
    const seen = await seenIn("icmp");
    expectAllAnswered(seen);
    expect(seen.closed).toEqual({ "408": 400 });
  });

  test("no name server: 500, back: called by name, silent: names that are known still work", async () => {
    const seen = await seenIn("dns");
    expect(seen).toMatchObject({ gone: 500, silent: 500 });
    expect(seen.questions).toBeGreaterThan(0);
  });

  test("200 SIGHUPs under load, two in six with a config that is wrong: every request is answered", async () => {
    expectAllAnswered(await seenIn("storm"));
  });

  test("datagrams that overtake each other, every third of them twice: every call is one call", async () => {
    const seen = await seenIn("disorder");
    expectAllAnswered(seen);
    expect(seen.left).toBe(0);
    for (const count of [...(seen.twice as number[]), ...(seen.overtaken as number[])])
      expect(count).toBeGreaterThan(100);
  });
});
