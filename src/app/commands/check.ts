/** `sipedge check FILE`: every mistake of a config file at once. */

import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { loadConfig } from "./config-file.ts";

export function check({ words, config }: Invocation): number {
  const file = words[0] ?? config;
  if (file === null || words.length > 1) return usage("check needs one FILE");
  const loaded = loadConfig(file);
  if ("config" in loaded) {
    process.stdout.write(
      `${file}: no mistakes found (whether its addresses and ports can be had, serve will tell)\n`,
    );
    return 0;
  }
  process.stderr.write(loaded.text);
  return 1;
}
