/**
 * What a relay changes in a session description, and nothing else: c=, the port of m=, a=rtcp; on request ICE,
 * the address of o=, codecs and the marker line. Every other byte stays (RFC 8866 §5, RFC 3264, RFC 3605).
 */
import { ipFamily } from "../base/address.ts";
import type { Edits } from "./edits.ts";
import type { Sdp, SdpMedia } from "./sdp.ts";
import type { CodecChange, CodecNote, CodecRule } from "./sdp-codec-rule.ts";
import { applyRule } from "./sdp-codec-rule.ts";
import { payloadTypeOf } from "./sdp-codecs.ts";
import type { SdpLines } from "./sdp-lines.ts";
import { L, wordEnd } from "./sdp-lines.ts";
import type { SdpAddress } from "./sdp-section.ts";
import { addressIn, originAt, rtcpAt } from "./sdp-section.ts";
import { SdpWriter } from "./sdp-writer.ts";

/** Where a stream's media is to go instead. */
export interface MediaPlan {
  /** An address literal, without brackets. */
  readonly address: string;
  /** A port 0 stays 0 whatever is said here. Of several ports (`49170/2`) this one remains. */
  readonly port: number;
  /** Where RTCP is wanted from those who do not mux; null: the port above `port`. */
  readonly rtcpPort: number | null;
}

export interface SdpPlan {
  /** By m= line; null, and every line behind the list's end: this stream stays as it came. */
  readonly media: readonly (MediaPlan | null)[];
  /**
   * `strip`: no candidates and no other word of ICE in streams that have a plan, nor for the session when all of
   * them have one. `keep` with a plan makes both sides see a mismatch (RFC 8839 `ice-mismatch`).
   */
  readonly ice: "strip" | "keep";
  /** What o= is to say; null: as it came. The session id and version always stay. */
  readonly originAddress: string | null;
  readonly codecs: CodecRule | null;
  /** Adds `a=nortpproxy:yes` unless it is there, so that the next relay leaves this media alone. */
  readonly isMarked: boolean;
}

export interface SdpOutcome {
  /** How many bytes longer the description becomes: what Content-Length must follow (`editLength`). */
  readonly growth: number;
  readonly removed: readonly CodecNote[];
  /** Codecs that the rule names but that had to stay: the stream has no other. */
  readonly spared: readonly CodecNote[];
}

/** Adds to `edits` what the plan changes; a plan that says what is already there adds none. */
export function rewriteSdp(edits: Edits, sdp: Sdp, plan: SdpPlan): SdpOutcome {
  return new Rewriting(sdp, plan).run(edits);
}

const MARKER = "a=nortpproxy:yes";

class Rewriting {
  readonly #sdp: Sdp;
  readonly #lines: SdpLines;
  readonly #plan: SdpPlan;
  readonly #out: SdpWriter;
  readonly #removed: CodecNote[] = [];
  readonly #spared: CodecNote[] = [];
  /** What the session's c= becomes; null: it stays. */
  readonly #sessionAddress: string | null;

  constructor(sdp: Sdp, plan: SdpPlan) {
    this.#sdp = sdp;
    this.#lines = sdp.lines;
    this.#plan = plan;
    this.#out = new SdpWriter(sdp.lines.bytes, sdp.lines.end(0));
    this.#sessionAddress = sdp.session.connection === null ? null : sessionAddress(sdp, plan);
  }

