import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Edits } from "../../src/message/edits.ts";
import type { Sdp, SdpMedia } from "../../src/message/sdp.ts";
import type { MediaPlan, SdpPlan } from "../../src/message/sdp-edit.ts";
import { rewriteSdp } from "../../src/message/sdp-edit.ts";
import { L } from "../../src/message/sdp-lines.ts";
import { CHROME, CISCO, crlf, SAMPLES, sdpOf, streamsOf, YEALINK } from "./sdp-samples.ts";

const edits = new Edits();
const NOTHING: SdpPlan = { media: [], ice: "keep", originAddress: null, codecs: null, isMarked: false };
const EDGE: MediaPlan = { address: "203.0.113.5", port: 30000, rtcpPort: null };
const EDGE6: MediaPlan = { address: "2001:db8::e", port: 30000, rtcpPort: null };

function rewrite(text: string, plan: Partial<SdpPlan>) {
  const sdp = sdpOf(text);
  const outcome = rewriteSdp(edits, sdp, { ...NOTHING, ...plan });
  const out = edits.apply(sdp.lines.bytes, 0, text.length).latin1Slice();
  expect(out.length - text.length).toBe(outcome.growth);
  return { ...outcome, out };
}
const rewritten = (text: string, plan: Partial<SdpPlan>): string => rewrite(text, plan).out;

/** Lines that are in one text only, as `-line` and `+line`. */
function diff(before: string, after: string): string[] {
  const [old, now] = [before.split(/\r?\n/), after.split(/\r?\n/)];
  const rest = [...now];
  const gone = old.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return [...gone.map((line) => `-${line}`), ...rest.map((line) => `+${line}`)];
}
const changes = (text: string, plan: Partial<SdpPlan>) => diff(text, rewritten(text, plan));

const SESSION = crlf("v=0", "o=- 1 1 IN IP4 10.0.0.1", "s=-", "c=IN IP4 10.0.0.1", "t=0 0");
const AUDIO = `${SESSION}${crlf("m=audio 5004 RTP/AVP 0 8", "a=x-unknown: kept ")}`;
const VIDEO = crlf("m=video 5006 RTP/AVP 34", "i=the camera", "a=x:1");

describe("SIP-45, NAT-12, NH-20 only c=, the port and a=rtcp change", () => {
  test("c= of the session", () =>
    expect(changes(YEALINK, { media: [EDGE] })).toEqual([
      "-c=IN IP4 192.168.0.22",
      "-m=audio 11780 RTP/AVP 9 0 8 18 101",
      "+c=IN IP4 203.0.113.5",
      "+m=audio 30000 RTP/AVP 9 0 8 18 101",
    ]));
  test("c= of the stream", () =>
    expect(changes(CISCO, { media: [EDGE] })).toEqual([
      "-m=audio 24576 RTP/AVP 114 9 0 8 116 18 101",
      "-c=IN IP4 10.1.1.5",
      "+m=audio 30000 RTP/AVP 114 9 0 8 116 18 101",
      "+c=IN IP4 203.0.113.5",
    ]));
  test("c= of both: the session's says the same, so that no private address leaves", () =>
    expect(changes(`${AUDIO}c=IN IP4 10.0.0.9\r\n`, { media: [EDGE] })).toEqual([
      "-c=IN IP4 10.0.0.1",
      "-m=audio 5004 RTP/AVP 0 8",
      "-c=IN IP4 10.0.0.9",
      "+c=IN IP4 203.0.113.5",
      "+m=audio 30000 RTP/AVP 0 8",
      "+c=IN IP4 203.0.113.5",
    ]));
  test("c= of both, and the stream stays where it is: so does the session's", () => {
    const text = `${AUDIO}c=IN IP4 10.0.0.9\r\n`;
    expect(rewritten(text, { media: [{ address: "10.0.0.9", port: 5004, rtcpPort: null }] })).toBe(text);
  });
  test("several c= of one stream all change, with their TTL", () =>
    expect(
      changes(`${AUDIO}c=IN IP4 224.2.1.1/127\r\nc=IN IP4 224.2.1.2/127\r\n`, { media: [EDGE] }).filter(
        (line) => line.includes("224"),
      ),
    ).toEqual(["-c=IN IP4 224.2.1.1/127", "-c=IN IP4 224.2.1.2/127"]));
  test("no c= at all: the stream gets one, behind i=", () =>
    expect(rewritten(crlf("v=0", "m=video 5006 RTP/AVP 34", "i=cam", "a=x"), { media: [EDGE] })).toBe(
      crlf("v=0", "m=video 30000 RTP/AVP 34", "i=cam", "c=IN IP4 203.0.113.5", "a=x"),
    ));
  test("blanks between the words stay where they are", () =>
    expect(
      changes("v=0\nc = IN  IP4   10.9.8.7 \nm=audio  5004   RTP/AVP   0\n", { media: [EDGE6] }),
    ).toEqual([
      "-c = IN  IP4   10.9.8.7 ",
      "-m=audio  5004   RTP/AVP   0",
      "+c = IN  IP6   2001:db8::e ",
      "+m=audio  30000   RTP/AVP   0",
    ]));
  test("NH-17 the old address is nowhere in it", () => {
    const out = rewritten(AUDIO, { media: [EDGE], originAddress: "203.0.113.5" });
    expect(out).not.toContain("10.0.0.1");
    expect(out).not.toContain("oldmediaip");
  });
  test("of several ports the one of the relay remains", () =>
    expect(rewritten(`${SESSION}m=audio 5004/2 RTP/AVP 0\r\n`, { media: [EDGE] })).toContain(
      "m=audio 30000 RTP/AVP 0\r\n",
    ));
  test("FLOW-12 the next description of the call is changed in the same places", () => {
    const moved = AUDIO.replaceAll("10.0.0.1", "10.0.7.1").replace("o=- 1 1", "o=- 1 2");
    expect(diff(rewritten(AUDIO, { media: [EDGE] }), rewritten(moved, { media: [EDGE] }))).toEqual([
      "-o=- 1 1 IN IP4 10.0.0.1",
      "+o=- 1 2 IN IP4 10.0.7.1",
    ]);
  });
});

