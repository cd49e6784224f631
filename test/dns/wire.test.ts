/** Replies from hostile servers: whatever bytes arrive, an answer and never an exception. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Query } from "../../src/dns/wire.ts";
import { encodeQuery, readReply, spell } from "../../src/dns/wire.ts";
import { a, replyBytes } from "./name-servers.ts";

const QUERY: Query = { id: 0x1234, name: "gw.test", spelled: "gW.tEst", type: "A" };
const PACKET = { id: QUERY.id, questions: [{ name: QUERY.spelled, type: "A" as const }] };

describe("RFC 1035 §4 replies", () => {
  test("any bytes, and any byte of a good reply changed: a value, never an exception", () => {
    const good = replyBytes(PACKET, { answers: [a("gw.test", "192.0.2.1"), a("gw.test", "192.0.2.2")] });
    expect(readReply(good, QUERY).kind).toBe("reply");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(readReply(Buffer.from(bytes), QUERY).kind).toBeString();
      }),
      { numRuns: 2000, seed: 7 },
    );
    for (let at = 0; at < good.length; at++) {
      for (const byte of [0, 1, 0x3f, 0xc0, 0xff]) {
        const bytes = Buffer.from(good);
        bytes[at] = byte;
        expect(readReply(bytes, QUERY).kind).toBeString();
      }
      expect(["ignored", "reply"]).toContain(readReply(good.subarray(0, at), QUERY).kind);
    }
  });

  test("records of other names in an answer are nobody's business", () => {
    const bytes = replyBytes(PACKET, {
      answers: [a("evil.test", "203.0.113.66"), a("GW.test", "192.0.2.1")],
    });
    expect(readReply(bytes, QUERY)).toMatchObject({
      kind: "reply",
      reply: { kind: "records", records: ["192.0.2.1"] },
    });
  });

  test("the case of letters is drawn bit by bit and changes nothing else", () => {
    expect(spell("gw-1.test", Uint8Array.of(0b00000011, 1))).toBe("GW-1.tesT");
    expect(spell("gw.test", Uint8Array.of(0))).toBe("gw.test");
    expect(encodeQuery(QUERY, false).subarray(12).toString("latin1")).toContain("\x02gW\x04tEst\x00");
  });
});