  run(edits: Edits): SdpOutcome {
    const { media } = this.#sdp;
    this.#session();
    for (let i = 0; i < media.length; i++) this.#stream(media[i]!, i, this.#plan.media[i] ?? null);
    if (this.#plan.isMarked && !this.#sdp.isMarked)
      this.#out.insertLine(this.#lines.end(this.#lines.count - 1), MARKER);
    return { growth: this.#out.finish(edits), removed: this.#removed, spared: this.#spared };
  }

  #session(): void {
    const strips = this.#plan.ice === "strip" && this.#sdp.media.every((_, i) => this.#plan.media[i]);
    for (let line = 0; line < this.#sdp.session.endLine; line++) {
      const kind = this.#lines.kindOf(line);
      if (kind === L.Origin && this.#plan.originAddress !== null)
        this.#address(originAt(this.#lines, line)?.address ?? null, this.#plan.originAddress);
      else if (kind === L.Connection && this.#sessionAddress !== null)
        this.#connection(line, this.#sessionAddress);
      else if (kind === L.Ice && strips) this.#removeLine(line);
    }
  }

  #stream(media: SdpMedia, number: number, plan: MediaPlan | null): void {
    const { firstLine, endLine } = media.own;
    const change = this.#plan.codecs === null ? null : applyRule(media, this.#plan.codecs);
    if (change !== null) this.#note(media, number, change);
    const address = plan === null ? null : addressFor(media, plan);
    const connectionAt = endOfInfo(this.#lines, firstLine, endLine);
    const connection = this.#missingConnection(media, address);
    for (let line = firstLine; line < endLine; line++) {
      this.#streamLine(media, line, plan, address, change);
      if (line === connectionAt && connection !== null)
        this.#out.insertLine(this.#lines.end(line), connection);
    }
    if (plan !== null && needsRtcpLine(media, plan))
      this.#out.insertLine(this.#lines.end(endLine - 1), `a=rtcp:${plan.rtcpPort}`);
  }

  #streamLine(
    media: SdpMedia,
    line: number,
    plan: MediaPlan | null,
    address: string | null,
    change: CodecChange | null,
  ): void {
    switch (this.#lines.kindOf(line)) {
      case L.Media:
        if (plan !== null) this.#port(media, plan.port);
        if (change !== null) this.#formats(media, change);
        break;
      case L.Connection:
        if (address !== null) this.#connection(line, address);
        break;
      case L.Rtcp:
        if (plan !== null) this.#rtcp(media, line, plan, address!);
        break;
      case L.Ice:
        if (plan !== null && this.#plan.ice === "strip") this.#removeLine(line);
        break;
      case L.RtpMap:
      case L.Fmtp:
      case L.RtcpFb:
        if (change?.removed.has(payloadTypeOf(this.#lines, line))) this.#removeLine(line);
    }
  }

  /** "m=" line: the port, of `49170/2` with its count, because one pair is all a relay has for it. */
  #port(media: SdpMedia, port: number): void {
    const { portStart, portEnd } = media.head;
    if (media.port !== 0 && (media.port !== port || media.portCount > 1))
      this.#out.replace(portStart, portEnd, String(port));
  }

  /** Formats that are no payload types stay behind those that are. */
  #formats(media: SdpMedia, change: CodecChange): void {
    const { formatsStart, formatsEnd } = media.head;
    const known = new Set(media.payloads.map(({ type }) => type));
    const text = this.#lines.bytes.latin1Slice(formatsStart, formatsEnd);
    const words = text.split(/[ \t]+/);
    const others = words.filter((word) => !/^\d{1,3}$/.test(word) || !known.has(Number(word)));
    const order = [...change.order.map(String), ...others];
    if (order.join(" ") !== words.join(" ")) this.#out.replace(formatsStart, formatsEnd, order.join(" "));
  }

  #rtcp(media: SdpMedia, line: number, plan: MediaPlan, address: string): void {
    if (media.port === 0) return;
    const port = plan.rtcpPort ?? plan.port + 1;
    const said = rtcpAt(this.#lines, line);
    const start = this.#lines.valueStart(line);
    const end = this.#lines.valueEnd(line);
    if (said === null) {
      // Not to be understood, so nobody can go by it: it gives way to one that is right.
      this.#out.replace(this.#lines.start(line), end, `a=rtcp:${port}`);
      return;
    }
    if (said.port !== port) this.#out.replace(start, wordEnd(this.#lines.bytes, start, end), String(port));
    this.#address(said.address, address);
  }

  #connection(line: number, address: string): void {
    this.#address(addressIn(this.#lines, this.#lines.valueStart(line), this.#lines.valueEnd(line)), address);
  }

  #address(said: SdpAddress | null, address: string): void {
    if (said === null || said.address === address) return;
    const family = ipFamily(address);
    if (family !== 0 && family !== said.family)
      this.#out.replace(said.typeStart, said.typeEnd, `IP${family}`);
    this.#out.replace(said.addressStart, said.addressEnd, address);
  }

  #removeLine(line: number): void {
    this.#out.replace(this.#lines.start(line), this.#lines.end(line), "");
  }

  /** The c= line that a stream needs because the session's, by which it went, now says something else. */
  #missingConnection(media: SdpMedia, address: string | null): string | null {
    if (media.own.connection !== null || media.port === 0) return null;
    const session = this.#sdp.session.connection;
    const becomes = this.#sessionAddress ?? session?.address ?? null;
    if (address !== null) return address === becomes ? null : connectionLine(address);
    if (session === null || this.#sessionAddress === null || this.#sessionAddress === session.address)
      return null;
    return `c=IN ${this.#lines.bytes.latin1Slice(session.typeStart, session.addressEnd)}`;
  }

  #note(media: SdpMedia, number: number, { removed, spared }: CodecChange): void {
    for (const { type, name } of media.payloads)
      if (removed.has(type)) this.#removed.push({ media: number, type, name });
    for (const { type, name } of spared) this.#spared.push({ media: number, type, name });
  }
}

const connectionLine = (address: string): string => `c=IN IP${ipFamily(address) || 4} ${address}`;

/** RFC 3264 §8.4: a stream put on hold by 0.0.0.0 stays so, in the words of the new address's family. */
function addressFor(media: SdpMedia, plan: MediaPlan): string {
  if (!media.isHeldByAddress) return plan.address;
  const family = ipFamily(plan.address);
  if (family === media.connection?.family) return media.connection.address;
  return family === 6 ? "::" : "0.0.0.0";
}

/**
 * That of the first stream that goes by it. When none does, that of the first whose own address changes, so that the
 * session does not tell what the stream no longer says; null: it stays.
 */
function sessionAddress(sdp: Sdp, plan: SdpPlan): string | null {
  let any: string | null = null;
  for (let i = 0; i < sdp.media.length; i++) {
    const media = sdp.media[i]!;
    const own = plan.media[i] ?? null;
    if (own === null || media.isRejected) continue;
    const address = addressFor(media, own);
    if (media.own.connection === null) return address;
    if (address !== media.connection?.address) any ??= address;
  }
  return any;
}

/** i= may stand between m= and c= (RFC 8866 §5): the line behind which a new c= goes. */
function endOfInfo(lines: SdpLines, firstLine: number, endLine: number): number {
  const next = firstLine + 1;
  return next < endLine && lines.kindOf(next) === L.Info ? next : firstLine;
}

/** RFC 3605 §2: only when RTCP goes elsewhere than to the port above, and not where both go to one port. */
function needsRtcpLine(media: SdpMedia, { port, rtcpPort }: MediaPlan): boolean {
  if (!media.isRtp || media.port === 0 || rtcpPort === null || media.own.hasRtcpLine) return false;
  return rtcpPort !== port + 1 && !(media.isMux && rtcpPort === port);
}
