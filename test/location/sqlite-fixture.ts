/** A data directory of its own and a SqliteStore in it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Log, silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteStore } from "../../src/location/sqlite-store.ts";
import type { VirtualClock } from "../support/virtual-clock.ts";

export interface SqliteFixture {
  readonly data_dir: string;
  readonly file: SqliteFile;
  readonly store: SqliteStore;
  readonly metrics: Metrics;
}

export function temporaryDir(): { data_dir: string; remove(): void } {
  const data_dir = mkdtempSync(join(tmpdir(), "sipedge-location-"));
  return { data_dir, remove: () => rmSync(data_dir, { recursive: true, force: true }) };
}

export function openStore(
  clock: VirtualClock,
  data_dir: string,
  bindings_max = 100_000,
  log: Log = silentLog,
): SqliteFixture {
  const metrics = new Metrics();
  const file = new SqliteFile(data_dir, clock);
  return { data_dir, file, metrics, store: new SqliteStore(file, { clock, log, metrics, bindings_max }) };
}
