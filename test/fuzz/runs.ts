/**
 * How long fuzzing goes on, and what it shows when something is found. FUZZ_RUNS=n for a longer run, FUZZ_SEED=n to
 * repeat one: the seed stands in the names of the tests.
 */
import { randomInt } from "node:crypto";

export const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
export const RUNS = Number(process.env.FUZZ_RUNS ?? 12_000);
/** A long run by FUZZ_RUNS may take as long as it needs. */
export const LONG_MS = 3_600_000;
export const again = `FUZZ_SEED=${SEED} FUZZ_RUNS=${RUNS}`;
/** One input may take so long: what takes longer hangs, or can be made to. CPU time, not the clock on the wall. */
const INPUT_MS_MAX = 1000;

/** Runs the check on one input. A failure shows the input, and so does one that takes too long. */
export function attempt(input: string | Uint8Array, check: () => void): void {
  const shown = () =>
    typeof input === "string" ? JSON.stringify(input) : `hex ${Buffer.from(input).toString("hex")}`;
  const before = process.cpuUsage();
  try {
    check();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.stack : error}\nwith ${shown()}`);
  }
  const { user, system } = process.cpuUsage(before);
  if ((user + system) / 1000 > INPUT_MS_MAX) throw new Error(`took ${user / 1000} ms: ${shown()}`);
}
