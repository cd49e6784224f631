/** Messages of any length come back as they were put, and no chunk is lost. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { CHUNK_BYTES, ChunkStore, chunksOf } from "../../src/trace/chunk-store.ts";

const CHUNKS = 20;

test("whatever is put, read and released in any order: the same bytes, and all room comes back", () => {
  const step = fc.oneof(
    fc.record({ put: fc.uint8Array({ maxLength: 5 * CHUNK_BYTES }) }),
    fc.record({ release: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const store = new ChunkStore(CHUNKS * CHUNK_BYTES);
      const kept: { first: number; bytes: Buffer }[] = [];
      for (const each of steps) {
        if ("put" in each) {
          const bytes = Buffer.from(each.put);
          const hasRoom = store.used + chunksOf(bytes.length) <= CHUNKS;
          const first = store.put(bytes);
          expect(first !== null).toBe(hasRoom);
          if (first !== null) kept.push({ first, bytes });
        } else if (kept.length > 0) store.release(kept.splice(each.release % kept.length, 1)[0]!.first);
        for (const { first, bytes } of kept) expect(store.get(first, bytes.length).equals(bytes)).toBe(true);
        expect(store.used).toBe(kept.reduce((sum, { bytes }) => sum + chunksOf(bytes.length), 0));
      }
    }),
    { seed: 11, numRuns: 200 },
  );
});

test("exactly full, and one byte more", () => {
  const store = new ChunkStore(CHUNKS * CHUNK_BYTES);
  const first = store.put(Buffer.alloc(CHUNKS * CHUNK_BYTES, 7));
  expect(first).not.toBeNull();
  expect(store.put(Buffer.alloc(0))).toBeNull();
  store.release(first!);
  expect(store.put(Buffer.alloc(CHUNKS * CHUNK_BYTES + 1))).toBeNull();
  expect(store.used).toBe(0);
});
