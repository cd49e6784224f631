import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Frame } from "../../src/message/framing.ts";
import { FramingFault, StreamFramer } from "../../src/message/framing.ts";

const LIMITS = { header_bytes_max: 4096, message_bytes_max: 8192 };

const withLength = (field: string, body = ""): string =>
  `OPTIONS sip:a@b.test SIP/2.0\r\nVia: SIP/2.0/TCP h\r\n${field}\r\n\r\n${body}`;
const message = (body = ""): string => withLength(`Content-Length: ${body.length}`, body);

/** Everything that comes out when the segments are fed one after the other. */
function frames(segments: readonly (string | Buffer)[], limits = LIMITS): Frame[] {
  const framer = new StreamFramer(limits);
  const out: Frame[] = [];
  for (const segment of segments) {
    framer.feed(Buffer.from(segment));
    for (let frame = framer.next(); frame !== null; frame = framer.next()) {
      out.push(frame);
      if (frame instanceof FramingFault) return out;
    }
  }
  return out;
}

const shown = (all: readonly Frame[]): string[] =>
  all.map((frame) => (frame instanceof FramingFault ? `!${frame.code}` : String(frame)));
const read = (text: string, limits = LIMITS): string[] => shown(frames([text], limits));

describe("RFC 3261 §18.3 framing by Content-Length", () => {
  test("several messages in one segment", () => {
    const all = [message("v=0\r\n"), message(), message("\r\n\r\nxx\r\n")];
    expect(read(all.join(""))).toEqual(all);
  });

  test("a message split at every position comes out as it went in", () => {
    const text = message("v=0\r\n\r\n");
    for (let at = 0; at <= text.length; at++) {
      expect(shown(frames([text.slice(0, at), text.slice(at)]))).toEqual([text]);
    }
  });

  test("keep-alives and messages split at every position", () => {
    const text = `\r\n\r\n${message("body")}\r\n${message()}\r\n\r\n\r\n${message("x")}`;
    const whole = read(text);
    expect(whole).toEqual(["ping", message("body"), "pong", message(), "ping", "pong", message("x")]);
    for (let at = 0; at <= text.length; at++) {
      expect(shown(frames([text.slice(0, at), text.slice(at)]))).toEqual(whole);
    }
    expect(shown(frames([...text]))).toEqual(whole);
  });

  test("any cut of any stream gives the frames of the whole", () => {
    const part = fc.oneof(
      fc.string({ maxLength: 40 }).map((body) => message(body.replace(/[^\x20-\x7e]/g, "?"))),
      fc.constantFrom("\r\n", "\r\n\r\n", "\r", "\n", "l", withLength("l: 1", "x"), withLength("X: 1")),
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 6 }),
        fc.array(fc.nat(60), { maxLength: 12 }),
        (parts, cuts) => {
          const text = parts.join("");
          const segments: string[] = [];
          let at = 0;
          for (const cut of cuts) {
            segments.push(text.slice(at, at + cut));
            at += cut;
          }
          segments.push(text.slice(at));
          expect(shown(frames(segments))).toEqual(read(text));
        },
      ),
    );
  });

  test("a segment of exactly one message is handed out itself, not a copy", () => {
    const segment = Buffer.from(message("body"));
    const framer = new StreamFramer(LIMITS);
    framer.feed(segment);
    const frame = framer.next() as Buffer;
    expect(frame.buffer).toBe(segment.buffer);
    expect(frame.byteOffset).toBe(segment.byteOffset);
    expect(frame.length).toBe(segment.length);
    expect(framer.next()).toBeNull();
  });

  test("the segment that completes a message is not pinned by it", () => {
    const text = message("body");
    const framer = new StreamFramer(LIMITS);
    framer.feed(Buffer.from(text.slice(0, 10)));
    expect(framer.next()).toBeNull();
    expect(framer.partial).toBe(true);
    const rest = Buffer.from(text.slice(10) + message());
    framer.feed(rest);
    expect((framer.next() as Buffer).buffer).not.toBe(rest.buffer);
    expect((framer.next() as Buffer).buffer).toBe(rest.buffer);
    expect(framer.next()).toBeNull();
    expect(framer.partial).toBe(false);
  });

  test("single bytes: the work per byte does not grow with the message", () => {
    const limits = { header_bytes_max: 70_000, message_bytes_max: 2_000_000 };
    const perByte = (size: number): number => {
      const text = Buffer.from(
        withLength(`Subject: ${"s".repeat(size / 2)}\r\nl: ${size}`, "b".repeat(size)),
      );
      let copied = 0;
      const counted = new StreamFramer(limits);
      const copy = Buffer.prototype.copy;
      Buffer.prototype.copy = function (this: Buffer, target: Uint8Array, ...range: number[]) {
        const n = copy.call(this, target, ...range);
        copied += n;
        return n;
      };
      try {
        for (let i = 0; i < text.length; i++) {
          counted.feed(text.subarray(i, i + 1));
          if (i < text.length - 1) expect(counted.next()).toBeNull();
        }
        expect((counted.next() as Buffer).equals(text)).toBe(true);
      } finally {
        Buffer.prototype.copy = copy;
      }
      return copied / text.length;
    };
    expect(perByte(100)).toBeLessThan(4);
    expect(perByte(100_000)).toBeLessThan(4);
  });
});

