import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { temporaryDir } from "./sqlite-fixture.ts";

/** Mounting needs root, and a kernel that lets it: elsewhere `PRAGMA max_page_count` has to do. */
const can_mount =
  spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs -o size=64k sipedge-test /mnt"]).status === 0;

test.skipIf(!can_mount)("a real disk that fills up, is freed, and turns read-only", () => {
  const { data_dir, remove } = temporaryDir();
  const child = join(import.meta.dir, "small-disk.ts");
  const { stdout, stderr } = spawnSync("unshare", ["-m", process.execPath, child, data_dir]);
  remove();
  expect(stderr.toString()).toBe("");
  expect(JSON.parse(stdout.toString())).toEqual({
    first: [null],
    full: "full",
    unchanged: true,
    still: "full",
    recovered: true,
    after: [null],
    readonly: "readonly",
    kept: true,
  });
});
