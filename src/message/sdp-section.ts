/**
 * What single lines of a session description say: c=, o=, m=, a=rtcp (RFC 8866 §5, RFC 3605) and the attributes of
 * a stream that a relay must know. Each with the byte ranges that an edit replaces.
 */
import { ipFamily } from "../base/address.ts";
import { ParseError } from "./parse-error.ts";
import { PAYLOAD_TYPE_MAX } from "./sdp-codecs.ts";
import type { SdpLines } from "./sdp-lines.ts";
import { L, numberIn, skipBlanks, wordEnd } from "./sdp-lines.ts";

/** Formats of one m= line; one more and the description is not read. */
export const SDP_FORMATS_MAX = PAYLOAD_TYPE_MAX + 1;
const PORT_MAX = 65_535;

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** nettype SP addrtype SP address, in a c= or at the end of an o= or a=rtcp. */
export interface SdpAddress {
  /** An address literal without multicast TTL, or a name. */
  readonly address: string;
  /** 4 or 6: the literal's, else what addrtype says; 0 when neither tells. */
  readonly family: 0 | 4 | 6;
  /** 0.0.0.0 or ::, to which nothing can be sent. */
  readonly isUnspecified: boolean;
  /** Byte ranges of addrtype and of the whole address with its TTL. */
  readonly typeStart: number;
  readonly typeEnd: number;
  readonly addressStart: number;
  readonly addressEnd: number;
}

/** a=rtcp (RFC 3605 §2.1). */
export interface RtcpLine {
  readonly port: number;
  /** null when only the port is given: then it is the c= line's. */
  readonly address: SdpAddress | null;
}

/** What the lines of the session level, or those of one stream, say. */
export interface Section {
  /** Its lines: [firstLine, endLine). */
  readonly firstLine: number;
  readonly endLine: number;
  /** The first c=; null when there is none. */
  readonly connection: SdpAddress | null;
  readonly direction: Direction | null;
  /** The first a=rtcp; null when absent or not to be understood. */
  readonly rtcp: RtcpLine | null;
  readonly hasRtcpLine: boolean;
  readonly isMux: boolean;
  readonly isBundleOnly: boolean;
  readonly hasIce: boolean;
  readonly isMarked: boolean;
  readonly mid: string | null;
  readonly ptime_ms: number | null;
}

/** media SP port ["/" integer] SP proto *(SP fmt) */
export interface MediaHead {
  readonly kind: string;
  readonly port: number;
  readonly portCount: number;
  readonly protocol: string;
  readonly portStart: number;
  readonly portEnd: number;
  readonly formatsStart: number;
  readonly formatsEnd: number;
}

/** o= (RFC 8866 §5.2). */
export interface Origin {
  readonly sessionId: string;
  /** Grows with each change of the description (RFC 3264 §8). */
  readonly version: string;
  readonly address: SdpAddress;
}

const DIRECTIONS: ReadonlyMap<number, Direction> = new Map([
  [L.SendRecv, "sendrecv"],
  [L.SendOnly, "sendonly"],
  [L.RecvOnly, "recvonly"],
  [L.Inactive, "inactive"],
]);

/** What the lines [firstLine, endLine) say. ParseError: `sdp_connection`. */
export function readSection(lines: SdpLines, firstLine: number, endLine: number): Section | ParseError {
  const seen = {
    firstLine,
    endLine,
    connection: null as SdpAddress | null,
    direction: null as Direction | null,
    rtcp: null as RtcpLine | null,
    hasRtcpLine: false,
    isMux: false,
    isBundleOnly: false,
    hasIce: false,
    isMarked: false,
    mid: null as string | null,
    ptime_ms: null as number | null,
  };
  for (let line = firstLine; line < endLine; line++) {
    const kind = lines.kindOf(line);
    switch (kind) {
      case L.Connection: {
        const connection = addressIn(lines, lines.valueStart(line), lines.valueEnd(line));
        if (connection === null) return new ParseError("sdp_connection", lines.start(line));
        seen.connection ??= connection;
        break;
      }
      case L.Rtcp:
        seen.rtcp ??= rtcpAt(lines, line);
        seen.hasRtcpLine = true;
        break;
      case L.RtcpMux:
        seen.isMux = true;
        break;
      case L.BundleOnly:
        seen.isBundleOnly = true;
        break;
      case L.Ice:
        seen.hasIce = true;
        break;
      case L.Marker:
        seen.isMarked ||= lines.valueOf(line) === "yes";
        break;
      case L.Mid:
        seen.mid ??= lines.valueOf(line);
        break;
      case L.Ptime:
        seen.ptime_ms ??= ptimeIn(lines.valueOf(line));
        break;
      default:
        seen.direction ??= DIRECTIONS.get(kind) ?? null;
    }
  }
  return seen;
}