describe("NAT-12 several streams", () => {
  const second = { ...EDGE, port: 30002 };
  test("each has its own port and all the address of the session", () =>
    expect(changes(AUDIO + VIDEO, { media: [EDGE, second] })).toEqual([
      "-c=IN IP4 10.0.0.1",
      "-m=audio 5004 RTP/AVP 0 8",
      "-m=video 5006 RTP/AVP 34",
      "+c=IN IP4 203.0.113.5",
      "+m=audio 30000 RTP/AVP 0 8",
      "+m=video 30002 RTP/AVP 34",
    ]));
  test("one that is not relayed keeps the session's address in a c= of its own", () =>
    expect(rewritten(AUDIO + VIDEO, { media: [EDGE, null] })).toEndWith(
      crlf("m=video 5006 RTP/AVP 34", "i=the camera", "c=IN IP4 10.0.0.1", "a=x:1"),
    ));
  test("one of another address gets a c= of its own", () =>
    expect(rewritten(AUDIO + VIDEO, { media: [EDGE, { ...second, address: "2001:db8::e" }] })).toEndWith(
      crlf("m=video 30002 RTP/AVP 34", "i=the camera", "c=IN IP6 2001:db8::e", "a=x:1"),
    ));
  test("a stream behind the end of the plan stays as it came", () =>
    expect(rewritten(AUDIO + VIDEO, { media: [EDGE] })).toBe(
      rewritten(AUDIO + VIDEO, { media: [EDGE, null] }),
    ));
  test("a c= goes behind the very last line, though that has no end", () =>
    expect(rewritten(`${AUDIO}m=video 5006 RTP/AVP 34`, { media: [EDGE] })).toEndWith(
      "m=video 5006 RTP/AVP 34\r\nc=IN IP4 10.0.0.1",
    ));
});

