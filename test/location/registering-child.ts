/**
 * A process that registers, refreshes and removes bindings as fast as it can. For each change it prints
 * a line before it asks for it (`asked AOR CSEQ`, 0 for a removal) and after its done (`done AOR CSEQ`).
 * Killed by the test at any moment.
 */
import { writeSync } from "node:fs";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Binding } from "../../src/location/binding.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteStore } from "../../src/location/sqlite-store.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, HOUR_MS } from "./bindings.ts";

const [, , data_dir, first_cseq] = process.argv;
const clock = systemClock;
const store = new SqliteStore(new SqliteFile(data_dir!, clock), {
  clock,
  log: silentLog,
  metrics: new Metrics(),
  bindings_max: 1000,
});
const template = binding(new VirtualClock(), "x");
let cseq = Number(first_cseq);

function change(n: number): void {
  const user = `user${n}`;
  const times = { registered_at_ms: clock.wall(), expires_at_ms: clock.wall() + HOUR_MS };
  const next: Binding[] = [{ ...template, user, cseq: ++cseq, ...times }];
  if (cseq % 5 === 0) next[0] = { ...next[0]!, contact: `sip:${user}@192.0.2.${cseq % 250}` };
  if (cseq % 7 === 0) next.length = 0;
  const line = `${user} ${next[0]?.cseq ?? 0}\n`;
  writeSync(1, `asked ${line}`);
  store.replace(user, next, (failure) => {
    if (failure === null) writeSync(1, `done ${line}`);
  });
}

function turn(): void {
  for (let i = 0; i < 10; i++) change((cseq * 31 + i) % 50);
  setImmediate(turn);
}
turn();
