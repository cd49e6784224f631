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
/**
 * The allocator gives back what it pleases: single readings went up and down by 35 MB between the same
 * two levels. So the highest of the last two against the highest of the two before: with 200,000 names
 * between them, 80 bytes a name would show.
 */
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
      expect(readings.map(({ names }) => names)).toEqual([10_000, 110_000, 210_000, 310_000, 410_000]);
      expect(readings.map(({ failed }) => failed)).toEqual([0, 0, 0, 0, 0]);
      const [few, many, ...more] = readings;
      expect(many!.entries).toBe(few!.entries);
      expect(many!.bytes).toBeLessThanOrEqual(1.1 * few!.bytes);
      expect(many!.heap_objects / few!.heap_objects).toBeLessThan(OBJECTS_RATIO_MAX);
      expect(more.at(-1)!.heap_objects / many!.heap_objects).toBeLessThan(OBJECTS_RATIO_MAX);
      const rss = readings.map(({ rss_bytes }) => rss_bytes);
      const growth = Math.max(...rss.slice(3)) - Math.max(...rss.slice(1, 3));
      expect(growth).toBeLessThan(RSS_GROWTH_BYTES_MAX);
    } finally {
      await zone.stop();
    }
  });
});
