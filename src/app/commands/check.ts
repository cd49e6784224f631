/** `sipedge check FILE`: every mistake of a config file at once, and of the certificates it names. */

import { systemClock } from "../../base/clock.ts";
import { findingsText } from "../doctor/finding.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { loadConfig } from "./config-file.ts";

/** 1 when serve would not start with it, or TLS phones would refuse it. */
export async function check({ words, config }: Invocation): Promise<number> {
  const file = words[0] ?? config;
  if (file === null || words.length > 1) return usage("check needs one FILE");
  const loaded = loadConfig(file);
  if ("errors" in loaded) {
    process.stderr.write(loaded.text);
    return 1;
  }
  const { certificates } = await import("../doctor/certificates.ts"); // TLS is for those who ask for it
  const findings = certificates(loaded.config, systemClock.wall()).filter(({ weight }) => weight !== "good");
  if (findings.length > 0) process.stderr.write(findingsText(findings));
  if (findings.some(({ weight }) => weight === "stops")) return 1;
  process.stdout.write(
    `${file}: no mistakes found (whether its addresses and ports can be had, serve will tell)\n`,
  );
  return 0;
}
