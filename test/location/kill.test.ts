import { expect, test } from "bun:test";
import { join } from "node:path";
import { VirtualClock } from "../support/virtual-clock.ts";
import { openStore, temporaryDir } from "./sqlite-fixture.ts";

const ROUNDS = 6;

/** Runs the child until it has printed some thousand lines, kills it, and gives its whole lines. */
async function killedRun(data_dir: string, cseq: number, lines_least: number): Promise<string[]> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, "registering-child.ts"), data_dir, `${cseq}`],
    {
      stdout: "pipe",
    },
  );
  let text = "";
  let lines = 0;
  for await (const chunk of child.stdout) {
    const part = Buffer.from(chunk).toString();
    text += part;
    lines += part.split("\n").length - 1;
    if (lines >= lines_least) child.kill("SIGKILL");
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return text.slice(0, text.lastIndexOf("\n")).split("\n");
}

/** What the file may hold for an AOR: what was done last, or anything asked for since. */
function allowedBy(lines: readonly string[], known: ReadonlyMap<string, number>): Map<string, number[]> {
  const allowed = new Map([...known].map(([user, cseq]) => [user, [cseq]]));
  for (const line of lines) {
    const [word, user, number] = line.split(" ") as [string, string, string];
    const asked = allowed.get(user) ?? [0];
    const cseq = Number(number);
    allowed.set(user, word === "done" ? asked.slice(asked.indexOf(cseq)) : [...asked, cseq]);
  }
  return allowed;
}

test("kill -9: nothing that was done is missing", async () => {
  const { data_dir, remove } = temporaryDir();
  let known = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const lines = await killedRun(data_dir, round * 1_000_000, 500 + round * 1733);
    const clock = new VirtualClock();
    clock.wallOffset = 0; // by this clock nothing has expired yet
    const { store } = openStore(clock, data_dir);
    const allowed = allowedBy(lines, known);
    expect(lines.filter((line) => line.startsWith("done")).length).toBeGreaterThan(200);
    known = new Map();
    for (const [user, cseqs] of allowed) {
      const found = store.bindings(user)[0]?.cseq ?? 0;
      expect(cseqs).toContain(found);
      known.set(user, found);
    }
    expect([...store.all()].filter(({ user }) => !allowed.has(user))).toEqual([]);
    store.close();
  }
  remove();
}, 60_000);
