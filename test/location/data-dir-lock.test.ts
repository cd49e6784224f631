/** ARC-41 one writer: a data directory belongs to one appliance at a time. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDataDir } from "../../src/location/data-dir-lock.ts";

describe("ARC-41 the lock of a data directory", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sipedge-lock-"));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test("held: in use; released: free; it writes nothing but an empty file of the owner's", () => {
    const data = join(dir, "data");
    const lock = lockDataDir(data);
    if (lock === "in use") throw new Error("an empty folder is in use");
    expect(lockDataDir(data)).toBe("in use");
    expect(lockDataDir(join(dir, "other"))).not.toBe("in use");
    expect(readdirSync(data)).toEqual(["sipedge.lock"]);
    const { size, mode } = statSync(join(data, "sipedge.lock"));
    expect([size, mode & 0o777]).toEqual([0, 0o600]);
    lock.release();
    const next = lockDataDir(data);
    expect(next).not.toBe("in use");
    if (next !== "in use") next.release();
  });

  test("a folder that cannot be made: not its business, opening the store tells", () => {
    writeFileSync(join(dir, "file"), "");
    expect(lockDataDir(join(dir, "file", "data"))).not.toBe("in use");
  });
});