describe("NAT-12, B-58 a=rtcp", () => {
  const withRtcp = (value: string, rtcpPort: number | null, more = "") =>
    rewritten(`${AUDIO}a=rtcp:${value}\r\n${more}`, { media: [{ ...EDGE, rtcpPort }] })
      .split("\r\n")
      .filter((line) => line.startsWith("a=rtcp:"));

  for (const [name, value, rtcpPort, expected] of [
    ["port only", "5055", null, "30001"],
    ["port only, RTCP elsewhere", "5055", 40000, "40000"],
    ["with leading zeros", "05055", 40000, "40000"],
    ["address and port", "5055 IN IP4 10.0.0.8", 40000, "40000 IN IP4 203.0.113.5"],
    ["port already right", "30001 IN IP6 fd00::1", null, "30001 IN IP4 203.0.113.5"],
    ["nonsense", "nowhere", null, "30001"],
  ] as const)
    test(name, () => expect(withRtcp(value, rtcpPort)).toEqual([`a=rtcp:${expected}`]));

  test("muxed: both on one port", () =>
    expect(withRtcp("9 IN IP4 0.0.0.0", 30000, "a=rtcp-mux\r\n")).toEqual([
      "a=rtcp:30000 IN IP4 203.0.113.5",
    ]));

  const plan = (rtcpPort: number | null) => ({ media: [{ ...EDGE, rtcpPort }] });
  const rtcpLines = (text: string, rtcpPort: number | null) =>
    rewritten(text, plan(rtcpPort)).match(/^a=rtcp:.*$/gm) ?? [];
  test("none: put in only when RTCP is not on the port above", () => {
    expect(rtcpLines(AUDIO, null)).toEqual([]);
    expect(rtcpLines(AUDIO, 30001)).toEqual([]);
    expect(rtcpLines(AUDIO, 30777)).toEqual(["a=rtcp:30777"]);
  });
  test("of a rejected stream it stays", () => {
    const closed = `${SESSION}m=audio 0 RTP/AVP 0\r\na=rtcp:5055 IN IP4 10.0.0.8\r\n`;
    expect(rewritten(closed, plan(40000))).toBe(closed);
  });
  test("none and muxed: nothing is put in", () =>
    expect(rtcpLines(`${AUDIO}a=rtcp-mux\r\n`, 30000)).toEqual([]));
  test("a stream that is no RTP gets none", () =>
    expect(rtcpLines(`${SESSION}m=image 5004 udptl t38\r\n`, 30777)).toEqual([]));
  test("a=rtcp-fb, a=rtcp-xr and a=rtcp-mux are other lines", () => {
    const text = `${AUDIO}a=rtcp-fb:* nack\r\na=rtcp-xr:voip-metrics\r\na=rtcp-mux\r\n`;
    expect(rewritten(text, { media: [EDGE] })).toEndWith(text.slice(AUDIO.length));
  });
});

describe("NAT-23 ICE stripped", () => {
  const stripped = SAMPLES.map(({ name, text }) => ({
    name,
    out: rewritten(text, { media: sdpOf(text).media.map(() => EDGE), ice: "strip" }),
  }));
  for (const { name, out } of stripped)
    test(`${name}: no candidate, no word of ICE, no a=ice-mismatch`, () => {
      expect(out).not.toMatch(/^a=(ice-|candidate|remote-candidates|end-of-candidates)/m);
      expect(sdpOf(out).media.some(({ hasIce }) => hasIce)).toBe(false);
    });
  test("all else of a browser's offer stays", () =>
    expect(
      changes(CHROME, {
        media: [
          { ...EDGE, rtcpPort: 30000 },
          { ...EDGE, rtcpPort: 30000 },
        ],
        ice: "strip",
      }).filter((line) => !/^-a=(ice-|candidate)/.test(line)),
    ).toEqual([
      "-m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
      "-c=IN IP4 0.0.0.0",
      "-a=rtcp:9 IN IP4 0.0.0.0",
      "-m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103",
      "-c=IN IP4 0.0.0.0",
      "-a=rtcp:9 IN IP4 0.0.0.0",
      "+m=audio 30000 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
      "+c=IN IP4 203.0.113.5",
      "+a=rtcp:30000 IN IP4 203.0.113.5",
      "+m=video 30000 UDP/TLS/RTP/SAVPF 96 97 102 103",
      "+c=IN IP4 203.0.113.5",
      "+a=rtcp:30000 IN IP4 203.0.113.5",
    ]));
  test("a stream that is not relayed keeps its own, and the session's with it", () => {
    const ice = crlf("a=ice-ufrag:x", "a=candidate:1 1 UDP 1 10.0.0.1 5006 typ host");
    const text = SESSION + crlf("a=ice-pwd:y") + crlf("m=audio 5004 RTP/AVP 0") + ice + VIDEO + ice;
    const out = rewritten(text, { media: [EDGE, null], ice: "strip" });
    expect(out).toContain("a=ice-pwd:y\r\n");
    expect(out.match(/a=candidate/g)).toHaveLength(1);
    expect(out).toEndWith(ice);
  });
  test("not asked for: every line of it stays", () =>
    expect(rewritten(CHROME, { media: [EDGE] }).match(/^a=(ice-|candidate)/gm)).toEqual(
      CHROME.match(/^a=(ice-|candidate)/gm),
    ));
  test("a last line without its end is taken out too, and what is put in stands alone", () => {
    const text = `${AUDIO}a=candidate:1 1 UDP 1 10.0.0.1 5004 typ host`;
    const plan = { media: [{ ...EDGE, rtcpPort: 7 }], ice: "strip" as const, isMarked: true };
    expect(rewritten(text, plan)).toEndWith("a=x-unknown: kept \r\na=rtcp:7\r\na=nortpproxy:yes\r\n");
  });
  test("as many candidates between other lines as a description holds are no more than one edit", () => {
    const text = `v=0\n${"a=candidate:1\na=x\n".repeat(1000)}m=audio 5 RTP/AVP 0\n`;
    expect(rewritten(text, { media: [EDGE], ice: "strip" })).not.toContain("candidate");
  });
});

