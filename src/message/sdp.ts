/**
 * A session description as it came (RFC 8866): where each stream wants its media, and where in the bytes that
 * is said, so that `sdp-edit` can change it. Whether it is an offer or an answer (RFC 3264) is not known here.
 */
import { ParseError } from "./parse-error.ts";
import type { Payload } from "./sdp-codecs.ts";
import { readPayloads } from "./sdp-codecs.ts";
import type { SdpLines } from "./sdp-lines.ts";
import { L, readLines } from "./sdp-lines.ts";
import type { Direction, MediaHead, Origin, SdpAddress, Section } from "./sdp-section.ts";
import { originAt, readHead, readSection } from "./sdp-section.ts";

/** Streams of one description; one more and it is not read. */
export const SDP_MEDIA_MAX = 64;

/** The port of a stream whose address is still to come as ICE candidates (RFC 8840). */
const DISCARD_PORT = 9;

/** One m= line and what follows it. */
export class SdpMedia {
  readonly head: MediaHead;
  readonly own: Section;
  readonly #lines: SdpLines;
  readonly #session: Section;
  #payloads: readonly Payload[] | undefined;

  constructor(lines: SdpLines, head: MediaHead, own: Section, session: Section) {
    this.#lines = lines;
    this.head = head;
    this.own = own;
    this.#session = session;
  }

  /** `audio`, `video`, `image`, `application` …, lower case. */
  get kind(): string {
    return this.head.kind;
  }
  /** 0: rejected or ended (RFC 3264 §6, §8.2), unless `isBundleOnly`. */
  get port(): number {
    return this.head.port;
  }
  /** How many ports from `port` on; 1 when not said. */
  get portCount(): number {
    return this.head.portCount;
  }
  /** As written: `RTP/AVP`, `UDP/TLS/RTP/SAVPF`, `udptl` … */
  get protocol(): string {
    return this.head.protocol;
  }
  get isRtp(): boolean {
    return /(^|\/)RTP\//i.test(this.head.protocol);
  }
  /** Whether its packets are datagrams, which a relay can pass on. */
  get isUdp(): boolean {
    return /^(RTP\/|UDP|DTLS)/i.test(this.head.protocol);
  }
  /** Nothing will be sent to it or by it. */
  get isRejected(): boolean {
    return this.head.port === 0 && !this.own.isBundleOnly;
  }
  /** It shares the transport of another stream of its bundle (RFC 9143 §6): its port 0 is no rejection. */
  get isBundleOnly(): boolean {
    return this.own.isBundleOnly;
  }
  /** Where media is wanted: the stream's own c=, else the session's; null when neither is there. */
  get connection(): SdpAddress | null {
    return this.own.connection ?? this.#session.connection;
  }
  /** Whether RTCP may come to the port of RTP, should the other side agree (RFC 5761 §5.1.1). */
  get isMux(): boolean {
    return this.own.isMux;
  }
  /** Where RTCP is wanted unless both sides mux: a=rtcp, else the port above RTP's; 0: nowhere. */
  get rtcpPort(): number {
    if (!this.isRtp || this.head.port === 0) return 0;
    return this.own.rtcp?.port ?? (this.head.port === 65_535 ? 0 : this.head.port + 1);
  }
  /** Of a=rtcp when it has one, else `connection`. */
  get rtcpAddress(): SdpAddress | null {
    return this.own.rtcp?.address ?? this.connection;
  }
  get direction(): Direction {
    return this.own.direction ?? this.#session.direction ?? "sendrecv";
  }
  /** Its address is still unknown and comes by trickled candidates: no hold, though it says 0.0.0.0. */
  get isTrickling(): boolean {
    const hasIce = this.own.hasIce || this.#session.hasIce;
    return hasIce && this.head.port === DISCARD_PORT && this.connection?.isUnspecified === true;
  }
  /** Whether c= says 0.0.0.0 to put the call on hold in the old way (RFC 3264 §8.4). */
  get isHeldByAddress(): boolean {
    return this.connection?.isUnspecified === true && !this.isTrickling;
  }
  /** Its sender wants no media now (RFC 3264 §8.4). What it is itself allowed to send, `direction` says. */
  get isHeld(): boolean {
    const direction = this.direction;
    return direction === "sendonly" || direction === "inactive" || this.isHeldByAddress;
  }
  get hasIce(): boolean {
    return this.own.hasIce || this.#session.hasIce;
  }
  get mid(): string | null {
    return this.own.mid;
  }
  get ptime_ms(): number | null {
    return this.own.ptime_ms;
  }
  /** Payload types in order of preference; none when it is not RTP. */
  get payloads(): readonly Payload[] {
    const { formatsStart, formatsEnd } = this.head;
    const { firstLine, endLine } = this.own;
    this.#payloads ??= this.isRtp
      ? readPayloads(this.#lines, formatsStart, formatsEnd, firstLine, endLine)
      : [];
    return this.#payloads;
  }
}

export class Sdp {
  readonly lines: SdpLines;
  /** It lies in lines.bytes[from, to). */
  readonly from: number;
  readonly to: number;
  readonly session: Section;
  readonly media: readonly SdpMedia[];