/** nettype SP addrtype SP address in bytes[start, end); null when a word is missing. */
export function addressIn(lines: SdpLines, start: number, end: number): SdpAddress | null {
  const bytes = lines.bytes;
  const typeStart = skipBlanks(bytes, wordEnd(bytes, start, end), end);
  const typeEnd = wordEnd(bytes, typeStart, end);
  const addressStart = skipBlanks(bytes, typeEnd, end);
  const addressEnd = wordEnd(bytes, addressStart, end);
  if (addressStart === addressEnd) return null;
  const text = bytes.latin1Slice(addressStart, addressEnd);
  const slash = text.indexOf("/"); // a multicast address has its TTL and count behind it (§5.7)
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = ipFamily(address) || familyNamed(bytes.latin1Slice(typeStart, typeEnd));
  const isUnspecified = family === 4 ? address === "0.0.0.0" : family === 6 && /^[0:]+$/.test(address);
  return { address, family, isUnspecified, typeStart, typeEnd, addressStart, addressEnd };
}

function familyNamed(addrtype: string): 0 | 4 | 6 {
  switch (addrtype.toUpperCase()) {
    case "IP4":
      return 4;
    case "IP6":
      return 6;
    default:
      return 0;
  }
}

/** port [nettype SP addrtype SP address] (RFC 3605 §2.1); null when it is anything else. */
export function rtcpAt(lines: SdpLines, line: number): RtcpLine | null {
  const end = lines.valueEnd(line);
  const start = lines.valueStart(line);
  const portEnd = wordEnd(lines.bytes, start, end);
  const port = numberIn(lines.bytes, start, portEnd, PORT_MAX);
  if (port < 0) return null;
  const next = skipBlanks(lines.bytes, portEnd, end);
  return { port, address: next < end ? addressIn(lines, next, end) : null };
}

/** username SP sess-id SP sess-version SP nettype SP addrtype SP address, counted from the end: some user names have blanks. */
export function originAt(lines: SdpLines, line: number): Origin | null {
  const start = lines.valueStart(line);
  const text = lines.valueOf(line);
  const found = /(?:^|[ \t])(\S+)[ \t]+(\S+)[ \t]+(\S+[ \t]+\S+[ \t]+\S+)$/.exec(text);
  if (found === null) return null;
  const address = addressIn(lines, start + text.length - found[3]!.length, start + text.length);
  return address === null ? null : { sessionId: found[1]!, version: found[2]!, address };
}

/** media SP port ["/" integer] SP proto *(SP fmt). ParseError: `sdp_media`, `sdp_media_port`, `sdp_formats_max`. */
export function readHead(lines: SdpLines, line: number): MediaHead | ParseError {
  const bytes = lines.bytes;
  const start = lines.valueStart(line);
  const end = lines.valueEnd(line);
  const kindEnd = wordEnd(bytes, start, end);
  const portStart = skipBlanks(bytes, kindEnd, end);
  const portEnd = wordEnd(bytes, portStart, end);
  const protocolStart = skipBlanks(bytes, portEnd, end);
  const protocolEnd = wordEnd(bytes, protocolStart, end);
  if (protocolStart === protocolEnd) return new ParseError("sdp_media", lines.start(line));
  let digitsEnd = portStart;
  while (digitsEnd < portEnd && bytes[digitsEnd] !== SLASH) digitsEnd++;
  const port = numberIn(bytes, portStart, digitsEnd, PORT_MAX);
  const portCount = digitsEnd === portEnd ? 1 : numberIn(bytes, digitsEnd + 1, portEnd, PORT_MAX);
  if (port < 0 || portCount < 0) return new ParseError("sdp_media_port", portStart);
  const formatsStart = skipBlanks(bytes, protocolEnd, end);
  let formats = 0;
  for (let at = formatsStart; at < end; at = skipBlanks(bytes, wordEnd(bytes, at, end), end)) formats++;
  if (formats > SDP_FORMATS_MAX) return new ParseError("sdp_formats_max", formatsStart);
  return {
    kind: bytes.latin1Slice(start, kindEnd).toLowerCase(),
    port,
    portCount,
    protocol: bytes.latin1Slice(protocolStart, protocolEnd),
    portStart,
    portEnd,
    formatsStart,
    formatsEnd: end,
  };
}

const SLASH = 47;

/** Milliseconds of media in a packet; some write a fraction, or a value per payload type behind it. */
function ptimeIn(text: string): number | null {
  const found = /^(\d{1,4})(?:\.\d+)?(?![\d.])/.exec(text);
  return found === null ? null : Number(found[0]);
}
