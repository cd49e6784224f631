/** The messages of RFC 4475, bit by bit as in its appendix A. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VERDICTS } from "./verdicts.ts";

/** Every message of the RFC by its name. */
export const CORPUS: ReadonlyMap<string, Buffer> = new Map(
  Object.keys(VERDICTS).map((name) => [name, readFileSync(join(import.meta.dir, "messages", `${name}.dat`))]),
);

export function messageOf(name: string): Buffer {
  const bytes = CORPUS.get(name);
  if (bytes === undefined) throw new Error(`no message ${name}`);
  return bytes;
}
