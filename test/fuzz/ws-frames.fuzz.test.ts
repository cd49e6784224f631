/**
 * Spoilt WebSocket frames (RFC 6455 §5.2) on a real socket: they cost their own connection at most. FUZZ_RUNS=n for a
 * longer run, FUZZ_SEED=n to repeat one: the seed stands in the name of the test.
 */
import { describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { SeededDice } from "../support/seeded-dice.ts";
import { Rig, sip, TCP, TcpPeer, UDP, until } from "../transport/rig.ts";

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
/** Connections, each with a burst of frames. */
const RUNS = Math.ceil(Number(process.env.FUZZ_RUNS ?? 3000) / 10);
const FRAMES_MAX = 12;
const LONG_MS = 3_600_000;
const HOST = "127.0.0.1";
const UPGRADE =
  `GET / HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n`;
const TEXT = 1;

interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly isLast?: boolean;
  readonly isMasked?: boolean;
  readonly reserved?: number;
  /** What the header says, whatever the payload is. */
  readonly length?: number;
  /** 0: the length in the header itself, 1: in two bytes behind it, 2: in eight. */
  readonly form?: number;
}

/** A frame as a client sends it, and as it must not. */
function frame({ opcode, payload, isLast = true, isMasked = true, reserved = 0, ...more }: Frame): Buffer {
  const { length = payload.length } = more;
  const form = more.form ?? (length < 126 ? 0 : length < 65_536 ? 1 : 2);
  const mask = isMasked ? 0x80 : 0;
  const head = [(isLast ? 0x80 : 0) | (reserved << 4) | opcode, mask | [length & 127, 126, 127][form]!];
  const long = Buffer.alloc([0, 2, 8][form]!);
  if (form === 1) long.writeUInt16BE(length & 0xffff);
  if (form === 2) long.writeBigUInt64BE(BigInt(length));
  const key = isMasked ? Buffer.from([1, 2, 3, 4]) : Buffer.alloc(0);
  const body = Buffer.from(payload.map((byte, index) => (isMasked ? byte ^ key[index % 4]! : byte)));
  return Buffer.concat([Buffer.from(head), long, key, body]);
}

/** Frames of which most could be right. */
class Spoiler {
  readonly #dice: SeededDice;

  constructor(dice: SeededDice) {
    this.#dice = dice;
  }

  below(bound: number): number {
    return Math.floor(this.#dice.fraction() * bound);
  }

  #one<T>(...of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  #payload(): Buffer {
    const size = this.#one(0, 1, 4, 125, 126, 1000, TCP.message_bytes_max, TCP.message_bytes_max + 1);
    return this.#one(
      () => Buffer.from(sip("in a frame")),
      () => Buffer.from("\r\n\r\n"),
      () => Buffer.from(this.#dice.bytes(Math.min(size, 1000))),
      () => Buffer.alloc(size, 0x41),
      () => Buffer.from([0xc3, 0x28, 0xff]),
    )();
  }

  #good(): Frame {
    return { opcode: this.#one(TEXT, TEXT, 2, 0, 8, 9, 10), payload: this.#payload() };
  }

  next(): Buffer {
    const good = this.#good();
    const spoilt = this.#one<() => Frame>(
      () => good,
      () => good,
      () => ({ ...good, isLast: false }),
      () => ({ ...good, isMasked: false }),
      () => ({ ...good, reserved: 1 + this.below(7) }),
      () => ({ ...good, opcode: this.below(16) }),
      () => ({ ...good, form: this.below(3) }),
      () => ({ ...good, length: this.#one(0, 125, 65_535, 2 ** 31, 2 ** 40, 2 ** 53 - 1), form: 2 }),
    )();
    const bytes = frame(spoilt);
    if (this.below(4) === 0 && bytes.length > 0)
      bytes[this.below(Math.min(bytes.length, 14))] = this.below(256);
    return this.below(6) === 0 ? bytes.subarray(0, this.below(bytes.length)) : bytes;
  }
}

/** A raw client whose WebSocket is open. */
async function upgraded(rig: Rig): Promise<TcpPeer> {
  const peer = await TcpPeer.to(rig.endpoint("ws"));
  peer.write(UPGRADE);
  await until(() => peer.text.includes("\r\n\r\n") || peer.closed);
  expect(peer.text).toStartWith("HTTP/1.1 101 ");
  return peer;
}

describe("RFC 6455 §5.2, RFC 7118 §5 spoilt frames", () => {
  test(
    `${RUNS} connections with spoilt frames: a good one beside them goes on (FUZZ_SEED=${SEED})`,
    async () => {
      const rig = new Rig();
      expect(await rig.transports.listen([{ transport: "ws", address: HOST, port: 0 }], TCP, UDP)).toEqual(
        [],
      );
      const spoiler = new Spoiler(new SeededDice(SEED));
      const good = await upgraded(rig);
      let asked = 0;
      rig.receiver.onMessage = (text, flow) => {
        if (text.includes("is it there")) flow.send(Buffer.from(sip("it is")));
      };
      const ask = async (): Promise<void> => {
        asked++;
        good.socket.write(frame({ opcode: TEXT, payload: Buffer.from(sip("is it there")) }));
        await until(() => good.text.split("it is").length === asked + 1);
      };
      for (let run = 0; run < RUNS; run++) {
        const peer = await upgraded(rig);
        const frames = Array.from({ length: 1 + spoiler.below(FRAMES_MAX) }, () => spoiler.next());
        if (spoiler.below(2) === 0) peer.socket.write(Buffer.concat(frames));
        else for (const each of frames) peer.socket.write(each);
        await ask();
        peer.socket.destroy();
      }
      await ask();
      expect(good.closed).toBe(false);
      await until(() => rig.metric("tcp_connections") === 1);
      for (const { text } of rig.receiver.messages)
        expect(text.length).toBeLessThanOrEqual(TCP.message_bytes_max);
      expect(rig.metric("receiver_faults_total")).toBe(0);
      rig.transports.close();
      good.socket.destroy();
    },
    process.env.FUZZ_RUNS === undefined ? 60_000 : LONG_MS,
  );

  test("a message in pieces is one message; pings between them are answered", async () => {
    const rig = new Rig();
    expect(await rig.transports.listen([{ transport: "ws", address: HOST, port: 0 }], TCP, UDP)).toEqual([]);
    const peer = await upgraded(rig);
    const text = sip("in pieces");
    const pieces = [text.slice(0, 10), text.slice(10, 20), text.slice(20)];
    for (const [index, piece] of pieces.entries()) {
      const payload = Buffer.from(piece);
      peer.socket.write(frame({ opcode: index === 0 ? TEXT : 0, payload, isLast: index === 2 }));
      peer.socket.write(frame({ opcode: 9, payload: Buffer.from("?") }));
    }
    await until(() => rig.receiver.messages.length === 1 && peer.text.endsWith("?"));
    expect(rig.receiver.messages[0]!.text).toBe(text);
    rig.transports.close();
    await until(() => peer.closed || peer.ended);
    peer.socket.destroy();
  });
});
