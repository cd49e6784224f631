/** ARC-20 connections are bounded by what the process may open, so that there is always one file descriptor left. */
import { describe, expect, test } from "bun:test";
import { connectionsWithin, filesMax } from "../../src/app/open-files.ts";

const LIMITS = [
  "Limit                     Soft Limit           Hard Limit           Units     ",
  "Max processes             30000                30000                processes ",
  "Max open files            1024                 4096                 files     ",
  "Max locked memory         8388608              8388608              bytes     ",
].join("\n");

describe("file descriptors", () => {
  test("the hard limit counts; unlimited or unknown: none is known", () => {
    expect(filesMax(LIMITS)).toBe(4096);
    expect(filesMax(LIMITS.replace("4096", "unlimited"))).toBeNull();
    expect(filesMax("")).toBeNull();
    expect(filesMax()).toBeGreaterThan(0);
  });

  test("half of what is left beside the rest is for connections, and never more than the config says", () => {
    expect(connectionsWithin(10_000, 4096)).toBe(1948);
    expect(connectionsWithin(1000, 4096)).toBe(1000);
    expect(connectionsWithin(10_000, 524_288)).toBe(10_000);
    expect(connectionsWithin(10_000, 160)).toBe(1);
    expect(connectionsWithin(10_000, null)).toBe(10_000);
  });
});
