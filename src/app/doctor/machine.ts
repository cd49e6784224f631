/** What `sipedge doctor` looks at on the machine: store, disk, clock, open files. */

import { dlopen, FFIType, ptr } from "bun:ffi";
import { Database } from "bun:sqlite";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { NewerDatabaseError, pending } from "../../location/migrations.ts";
import { STORE_FILE_NAME } from "../../location/sqlite-file.ts";
import type { Finding } from "./finding.ts";
import { good, mayStop, stops } from "./finding.ts";

const DISK_BYTES_MIN = 256 * 1024 * 1024;
/** Each relayed call takes four, each TCP phone one. */
const FILES_MIN = 4096;
/** sipedge did not exist before: a board without a battery wakes up in 1970. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);

export function store(dataDir: string): Finding {
  const path = join(dataDir, STORE_FILE_NAME);
  if (!existsSync(path)) return good("store", `${path} is not there yet; the first start makes it`);
  let db: Database | null = null;
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    db = new Database(path, { readwrite: true, create: false });
    const [verdict] = db.prepare("PRAGMA quick_check(1)").values()[0] as [string];
    if (verdict !== "ok") return stops("store", `${path} is damaged: ${verdict}`, "sipedge restore a backup");
    const todo = pending(db).length;
    const note = todo === 0 ? "" : `; the next start brings it up to date (${todo} steps, a copy is kept)`;
    return good("store", `${path} is whole${note}`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const cure =
      error instanceof NewerDatabaseError
        ? "run the version that wrote it, or restore a backup of this one"
        : "run doctor as the user that runs sipedge, or as root; else restore a backup";
    return stops("store", `${path}: ${why}`, cure);
  } finally {
    db?.close(true);
  }
}

export function disk(dataDir: string): Finding {
  let place = dataDir;
  while (!existsSync(place) && dirname(place) !== place) place = dirname(place);
  try {
    accessSync(place, constants.W_OK);
  } catch {
    return stops(
      "disk",
      `${place} cannot be written to`,
      "give it to the user that runs sipedge, or set data_dir",
    );
  }
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const found = `${Math.round(free / 1e6)} MB free at ${place}`;
  if (free >= DISK_BYTES_MIN) return good("disk", found);
  return mayStop("disk", found, "free some: on a full disk new registrations are refused with 503");
}

export function clock({ wall }: Clock): Finding {
  const now = wall();
  const date = new Date(now).toISOString();
  const cure = "run a time service (systemd-timesyncd, chrony, ntpd): records and schedules go by the clock";
  if (now < EARLIEST_MS) return stops("clock", `it says ${date}`, cure);
  if (isSynchronized() === false)
    return mayStop("clock", `${date}, not synchronized as far as the kernel knows`, cure);
  return good("clock", date);
}

const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1"];
/** `struct timex` has 208 bytes; all zero, it only asks. */
const TIMEX_BYTES = 256;
const TIME_ERROR = 5;

/** Null: the kernel cannot be asked. */
function isSynchronized(): boolean | null {
  const timex = new Uint8Array(TIMEX_BYTES);
  for (const name of LIBRARIES) {
    try {
      const libc = dlopen(name, { adjtimex: { args: [FFIType.ptr], returns: FFIType.i32 } });
      const state = libc.symbols.adjtimex(ptr(timex));
      libc.close();
      return state < 0 ? null : state !== TIME_ERROR;
    } catch {
      // Not this libc: the next name.
    }
  }
  return null;
}

/** Of this shell: the service's own limit stands in its unit. */
export function openFiles(limits = "/proc/self/limits"): Finding {
  let text = "";
  try {
    text = readFileSync(limits, "utf8");
  } catch {
    return good("open files", "no limit can be read here");
  }
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(text)?.[1] ?? "unlimited";
  const found = `${hard} at most, in this shell`;
  if (hard === "unlimited" || Number(hard) >= FILES_MIN) return good("open files", found);
  return mayStop(
    "open files",
    found,
    `raise it (ulimit -Hn, LimitNOFILE=): a relayed call takes 4, a TCP phone 1`,
  );
}
