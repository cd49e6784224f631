/** Spoilt STUN, DNS answers, RTP, RTCP and bencoding: a value comes out, never an exception (see runs.ts). */
import { describe, expect, test } from "bun:test";
import { readReply } from "../../src/dns/wire.ts";
import type { Ben } from "../../src/media/bencode.ts";
import { DEPTH_MAX, decodeBen, encodeBen, listAt, mapAt, numberAt, textAt } from "../../src/media/bencode.ts";
import { staticPayloadTypes } from "../../src/media/codecs.ts";
import { RtcpLegs } from "../../src/media/rtcp-legs.ts";
import { headerLength, isRtp, payloadLength } from "../../src/media/rtp.ts";
import { RtpStream } from "../../src/media/rtp-stream.ts";
import { isStun, stunAnswer } from "../../src/transport/stun.ts";
import { a, cname, naptr, replyBytes, soa, srv } from "../dns/name-servers.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { again, attempt, LONG_MS, RUNS, SEED } from "./runs.ts";
import { ByteSpoiler } from "./spoil-bytes.ts";

const hex = (...words: readonly string[]): Buffer => Buffer.from(words.join("").replaceAll(" ", ""), "hex");

function fuzz(
  name: string,
  originals: readonly Buffer[],
  check: (bytes: Buffer) => void,
  seed: number,
): void {
  test(
    `${name} (${again})`,
    () => {
      const spoiler = new ByteSpoiler(new SeededDice(SEED + seed));
      for (let run = 0; run < RUNS; run++) {
        const bytes = spoiler.spoil(spoiler.pick(originals));
        attempt(bytes, () => check(bytes));
      }
      for (const bytes of originals)
        for (let end = 0; end <= bytes.length; end++) attempt(bytes, () => check(bytes.subarray(0, end)));
    },
    LONG_MS,
  );
}

const STUN = [
  hex("0001 0000 2112a442 000102030405060708090a0b"),
  hex("0001 0000 00000000 000102030405060708090a0b"),
  hex("0001 0008 2112a442 000102030405060708090a0b 8022 0004 61626364"),
  hex("0001 000c 2112a442 000102030405060708090a0b 7f01 0002 61620000 0003 0000"),
  hex("0001 0008 00000000 000102030405060708090a0b 0003 0004 00000006"),
  // RFC 5769 §2.1
  hex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36",
    "0006000965 76746a3a68367659 202020 0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf",
  ),
];

describe("RFC 8489 §6.3 spoilt STUN", () => {
  for (const [address, growth_max] of [
    ["192.0.2.1", 12],
    ["2001:db8::1", 24],
    ["fe80::1%eth0", 24],
  ] as const)
    fuzz(
      `from ${address}: no answer, or one that is STUN, for this request, and at most ${growth_max} bytes longer`,
      STUN,
      (bytes) => {
        const answer = stunAnswer(bytes, address, 40_000);
        if (answer === null) return;
        expect(isStun(bytes) && isStun(answer)).toBe(true);
        expect(answer.subarray(4, 20)).toEqual(bytes.subarray(4, 20));
        expect(answer.length - bytes.length).toBeLessThanOrEqual(growth_max);
      },
      1,
    );
});

const QUERY = { id: 0x1234, name: "gw.test", spelled: "gW.tEst", type: "SRV" } as const;
const asked = (type: "A" | "SRV" | "NAPTR") => ({ id: QUERY.id, questions: [{ name: QUERY.spelled, type }] });
const DNS = [
  replyBytes(asked("SRV"), {
    answers: [srv("gw.test", [10, 60, 5060, "a.gw.test"]), a("a.gw.test", "192.0.2.1")],
  }),
  replyBytes(asked("A"), {
    answers: [cname("gw.test", "b.test"), cname("b.test", "c.test"), a("c.test", "192.0.2.2")],
  }),
  replyBytes(asked("A"), { answers: [cname("gw.test", "b.test"), cname("b.test", "gw.test")] }),
  replyBytes(asked("NAPTR"), {
    answers: [
      naptr("gw.test", [10, 10, "SIP+D2U", "_sip._udp.gw.test"]),
      naptr("gw.test", [10, 20, "E2U+sip", "."], "u", "!^.*$!sip:\\1@x!"),
    ],
  }),
  replyBytes(asked("SRV"), { authorities: [soa("test", 60, 5)], rcode: 3 }),
  // A name that is a pointer to itself, and one of two that point at each other (RFC 1035 §4.1.4).
  hex("1234 8180 0001 0001 0000 0000 02 6757 04 74457374 00 0021 0001 c019 0021 0001 0000012c 0002 c019"),
  hex("1234 8180 0001 0001 0000 0000 c00e c00c 0021 0001 c00c 0021 0001 0000012c 0002 c00e"),
];
const KINDS = new Set(["reply", "ignored", "case", "truncated"]);