describe("ARC-13 IPv4 and IPv6", () => {
  test("the family of c= follows the address, that of o= stays", () =>
    expect(changes(AUDIO, { media: [EDGE6] })).toEqual([
      "-c=IN IP4 10.0.0.1",
      "-m=audio 5004 RTP/AVP 0 8",
      "+c=IN IP6 2001:db8::e",
      "+m=audio 30000 RTP/AVP 0 8",
    ]));
  test("and back", () =>
    expect(rewritten(AUDIO.replace("c=IN IP4 10.0.0.1", "c=IN IP6 fd00::1"), { media: [EDGE] })).toContain(
      "c=IN IP4 203.0.113.5\r\n",
    ));
});

describe("NH-20 o= changes only when asked", () => {
  test("address and family; session id and version stay", () =>
    expect(changes(AUDIO, { originAddress: "2001:db8::e" })).toEqual([
      "-o=- 1 1 IN IP4 10.0.0.1",
      "+o=- 1 1 IN IP6 2001:db8::e",
    ]));
  test("a user name with blanks stays", () =>
    expect(rewritten("v=0\r\no=Cheap Gateway 1 2 IN IP4 10.0.0.1\r\n", { originAddress: "192.0.2.1" })).toBe(
      "v=0\r\no=Cheap Gateway 1 2 IN IP4 192.0.2.1\r\n",
    ));
  test("one that cannot be understood stays", () =>
    expect(rewritten("v=0\r\no=10.0.0.1\r\n", { originAddress: "192.0.2.1" })).toBe("v=0\r\no=10.0.0.1\r\n"));
});

describe("NH-14 the marker", () => {
  test("is put at the end, once", () => {
    const once = rewritten(AUDIO, { isMarked: true });
    expect(once).toBe(`${AUDIO}a=nortpproxy:yes\r\n`);
    expect(sdpOf(once).isMarked).toBe(true);
    expect(rewritten(once, { isMarked: true })).toBe(once);
  });
  test("ends as the other lines do", () => {
    expect(rewritten("v=0\ns=-\n", { isMarked: true })).toBe("v=0\ns=-\na=nortpproxy:yes\n");
    expect(rewritten("v=0\ns=-", { isMarked: true })).toBe("v=0\ns=-\na=nortpproxy:yes");
  });
});

