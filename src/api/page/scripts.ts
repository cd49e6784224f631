/**
 * The page's scripts as the browser runs them: `client/*.ts` with their types taken out. To be imported as a macro,
 * so that it happens when the program is built and the executable holds the text.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** By file name, like `main.ts`: scripts import each other by these. */
export function scripts(): Record<string, string> {
  const folder = join(import.meta.dir, "client");
  const transpiler = new Bun.Transpiler({ loader: "ts", target: "browser" });
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  return Object.fromEntries(
    files.map((name) => [name, transpiler.transformSync(readFileSync(join(folder, name), "utf8"))]),
  );
}
