/** A process that holds the database's write lock until its standard input ends. Prints `held`. */
import { Database } from "bun:sqlite";

const db = new Database(process.argv[2]!, { readwrite: true });
db.run("PRAGMA busy_timeout = 5000");
db.run(process.argv[3] === "exclusive" ? "PRAGMA locking_mode = EXCLUSIVE" : "SELECT 1");
db.run("BEGIN IMMEDIATE");
process.stdout.write("held\n");
for await (const _ of Bun.stdin.stream()) {
  // Whatever is written does not matter; the end does.
}
db.run("ROLLBACK");
db.close(true);
