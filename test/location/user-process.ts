/** What `sipedge user` does, in a process of its own: `put NAME REALM` or `remove NAME`. Prints the failure. */
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteUserStore } from "../../src/location/sqlite-users.ts";

const [, , data_dir, command, name, realm] = process.argv;
const file = new SqliteFile(data_dir!, systemClock);
const users = new SqliteUserStore(file, { clock: systemClock, log: silentLog, users_max: 100 });
const ha1_md5 = "0123456789abcdef0123456789abcdef";
const failure =
  command === "put"
    ? users.put({ name: name!, realm: realm!, ha1_md5, ha1_sha256: null, source: "store" })
    : users.remove(name!);
file.close();
process.stdout.write(JSON.stringify(failure));