describe("RFC 1035 §4 spoilt DNS answers", () => {
  for (const type of ["SRV", "A", "NAPTR"] as const)
    fuzz(
      `to a question for ${type}: ignored, or an answer with a time to live that is one`,
      DNS,
      (bytes) => {
        const arrived = readReply(bytes, { ...QUERY, type });
        expect(KINDS.has(arrived.kind)).toBe(true);
        if (arrived.kind !== "reply" || arrived.reply.kind !== "records") return;
        const { ttl_s, records } = arrived.reply;
        expect(ttl_s >= 0 && ttl_s < 2 ** 31).toBe(true);
        expect(records.length).toBeGreaterThan(0);
      },
      2,
    );
});

const RTP = [
  hex("80 00 0001 00000000 00000001", "ff".repeat(160)),
  hex("90 60 0002 000000a0 00000001 bede 0001 10aa0000 ffff"),
  hex("a2 00 0003 00000140 00000001 00000002 00000003 ffffffff 00000004"),
];
const RTCP = [
  hex(
    "81 c8 000c 00000001 83aa7e80 00000000 000000a0 00000001 000000a0",
    "00000002 00 000000 00000001 00000000 7e800000 00010000",
  ),
  hex(
    "81 c9 0007 00000001 00000002 ff ffffff 00000001 00000000 7e800000 00010000",
    "81 ca 0003 00000001 01 03 616263 00 0000",
  ),
  hex("81 cb 0001 00000001 80 cf 0004 00000001 04 00 0002 83aa7e80 00000000"),
  hex(
    "80 cf 000b 00000001 05 00 0003 00000002 7e800000 00010000",
    "06 e0 0009 00000002 00000010",
    "00".repeat(28),
  ),
  hex("80 cf 000a 00000001 07 00 0008 00000002", "10".repeat(28)),
];

/** Every number in it, however deep. */
function* numbers(value: unknown): Iterable<number> {
  if (typeof value === "number") yield value;
  else if (typeof value === "object" && value !== null)
    for (const each of Object.values(value)) yield* numbers(each);
}

describe("RFC 3550 §5, §6 spoilt RTP and RTCP", () => {
  let now_ms = 0;
  const stream = new RtpStream(staticPayloadTypes());
  fuzz(
    "RTP: header and payload lie within the datagram, and a stream of it stays a matter of numbers",
    RTP,
    (bytes) => {
      stream.packet(bytes, now_ms++);
      for (const figure of numbers(stream.snapshot(now_ms))) expect(Number.isFinite(figure)).toBe(true);
      if (!isRtp(bytes)) return;
      expect(headerLength(bytes)).toBeLessThanOrEqual(bytes.length);
      const payload = payloadLength(bytes);
      expect(payload >= -1 && payload <= bytes.length - 12).toBe(true);
    },
    3,
  );

  const legs = new RtcpLegs();
  fuzz(
    "RTCP of both sides, in one call: each figure stays a number",
    [...RTCP, ...RTP],
    (bytes) => {
      now_ms += bytes.length % 50;
      legs.packet(bytes, bytes.length % 2 === 0 ? "caller" : "callee", now_ms);
      const shown = legs.snapshot();
      for (const figure of numbers(shown)) expect(Number.isFinite(figure)).toBe(true);
      expect(shown.caller.round_trip_ms ?? 0).toBeLessThanOrEqual(60_000);
    },
    4,
  );
});

const BEN = [
  { result: "ok", sdp: "v=0\r\n", totals: { rtp: { packets: 1, bytes: 160 } }, tags: [{ tag: "a" }, 1, -5] },
  { result: "pong" },
  { "error-reason": "Unknown call-id", warning: "", list: [[[["deep"]]], {}] },
].map(encodeBen);
BEN.push(
  Buffer.from(`${"l".repeat(100_000)}`),
  Buffer.from("d".repeat(DEPTH_MAX) + "e".repeat(DEPTH_MAX)),
  Buffer.from("99999999999999:a"),
  Buffer.from("i-0e"),
);

/** What was read, written again. */
const written = (value: Ben): string =>
  typeof value === "number"
    ? `i${value}e`
    : typeof value === "string"
      ? `${value.length}:${value}`
      : value instanceof Map
        ? `d${[...value].map(([key, each]) => written(key) + written(each)).join("")}e`
        : `l${(value as readonly Ben[]).map(written).join("")}e`;

describe("spoilt bencoding", () => {
  fuzz(
    "null, or a value that reads the same when it is written again",
    BEN.filter(({ length }) => length < 1000),
    (bytes) => {
      const value = decodeBen(bytes);
      if (value === null) return;
      const once = Buffer.from(written(value), "latin1");
      expect(decodeBen(once)).toEqual(value);
      const map = value instanceof Map ? value : null;
      expect([textAt(map, "result"), numberAt(map, "i"), mapAt(map, "totals")]).toHaveLength(3);
      expect(Array.isArray(listAt(map, "tags"))).toBe(true);
    },
    5,
  );

  test("as deep as a datagram is long: null", () => {
    for (const bytes of BEN) attempt(bytes.subarray(0, 100), () => void decodeBen(bytes));
    expect(decodeBen(Buffer.from("l".repeat(100_000)))).toBeNull();
  });
});
