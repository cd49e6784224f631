/**
 * Proof: a hundred thousand distinct names leave the resolver's memory where ten thousand left it. dnsmasq
 * answers for any name below `names.test`; a process of its own asks.
 *
 *     bun test ./test/proof/many-names.proof.ts
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { missing } from "../support/process.ts";
import { Zone } from "./next-hop-zone.ts";

setDefaultTimeout(150_000);

interface Reading {
  readonly names: number;
  readonly failed: number;
  readonly entries: number;
  readonly bytes: number;
  readonly heap_objects: number;
  readonly heap_bytes: number;
  readonly rss_bytes: number;
}

/** A heap of this size moves by itself by less. */
const OBJECTS_RATIO_MAX = 1.05;
/** The allocator's own slack, which levels off (5 to 10 MB were seen): 160 bytes a name would show. */
const RSS_GROWTH_BYTES_MAX = 16_000_000;

const lacks = missing("many names", "dnsmasq");

describe.skipIf(lacks)("DNS-08 many names", () => {
  test("a hundred thousand distinct names leave memory flat", async () => {
    const zone = await Zone.serve(["address=/names.test/192.0.2.1"]);
    try {
      const asker = Bun.spawn(
        [process.execPath, join(import.meta.dir, "many-names-asker.ts"), String(zone.port)],
        {
          stdout: "pipe",
          stderr: "inherit",
        },
      );
      const readings = (await new Response(asker.stdout).text())
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Reading);
      expect(await asker.exited).toBe(0);
      for (const reading of readings) process.stdout.write(`${JSON.stringify(reading)}\n`);
      const [few, many, more] = readings;
      expect([few!.names, many!.names, more!.names]).toEqual([10_000, 110_000, 210_000]);
      expect(readings.map(({ failed }) => failed)).toEqual([0, 0, 0]);
      expect(many!.entries).toBe(few!.entries);
      expect(many!.bytes).toBeLessThanOrEqual(1.1 * few!.bytes);
      expect(many!.heap_objects / few!.heap_objects).toBeLessThan(OBJECTS_RATIO_MAX);
      expect(more!.heap_objects / many!.heap_objects).toBeLessThan(OBJECTS_RATIO_MAX);
      expect(more!.rss_bytes - many!.rss_bytes).toBeLessThan(RSS_GROWTH_BYTES_MAX);
    } finally {
      await zone.stop();
    }
  });
});
