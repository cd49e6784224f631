/**
 * A small text file that is read again when it has changed. It is looked at only when somebody asks,
 * and then at most once a second: an idle appliance does not touch the disk.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { FileStamp, Files } from "./sockets.ts";

const LOOK_MS = 1000;
/** A longer file is not read: the state before stays. */
export const FILE_BYTES_MAX = 2_097_152;

export class WatchedFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  readonly #parts: { readonly clock: Clock; readonly files: Files; readonly log: Log };
  #stamp: FileStamp | null = null;
  #looked_ms = Number.NEGATIVE_INFINITY;
  #value: T;

  constructor(
    path: string,
    parse: (text: string) => T,
    parts: { readonly clock: Clock; readonly files: Files; readonly log: Log },
  ) {
    this.#path = path;
    this.#parse = parse;
    this.#parts = parts;
    this.#value = parse("");
  }

  /** What the file says now; the same object as long as it has not changed. A missing file reads as empty. */
  get value(): T {
    const now = this.#parts.clock.now();
    if (now - this.#looked_ms >= LOOK_MS) {
      this.#looked_ms = now;
      this.#look();
    }
    return this.#value;
  }

  #look(): void {
    const { files, log } = this.#parts;
    const stamp = files.stamp(this.#path);
    if (sameStamp(stamp, this.#stamp)) return;
    this.#stamp = stamp;
    if (stamp !== null && stamp.bytes > FILE_BYTES_MAX) {
      log.warn("dns-file-too-long", { path: this.#path, bytes: stamp.bytes, bytes_max: FILE_BYTES_MAX });
      return;
    }
    this.#value = this.#parse(stamp === null ? "" : (files.read(this.#path) ?? ""));
    log.debug("dns-file-read", { path: this.#path });
  }
}

function sameStamp(a: FileStamp | null, b: FileStamp | null): boolean {
  if (a === null || b === null) return a === b;
  return a.modified_ms === b.modified_ms && a.bytes === b.bytes && a.inode === b.inode;
}
