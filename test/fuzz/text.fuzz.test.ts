/** Spoilt streams, session descriptions and configurations (see runs.ts): a value or an error that says where. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../src/config/load.ts";
import { Edits } from "../../src/message/edits.ts";
import type { Frame } from "../../src/message/framing.ts";
import { FramingFault, StreamFramer } from "../../src/message/framing.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { Sdp } from "../../src/message/sdp.ts";
import { readSdp } from "../../src/message/sdp.ts";
import type { SdpPlan } from "../../src/message/sdp-edit.ts";
import { rewriteSdp } from "../../src/message/sdp-edit.ts";
import { SAMPLES } from "../message/sdp-samples.ts";
import { CORPUS } from "../rfc/4475/corpus.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { Mutator } from "./mutate.ts";
import { again, attempt, LONG_MS, RUNS, SEED } from "./runs.ts";
import { ByteSpoiler } from "./spoil-bytes.ts";
import { TomlSpoiler } from "./spoil-toml.ts";

const LIMITS = { header_bytes_max: 2048, message_bytes_max: 8192 };
/** Beyond its bounds a stream has ended anyhow; some spoilt ones have many MB. */
const STREAM_BYTES_MAX = 40_000;
const framed = (text: string) => Buffer.from(text, "latin1");

/** What comes out of a stream that arrives in these pieces. */
function frames(pieces: readonly Buffer[]): Frame[] {
  const framer = new StreamFramer(LIMITS);
  const out: Frame[] = [];
  for (const piece of pieces) {
    framer.feed(piece);
    for (let frame = framer.next(); frame !== null; frame = framer.next()) {
      out.push(frame);
      if (frame instanceof FramingFault) return out;
    }
  }
  return out;
}

/** Messages and the fault, as text. Keep-alives at a cut may still wait for what comes next. */
const shown = (all: readonly Frame[]): string[] =>
  all
    .filter((frame) => typeof frame !== "string")
    .map((frame) => (frame instanceof FramingFault ? `!${frame.code}` : String(frame?.toString("latin1"))));

/** The stream cut into pieces of up to so many bytes. */
function cut(stream: Buffer, bytes_max: number, dice: ByteSpoiler): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + dice.below(bytes_max);
    pieces.push(stream.subarray(at, end));
    at = end;
  }
  return pieces;
}

describe("RFC 3261 §18.3 spoilt streams", () => {
  const originals = [...CORPUS.values()].map((bytes) => bytes.toString("latin1"));

  test(
    `however a stream is cut into segments, the same messages come out, in order and within the bounds (${again})`,
    () => {
      const dice = new SeededDice(SEED);
      const mutator = new Mutator(dice, originals);
      const spoiler = new ByteSpoiler(dice);
      for (let run = 0; run < RUNS / 6; run++) {
        const texts = [
          mutator.pick(originals),
          mutator.spoil(mutator.pick(originals)),
          mutator.pick(originals),
        ];
        const stream = framed(texts.join(mutator.pick(["", "\r\n", "\r\n\r\n", "\r", "\n", "\0"]))).subarray(
          0,
          STREAM_BYTES_MAX,
        );
        attempt(stream, () => {
          const whole = shown(frames([stream]));
          for (const bytes_max of [1, 3, 100, 1500])
            expect(shown(frames(cut(stream, bytes_max, spoiler)))).toEqual(whole);
          let at = 0;
          for (const message of whole.filter((text) => !text.startsWith("!"))) {
            expect(message.length).toBeLessThanOrEqual(LIMITS.message_bytes_max);
            at = stream.indexOf(framed(message), at) + message.length;
            expect(at).toBeGreaterThanOrEqual(message.length);
          }
        });
      }
    },
    LONG_MS,
  );
});

const PLAN = { address: "203.0.113.5", port: 30_000, rtcpPort: 30_003 };
const edits = new Edits();

/** Everything that reads a description. */
function readAll(sdp: Sdp): void {
  expect([sdp.origin, sdp.isMarked, sdp.bundles]).toHaveLength(3);
  for (const media of sdp.media) {
    expect(media.port >= 0 && media.port <= 65_535).toBe(true);
    expect(media.rtcpPort >= 0 && media.rtcpPort <= 65_535).toBe(true);
    expect([media.kind, media.direction, media.isHeld, media.isTrickling, media.payloads]).toHaveLength(5);
    for (const { type } of media.payloads) expect(type >= 0 && type < 128).toBe(true);
  }
}

describe("RFC 8866 spoilt session descriptions", () => {
  const originals = SAMPLES.map(({ text }) => text);

  test(
    `an error with its place, or a description; with every stream moved to us once, it reads so again (${again})`,
    () => {
      const mutator = new Mutator(new SeededDice(SEED + 1), originals);
      for (let run = 0; run < RUNS; run++) {
        const text = mutator.spoil(mutator.pick(originals));
        attempt(text, () => {
          const bytes = framed(text);
          const sdp = readSdp(bytes, 0, bytes.length);
          if (sdp instanceof ParseError) {
            expect(sdp.offset >= 0 && sdp.offset <= bytes.length).toBe(true);
            return;
          }
          readAll(sdp);
          const plan: SdpPlan = {
            media: sdp.media.map(() => PLAN),
            ice: "strip",
            originAddress: PLAN.address,
            codecs: { remove: ["g729", "opus"], prefer: ["pcma"] },
            isMarked: true,
          };
          const { growth } = rewriteSdp(edits, sdp, plan);
          const moved = edits.apply(bytes, 0, bytes.length);
          expect(moved.length).toBe(bytes.length + growth);
          const again = readSdp(moved, 0, moved.length);
          if (again instanceof ParseError) {
            expect(again.code).toEndWith("_max");
            return;
          }
          expect(again.isMarked).toBe(true);
          expect(again.media.map(({ port }) => port)).toEqual(
            sdp.media.map(({ port }) => (port === 0 ? 0 : PLAN.port)),
          );
          for (const { port, connection } of again.media) {
            const isHeld = connection?.isUnspecified === true; // on hold in the old way, which stays
            if (port !== 0 && !isHeld) expect(connection?.address).toBe(PLAN.address);
          }
        });
      }
    },
    LONG_MS,
  );
});

describe("spoilt configurations", () => {
  const example = readFileSync(join(import.meta.dir, "../../config/sipedge.toml"), "utf8");
  const PASSWORD = "planted-Passw0rd";
  const places = {
    readFile: () => PASSWORD,
    readVariable: () => PASSWORD,
  };

  test(
    `TOML of any kind: a config, or a list of errors that have a place and no secret (${again})`,
    () => {
      const spoiler = new TomlSpoiler(new SeededDice(SEED + 2), example, PASSWORD);
      for (let run = 0; run < RUNS / 8; run++) {
        const text = spoiler.next();
        attempt(text, () => {
          const parsed = parseConfig(text, places);
          if ("config" in parsed) return void expect(parsed.config.config_version).toBe(1);
          expect(parsed.errors.length).toBeGreaterThan(0);
          const lines = text.split("\n").length;
          for (const error of parsed.errors) {
            expect(error.line === null || (error.line >= 1 && error.line <= lines + 1)).toBe(true);
            expect(JSON.stringify(error)).not.toContain(PASSWORD);
          }
        });
      }
    },
    LONG_MS,
  );
});
