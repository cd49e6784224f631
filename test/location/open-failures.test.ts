/** What may be wrong with the database at the start: `sipedge` must not start on it, and say why. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StoreOpenError } from "../../src/location/sqlite-errors.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, stored } from "./bindings.ts";
import { openStore, temporaryDir } from "./sqlite-fixture.ts";

describe("opening the store", () => {
  const clock = new VirtualClock();
  let dir: ReturnType<typeof temporaryDir>;
  let path: string;
  beforeEach(() => {
    dir = temporaryDir();
    path = join(dir.data_dir, "sipedge.db");
  });
  afterEach(() => dir.remove());

  function refused(data_dir = dir.data_dir): StoreOpenError {
    try {
      openStore(clock, data_dir).store.close();
    } catch (error) {
      expect(error).toBeInstanceOf(StoreOpenError);
      return error as StoreOpenError;
    }
    throw new Error("it was opened");
  }

  function fill(): void {
    const { store } = openStore(clock, dir.data_dir);
    const crowd = Array.from({ length: 500 }, (_, i) => binding(clock, "crowd", { key: `${i}` }));
    expect(stored(clock, store, "crowd", crowd)).toEqual([null]);
    store.close();
  }

  test("a file of another kind: corrupt, left as it is", () => {
    const text = "config_version = 1\n".repeat(500);
    writeFileSync(path, text);
    const { code, message } = refused();
    expect(code).toBe("corrupt");
    expect(message).toContain(path);
    expect(message).toContain("move the file away");
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("damaged pages: corrupt", () => {
    fill();
    const fd = openSync(path, "r+");
    writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, 20 * 4096);
    closeSync(fd);
    expect(refused().code).toBe("corrupt");
  });

  test("cut short: corrupt", () => {
    fill();
    writeFileSync(path, readFileSync(path).subarray(0, 10 * 4096));
    expect(refused().code).toBe("corrupt");
  });

  test("from a newer version: says which migration", () => {
    openStore(clock, dir.data_dir).store.close();
    const db = new Database(path);
    db.run("INSERT INTO migrations VALUES ('0099-teleport', 1)");
    db.close(true);
    const { code, message } = refused();
    expect(code).toBe("newer");
    expect(message).toContain("0099-teleport");
  });

  test("data_dir below a file: io, naming it", () => {
    writeFileSync(join(dir.data_dir, "file"), "");
    const { code, message } = refused(join(dir.data_dir, "file", "data"));
    expect(code).toBe("io");
    expect(message).toContain(join(dir.data_dir, "file", "data"));
  });

  test("a directory where the file should be: io", () => {
    mkdirSync(path);
    expect(refused().code).toBe("io");
  });

  test("held exclusively by another process: busy, with a hint", async () => {
    openStore(clock, dir.data_dir).store.close();
    const holder = Bun.spawn([process.execPath, join(import.meta.dir, "lock-holder.ts"), path, "exclusive"], {
      stdin: "pipe",
      stdout: "pipe",
      env: process.env,
    });
    await holder.stdout.getReader().read();
    const { code, message } = refused();
    holder.stdin.end();
    await holder.exited;
    expect(code).toBe("busy");
    expect(message).toContain("another sipedge");
    openStore(clock, dir.data_dir).store.close();
  });
});