describe("CNV-09, B-57 codecs", () => {
  const rule = (remove: string[], prefer: string[] = []) => ({ codecs: { remove, prefer } });

  test("one taken out goes with its a=rtpmap, a=fmtp and a=rtcp-fb", () => {
    const { out, removed } = rewrite(CISCO, rule(["g729"]));
    expect(diff(CISCO, out)).toEqual([
      "-m=audio 24576 RTP/AVP 114 9 0 8 116 18 101",
      "-a=rtpmap:18 G729/8000",
      "-a=fmtp:18 annexb=no",
      "+m=audio 24576 RTP/AVP 114 9 0 8 116 101",
    ]);
    expect(removed).toEqual([{ media: 0, type: 18, name: "G729" }]);
  });
  test("retransmission and redundancy of it go along; feedback for all stays", () => {
    const { out, removed } = rewrite(CHROME, rule(["vp8", "opus"]));
    expect(removed.map(({ media, name }) => `${media} ${name}`)).toEqual([
      "0 opus",
      "0 red",
      "1 VP8",
      "1 rtx",
    ]);
    expect(diff(CHROME, out)).toEqual([
      "-m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
      "-a=rtpmap:111 opus/48000/2",
      "-a=rtcp-fb:111 transport-cc",
      "-a=fmtp:111 minptime=10;useinbandfec=1",
      "-a=rtpmap:63 red/48000/2",
      "-a=fmtp:63 111/111",
      "-m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103",
      "-a=rtpmap:96 VP8/90000",
      "-a=rtcp-fb:96 goog-remb",
      "-a=rtcp-fb:96 nack pli",
      "-a=rtpmap:97 rtx/90000",
      "-a=fmtp:97 apt=96",
      "+m=audio 9 UDP/TLS/RTP/SAVPF 9 0 8 13 110 126",
      "+m=video 9 UDP/TLS/RTP/SAVPF 102 103",
    ]);
  });
  test("with a clock rate only that one", () => {
    const { removed } = rewrite(CHROME, rule(["telephone-event/48000"]));
    expect(removed).toEqual([{ media: 0, type: 110, name: "telephone-event" }]);
  });
  test("ARC-34 telephone-event goes only when named, and it is told", () => {
    expect(rewritten(CISCO, rule(["opus", "g729"]))).toContain("a=rtpmap:101 telephone-event/8000");
    expect(rewrite(CISCO, rule(["telephone-event"])).removed).toEqual([
      { media: 0, type: 101, name: "telephone-event" },
    ]);
  });
  test("the last codec is spared, and it is told: telephone-event alone is no codec", () => {
    const text = SESSION + crlf("m=audio 5004 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000");
    const { out, removed, spared } = rewrite(text, rule(["pcmu", "pcma"]));
    expect(out).toBe(text);
    expect(removed).toEqual([]);
    expect(spared.map(({ name }) => name)).toEqual(["PCMU", "PCMA"]);
  });
  test("a static payload type without a=rtpmap is known by its name", () =>
    expect(changes(AUDIO, rule(["pcmu"]))).toEqual(["-m=audio 5004 RTP/AVP 0 8", "+m=audio 5004 RTP/AVP 8"]));
  test("the preferred come first, the others keep their order", () =>
    expect(changes(YEALINK, rule([], ["pcma", "pcmu"]))).toEqual([
      "-m=audio 11780 RTP/AVP 9 0 8 18 101",
      "+m=audio 11780 RTP/AVP 8 0 9 18 101",
    ]));
  test("a rejected stream and one that is no RTP stay", () => {
    for (const line of ["m=audio 0 RTP/AVP 0 8", "m=image 5004 udptl 0 8"])
      expect(rewritten(`${SESSION}${line}\r\n`, rule(["pcmu"]))).toBe(`${SESSION}${line}\r\n`);
  });
  test("port and codecs of one line in one go", () =>
    expect(changes(YEALINK, { ...rule(["g722"]), media: [EDGE] })).toContain(
      "+m=audio 30000 RTP/AVP 0 8 18 101",
    ));
});

