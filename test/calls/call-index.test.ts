/** Calls are found by Call-ID and the caller's tag, one of a Call-ID or many. */
import { expect, test } from "bun:test";
import { Call } from "../../src/calls/call.ts";
import { CallIndex } from "../../src/calls/call-index.ts";

const call = (call_id: string, from_tag: string | null): Call =>
  new Call(`${call_id}${from_tag}`, {
    ...{ call_id, from_tag, from: "", to: "", asked: "", user: null, source: {} as never },
    ...{ invite: Buffer.alloc(0), started_ms: 0, started_at: 0 },
  });

test("one of its Call-ID: by its tag only, and no more once it is gone", () => {
  const index = new CallIndex();
  const one = call("c", "a");
  index.add(one);
  expect([index.get("c", "a"), index.get("c", "b"), index.get("c", null), index.get("d", "a")]).toEqual([
    one,
    undefined,
    undefined,
    undefined,
  ]);
  index.delete(call("c", "b"));
  index.delete(call("c", "a"));
  expect(index.get("c", "a")).toBe(one);
  index.delete(one);
  expect(index.get("c", "a")).toBeUndefined();
});

test("several of one Call-ID stay apart, down to the last", () => {
  const index = new CallIndex();
  const all = ["a", "b", null, "c"].map((tag) => call("c", tag));
  for (const each of all) index.add(each);
  for (const each of all) expect(index.get("c", each.facts.from_tag)).toBe(each);
  expect(index.get("c", "")).toBe(all[2]!); // no tag is an empty one
  for (const each of all) {
    index.delete(each);
    expect(index.get("c", each.facts.from_tag)).toBeUndefined();
  }
  const again = call("c", "a");
  index.add(again);
  expect(index.get("c", "a")).toBe(again);
});
