import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Fields, Log } from "../../src/base/log.ts";
import { silentLog } from "../../src/base/log.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteForwardStore } from "../../src/location/sqlite-forwards.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { CONTRACT_FORWARDS_MAX, forwardsContract, rules } from "./forwards-contract.ts";
import { temporaryDir } from "./sqlite-fixture.ts";

function opened(data_dir: string, clock: VirtualClock, log: Log = silentLog, guest = false) {
  const file = new SqliteFile(data_dir, clock, { guest });
  const forwards_max = CONTRACT_FORWARDS_MAX;
  return { file, store: new SqliteForwardStore(file, { clock, log, forwards_max }) };
}

forwardsContract("SqliteForwardStore", () => {
  const dir = temporaryDir();
  const { file, store } = opened(dir.data_dir, new VirtualClock());
  return {
    store,
    dispose() {
      file.close();
      dir.remove();
    },
  };
});

describe("SqliteForwardStore", () => {
  let clock: VirtualClock;
  let dir: ReturnType<typeof temporaryDir>;
  let file: SqliteFile;
  let store: SqliteForwardStore;
  let warnings: (Fields | undefined)[];

  function open(): void {
    warnings = [];
    const log: Log = { ...silentLog, warn: (_event, fields) => void warnings.push(fields) };
    ({ file, store } = opened(dir.data_dir, clock, log));
  }
  beforeEach(() => {
    clock = new VirtualClock();
    dir = temporaryDir();
    open();
  });
  afterEach(() => {
    file.close();
    dir.remove();
  });

  test("rules survive a restart, NO_FORWARDS too", () => {
    const every = rules({
      always: "a",
      busy: "b",
      no_answer: "c",
      not_registered: "d",
      no_answer_after_s: 9,
    });
    store.set("alice", every);
    store.set("bob", NO_FORWARDS);
    file.close();
    open();
    store.setConfigForwards(new Map([["bob", rules({ always: "x" })]]));
    expect(store.rulesOf("alice")).toEqual(every);
    expect(store.rulesOf("bob")).toBeNull();
  });

  test("kill -9: what `set` said is on disk is there afterwards", async () => {
    file.close();
    const script = join(import.meta.dir, "forward-process.ts");
    const child = Bun.spawn([process.execPath, script, dir.data_dir, "alice", "bob"], { stdout: "pipe" });
    let said = "";
    for await (const chunk of child.stdout) {
      said += Buffer.from(chunk).toString();
      if (said.split("\n").length > 100) child.kill("SIGKILL");
    }
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    open();
    const lines = said.slice(0, said.lastIndexOf("\n")).split("\n");
    for (const user of ["alice", "bob"]) {
      const last = Number(lines.findLast((line) => line.startsWith(user))!.split(" ")[1]);
      const found = Number(store.rulesOf(user)!.busy!.slice("bob".length));
      expect(found).toBeGreaterThanOrEqual(last); // what came after may have been killed before it was said
    }
  });

  test("changes of another process are seen within a second of asking, and not looked for before", () => {
    store.set("alice", rules({ always: "x" }));
    const other = opened(dir.data_dir, clock, silentLog, true);
    other.store.set("alice", rules({ always: "y" }));
    other.store.set("bob", rules({ busy: "z" }));
    other.file.close();
    expect(store.rulesOf("alice")?.always).toBe("x");
    expect(store.rulesOf("bob")).toBeNull();
    expect(clock.pending).toBe(0);
    clock.advance(1000);
    expect(store.rulesOf("alice")?.always).toBe("y");
    expect(store.list().map(({ user }) => user)).toEqual(["alice", "bob"]);
  });

  test("two processes change one rule each: both hold", () => {
    const other = opened(dir.data_dir, clock, silentLog, true);
    store.change("alice", (now) => ({ ...now, busy: "b" }));
    other.store.change("alice", (now) => ({ ...now, no_answer: "n" }));
    store.change("alice", (now) => ({ ...now, always: "a" }));
    other.file.close();
    expect(store.rulesOf("alice")).toEqual(rules({ busy: "b", no_answer: "n", always: "a" }));
  });

  test("a write that fails changes nothing, and says why", () => {
    store.set("alice", rules({ always: "x" }));
    file.db.run("PRAGMA query_only = ON");
    expect(store.set("alice", rules({ always: "y" }))).toMatchObject({ code: "readonly" });
    expect(store.remove("alice")).toMatchObject({ code: "readonly" });
    expect(store.list()).toEqual([{ user: "alice", rules: rules({ always: "x" }), source: "store" }]);
  });

  test("a database that cannot be read: the rules known before still hold, and the log says it", () => {
    store.set("alice", rules({ always: "x" }));
    file.close();
    clock.advance(5000);
    expect(store.rulesOf("alice")?.always).toBe("x");
    expect(warnings).toMatchObject([{ code: "io" }]);
    expect(store.set("bob", rules({ always: "y" }))).toMatchObject({ code: "io" });
  });

  test("the file was lost and is opened anew: rules are written back", () => {
    store.set("alice", rules({ always: "x" }));
    for (const end of ["", "-wal", "-shm"]) rmSync(join(dir.data_dir, `sipedge.db${end}`), { force: true });
    file.reopen();
    file.close();
    open();
    expect(store.rulesOf("alice")).toEqual(rules({ always: "x" }));
  });

  test("another file was put in its place: its rules hold", () => {
    const elsewhere = temporaryDir();
    const other = opened(elsewhere.data_dir, clock);
    other.store.set("alice", rules({ always: "theirs" }));
    other.file.close();
    store.set("alice", rules({ always: "ours" }));
    for (const end of ["-wal", "-shm"]) rmSync(join(dir.data_dir, `sipedge.db${end}`), { force: true });
    rmSync(file.path);
    copyFileSync(join(elsewhere.data_dir, "sipedge.db"), file.path);
    elsewhere.remove();
    file.reopen();
    expect(store.rulesOf("alice")?.always).toBe("theirs");
  });
});