describe("SIP-45 of any description and plan", () => {
  const address = fc.constantFrom("203.0.113.5", "2001:db8::e", "192.0.2.200", "::1");
  const port = fc.integer({ min: 1, max: 65534 });
  const mediaPlan = fc.record({ address, port, rtcpPort: fc.option(port) });
  const names = fc.subarray(["pcmu", "pcma", "g722", "opus", "vp8", "telephone-event", "g729"]);
  const plan: fc.Arbitrary<SdpPlan> = fc.record({
    media: fc.array(fc.option(mediaPlan), { maxLength: 3 }),
    ice: fc.constantFrom("strip" as const, "keep" as const),
    originAddress: fc.option(address),
    codecs: fc.option(fc.record({ remove: names, prefer: names })),
    isMarked: fc.boolean(),
  });
  const EDITABLE =
    /^([+-])(\s*c\s*=|\s*o\s*=|m=|a=(rtcp|candidate|remote-candidates|end-of-candidates|ice-|rtpmap|fmtp|rtcp-fb|nortpproxy))/;

  /** A sample with its lines in another state: some doubled, dropped, LF alone, the last one open. */
  const text = fc
    .tuple(fc.constantFrom(...SAMPLES), fc.infiniteStream(fc.nat({ max: 14 })), fc.boolean(), fc.boolean())
    .map(([sample, dice, isBare, isOpen]) => {
      const [version, ...lines] = sample.text.trimEnd().split(/\r?\n/);
      const kept = lines.flatMap((line) => {
        const roll = dice.next().value;
        return roll === 0 ? [] : roll === 1 ? [line, line] : [line];
      });
      const eol = isBare ? "\n" : "\r\n";
      return [version, ...kept].join(eol) + (isOpen ? "" : eol);
    });

  /** Two c= lines that differ: no plan can say what both do. */
  const saysTwoAddresses = ({ lines }: Sdp, { own }: SdpMedia) => {
    const said = new Set<string>();
    for (let line = own.firstLine; line < own.endLine; line++)
      if (lines.kindOf(line) === L.Connection) said.add(lines.valueOf(line));
    return said.size > 1;
  };

  test("only the lines that may be changed are, the rest in its order, and it can be read again", () =>
    fc.assert(
      fc.property(text, plan, (text, plan) => {
        const out = rewritten(text, plan);
        const changed = diff(text, out).filter((line) => line.length > 1); // an open last line leaves an empty one
        expect(changed.filter((line) => !EDITABLE.test(line))).toEqual([]);
        const others = (sdp: string) =>
          sdp.split(/\r?\n/).filter((line) => line !== "" && !EDITABLE.test(`+${line}`));
        expect(others(out)).toEqual(others(text));
        expect(sdpOf(out).media).toHaveLength(sdpOf(text).media.length);
      }),
      { numRuns: 1000 },
    ));

  test("every stream is where the plan says, and where it was when the plan says nothing", () =>
    fc.assert(
      fc.property(text, plan, (text, plan) => {
        const [before, after] = [sdpOf(text), sdpOf(rewritten(text, { ...plan, codecs: null }))];
        before.media.forEach((media, i) => {
          const now = after.media[i]!;
          const own = plan.media[i] ?? null;
          if (media.port === 0) expect(now.port).toBe(0);
          else if (own === null) {
            expect([now.port, now.connection?.address]).toEqual([media.port, media.connection?.address]);
            expect(now.rtcpPort).toBe(media.rtcpPort);
          } else {
            const held = own.address.includes(":") ? "::" : "0.0.0.0";
            const expected = media.isHeldByAddress ? held : own.address;
            expect([now.port, now.connection?.address]).toEqual([own.port, expected]);
            const isMuxed = media.isMux && own.rtcpPort === own.port && !media.own.hasRtcpLine;
            if (media.isRtp && !isMuxed) expect(now.rtcpPort).toBe(own.rtcpPort ?? own.port + 1);
          }
          expect(now.direction).toBe(media.direction);
        });
      }),
      { numRuns: 1000 },
    ));

  test("a plan that says what is there gives the same bytes, and no edit", () =>
    fc.assert(
      fc.property(text, (text) => {
        const sdp = sdpOf(text);
        const same = sdp.media.map((media) => {
          const isPlain = media.portCount === 1 && !saysTwoAddresses(sdp, media);
          if (media.connection === null || !isPlain) return null;
          return { address: media.connection.address, port: media.port, rtcpPort: media.rtcpPort };
        });
        const { out, growth } = rewrite(text, { media: same });
        expect([out, growth]).toEqual([text, 0]);
      }),
      { numRuns: 500 },
    ));

  test("doing it twice changes nothing more", () =>
    fc.assert(
      fc.property(text, plan, (text, plan) => {
        const once = rewritten(text, plan);
        expect(rewritten(once, plan)).toBe(once);
      }),
      { numRuns: 500 },
    ));

  test("the samples themselves, left alone", () => {
    for (const { text, streams } of SAMPLES) {
      expect(rewritten(text, {})).toBe(text);
      expect(streamsOf(sdpOf(rewritten(text, {})))).toEqual([...streams]);
    }
  });
});