describe("RFC 3261 §20.14 Content-Length", () => {
  const good: [string, string][] = [
    ["full form", "Content-Length: 3"],
    ["compact form", "l: 3"],
    ["compact form in capitals", "L:3"],
    ["any case", "cOnTeNt-LENGTH: 3"],
    ["white space around the colon", "Content-Length \t : \t 3"],
    ["white space behind", "Content-Length: 3 \t "],
    ["folded in front", "Content-Length:\r\n 3"],
    ["folded behind", "Content-Length: 3\r\n\t"],
    ["leading zeros", "Content-Length: 00000000003"],
    ["twice the same", "l: 3\r\nContent-Length: 3"],
    ["behind names that begin alike", "Content-Lengthy: 9\r\nLx: 8\r\nContent: 7\r\nContent-Length: 3"],
    ["not in a folded line of another field", "Subject: x\r\n Content-Length: 9\r\nl: 3"],
    ["not behind a bare LF", "Subject: x\nContent-Length: 9\r\nl: 3"],
    ["not behind a bare CR", "Subject: x\rContent-Length: 9\r\nl: 3"],
  ];
  for (const [name, field] of good) {
    test(name, () => {
      expect(read(`${withLength(field, "abc")}${message()}`)).toEqual([withLength(field, "abc"), message()]);
    });
  }

  const bad: [string, string, string][] = [
    ["absent", "Subject: x", "content_length_missing"],
    ["empty", "Content-Length:", "content_length"],
    ["negative", "Content-Length: -1", "content_length"],
    ["signed", "Content-Length: +1", "content_length"],
    ["hexadecimal", "Content-Length: 0x1", "content_length"],
    ["two numbers in one field", "Content-Length: 1 2", "content_length"],
    ["a list", "Content-Length: 3, 3", "content_length"],
    ["two numbers over a fold", "Content-Length: 1\r\n 2", "content_length"],
    ["two that differ", "Content-Length: 3\r\nl: 4", "content_length_twice"],
    ["too large", "Content-Length: 9000", "message_bytes_max"],
    ["larger than any number", `Content-Length: ${"9".repeat(400)}`, "message_bytes_max"],
  ];
  for (const [name, field, code] of bad) {
    test(`${name}: broken, ${code}`, () => {
      const [fault] = frames([withLength(field, "abc")]);
      expect(fault).toBeInstanceOf(FramingFault);
      expect((fault as FramingFault).code).toBe(code);
      expect((fault as FramingFault).head.toString()).toBe(withLength(field));
      for (let at = 1; at < withLength(field).length; at++) {
        const text = withLength(field, "abc");
        expect(shown(frames([text.slice(0, at), text.slice(at)]))).toEqual([`!${code}`]);
      }
    });
  }

  test("a start line is no header field", () => {
    expect(read("l: 0\r\n\r\n")).toEqual(["!content_length_missing"]);
  });
});

describe("framing bounds", () => {
  const limits = { header_bytes_max: 200, message_bytes_max: 300 };
  const long = `OPTIONS sip:a SIP/2.0\r\nSubject: ${"x".repeat(300)}`;

  test("headers beyond the bound: broken with what was read, in one segment or many", () => {
    for (const segments of [
      [long],
      [`${long}\r\nl: 0\r\n\r\n`],
      [...long],
      [long.slice(0, 150), long.slice(150)],
    ]) {
      const [fault] = frames(segments, limits);
      expect((fault as FramingFault).code).toBe("header_bytes_max");
      expect((fault as FramingFault).head.toString().startsWith(long.slice(0, 200))).toBe(true);
    }
  });

  test("headers and body together beyond the bound: broken at the headers", () => {
    expect(read(withLength("l: 290"), limits)).toEqual(["!message_bytes_max"]);
    const fits = 300 - withLength("l: 200").length;
    expect(read(withLength(`l: ${fits}`, "y".repeat(fits)), limits)).toHaveLength(1);
  });

  test("a large Content-Length alone reserves no memory", () => {
    const framer = new StreamFramer({ header_bytes_max: 200, message_bytes_max: 2 ** 31 });
    const allocate = Buffer.allocUnsafeSlow;
    const sizes: number[] = [];
    Buffer.allocUnsafeSlow = (size) => {
      sizes.push(size);
      return allocate(size);
    };
    try {
      framer.feed(Buffer.from(withLength("l: 2000000000")));
      expect(framer.next()).toBeNull();
    } finally {
      Buffer.allocUnsafeSlow = allocate;
    }
    expect(framer.partial).toBe(true);
    expect(sizes).toEqual([512]);
  });

  test("a fault stays: nothing behind it is read", () => {
    const framer = new StreamFramer(LIMITS);
    framer.feed(Buffer.from(withLength("X: 1") + message()));
    const fault = framer.next();
    expect(fault).toBeInstanceOf(FramingFault);
    expect(framer.next()).toBe(fault);
    framer.feed(Buffer.from(message()));
    expect(framer.next()).toBe(fault);
  });
});

describe("RFC 5626 §3.5.1 CRLF keep-alive", () => {
  test("a double CRLF is a ping, whatever way it is cut", () => {
    expect(read("\r\n\r\n")).toEqual(["ping"]);
    expect(shown(frames(["\r", "\n", "\r", "\n"]))).toEqual(["ping"]);
    expect(shown(frames(["\r\n", "\r\n"]))).toEqual(["ping"]);
  });

  test("a single CRLF in front of a message is a pong", () => {
    expect(read(`\r\n${message()}`)).toEqual(["pong", message()]);
    expect(shown(frames(["\r", `\n${message()}`]))).toEqual(["pong", message()]);
  });

  test("a CR that begins no CRLF breaks the stream", () => {
    expect(read(`\r${message()}`)).toEqual(["!bare_cr"]);
    expect(shown(frames(["\r", message()]))).toEqual(["!bare_cr"]);
  });
});
