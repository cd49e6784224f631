/**
 * How many connections the process can afford. When no file descriptor is left, the kernel's queue of new connections
 * stays full and the event loop spins on it: one more must always be free, to take a connection and close it.
 */
import { readFileSync } from "node:fs";

/** What is kept for the store, the API, name servers and the ports of the first calls. */
const RESERVED = 200;
/** Of the rest: media takes file descriptors too, four for each relayed call. */
const SHARE_OF_CONNECTIONS = 0.5;

/** File descriptors this process may have (the hard limit: the runtime raises the soft one); null: not to be known. */
export function filesMax(limits: string = readLimits()): number | null {
  const [, hard] = /^Max open files +\S+ +(\d+) /m.exec(limits) ?? [];
  return hard === undefined ? null : Number(hard);
}

/** As many of the connections wanted as there are file descriptors for, at least one. */
export function connectionsWithin(wanted: number, files: number | null): number {
  if (files === null) return wanted;
  return Math.max(1, Math.min(wanted, Math.floor((files - RESERVED) * SHARE_OF_CONNECTIONS)));
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return ""; // no Linux, or no /proc
  }
}
