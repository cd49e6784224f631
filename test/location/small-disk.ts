/**
 * A process in a mount namespace of its own, with a 2 MB disk: fills it, frees it, sets it read-only.
 * Prints what the store said at each step as one line of JSON.
 */
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VirtualClock } from "../support/virtual-clock.ts";
import { binding, refreshed, stored } from "./bindings.ts";
import { openStore } from "./sqlite-fixture.ts";

const disk = process.argv[2]!;
const data_dir = join(disk, "data");
const ballast = join(disk, "ballast");
const said: Record<string, unknown> = {};

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync("mount", args);
  if (status !== 0) throw new Error(`mount ${args.join(" ")}: ${stderr}`);
}

/** Takes every byte that is left. */
function fillDisk(): void {
  for (let size = 2 * 1024 * 1024; size >= 1024; size /= 2) {
    try {
      writeFileSync(ballast, Buffer.alloc(size, 1), { flag: "a" });
    } catch {
      // Too much: try half of it.
    }
  }
}

mount("-t", "tmpfs", "-o", "size=2m", "sipedge-test", disk);
const clock = new VirtualClock();
const { store } = openStore(clock, data_dir);
let alice = binding(clock, "alice");
said.first = stored(clock, store, alice.user, [alice]);
fillDisk();
let failure = null;
for (let i = 0; i < 2000 && failure === null; i++) {
  const next = refreshed(clock, alice);
  [failure = null] = stored(clock, store, alice.user, [next]);
  if (failure === null) alice = next;
}
said.full = failure?.code;
said.unchanged = store.bindings(alice.user)[0] === alice;
clock.advance(20_000);
said.still = store.health().code;
rmSync(ballast);
clock.advance(5000);
said.recovered = store.health().ok;
alice = refreshed(clock, alice);
said.after = stored(clock, store, alice.user, [alice]);
store.close();

mount("-o", "remount,ro", disk);
try {
  openStore(clock, data_dir);
} catch (error) {
  said.readonly = (error as { code: unknown }).code;
}
mount("-o", "remount,rw", disk);
const again = openStore(clock, data_dir).store;
said.kept = again.bindings(alice.user)[0]?.cseq === alice.cseq;
again.close();
process.stdout.write(JSON.stringify(said));