  constructor(lines: SdpLines, from: number, to: number, session: Section, media: readonly SdpMedia[]) {
    this.lines = lines;
    this.from = from;
    this.to = to;
    this.session = session;
    this.media = media;
  }

  /** Who describes which session, in which version; null when there is no o= that can be understood. */
  get origin(): Origin | null {
    for (let line = 0; line < this.session.endLine; line++)
      if (this.lines.kindOf(line) === L.Origin) return originAt(this.lines, line);
    return null;
  }

  /** Another relay has already taken the media of this description (`a=nortpproxy:yes`). */
  get isMarked(): boolean {
    return this.session.isMarked || this.media.some(({ own }) => own.isMarked);
  }

  /** The identification tags of each a=group:BUNDLE (RFC 9143 §5). */
  get bundles(): readonly (readonly string[])[] {
    const bundles: string[][] = [];
    for (let line = 0; line < this.session.endLine; line++) {
      if (this.lines.kindOf(line) !== L.Group) continue;
      const [semantics, ...mids] = this.lines.valueOf(line).split(/[ \t]+/);
      if (semantics?.toUpperCase() === "BUNDLE") bundles.push(mids);
    }
    return bundles;
  }
}

/**
 * The session description in bytes[from, to). Lines that nobody needs here are not looked into. ParseError:
 * `sdp_version` (it is none), `sdp_media`, `sdp_media_port`, `sdp_connection`, or a bound that it exceeds:
 * `sdp_bytes_max`, `sdp_lines_max`, `sdp_media_max`, `sdp_formats_max`.
 */
export function readSdp(bytes: Buffer, from: number, to: number): Sdp | ParseError {
  const lines = readLines(bytes, from, to);
  if (lines instanceof ParseError) return lines;
  const starts: number[] = [];
  for (let line = 0; line < lines.count; line++) {
    if (lines.kindOf(line) !== L.Media) continue;
    if (starts.length === SDP_MEDIA_MAX) return new ParseError("sdp_media_max", lines.start(line));
    starts.push(line);
  }
  const session = readSection(lines, 0, starts[0] ?? lines.count);
  if (session instanceof ParseError) return session;
  const media: SdpMedia[] = [];
  for (let i = 0; i < starts.length; i++) {
    const head = readHead(lines, starts[i]!);
    if (head instanceof ParseError) return head;
    const own = readSection(lines, starts[i]!, starts[i + 1] ?? lines.count);
    if (own instanceof ParseError) return own;
    media.push(new SdpMedia(lines, head, own, session));
  }
  return new Sdp(lines, from, to, session, media);
}
