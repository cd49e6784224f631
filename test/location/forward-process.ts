/**
 * A process that stores forwards and never ends by itself: `DATA_DIR USER...`. Prints each user once
 * `set` has said that it is on disk, round after round; its parent kills it.
 */
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteForwardStore } from "../../src/location/sqlite-forwards.ts";

const [, , data_dir, ...users] = process.argv;
const ROUNDS_MAX = 100_000;
const file = new SqliteFile(data_dir!, systemClock);
const store = new SqliteForwardStore(file, { clock: systemClock, log: silentLog, forwards_max: 100 });
for (let round = 1; round <= ROUNDS_MAX; round++) {
  for (const user of users) {
    const failure = store.set(user, { ...NO_FORWARDS, busy: `bob${round}` });
    process.stdout.write(failure === null ? `${user} ${round}\n` : `${failure.code}\n`);
  }
}
