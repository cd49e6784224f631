/** `sipedge doctor`: what will stop calls here, each finding with what to do. Changes nothing. */
import { systemClock } from "../../base/clock.ts";
import { findingsText } from "../doctor/finding.ts";
import { clock, disk, openFiles, store } from "../doctor/machine.ts";
import { addresses, names, ports } from "../doctor/network.ts";
import { running } from "../doctor/running.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

/** 1 when something will stop calls. */
export async function doctor({ words, config: file, url }: Invocation): Promise<number> {
  if (words.length > 0) return usage("doctor takes no words, only --config FILE");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const dataDir = dataDirOf(config, file);
  const { certificates } = await import("../doctor/certificates.ts"); // TLS is for those who ask for it
  const { isRunning, findings: told } = await running(config, url);
  const findings = [
    ...told,
    ...(await ports(config, isRunning)),
    addresses(config),
    ...(await names(config)),
    ...certificates(config, systemClock.wall()),
    store(dataDir),
    disk(dataDir),
    clock(systemClock),
    openFiles(),
  ];
  process.stdout.write(findingsText(findings));
  return findings.some(({ weight }) => weight === "stops") ? 1 : 0;
}
