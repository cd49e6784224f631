/**
 * What the payload types of an RTP stream mean: a=rtpmap and a=fmtp (RFC 8866 §6.6, §6.15), and the static
 * assignments (RFC 3551 §6) for those that have no a=rtpmap.
 */
import type { SdpLines } from "./sdp-lines.ts";
import { L, numberIn, skipBlanks, wordEnd } from "./sdp-lines.ts";

/** RTP has seven bits for it. */
export const PAYLOAD_TYPE_MAX = 127;

export interface Payload {
  readonly type: number;
  /** Encoding name as written; "" when neither an a=rtpmap nor RFC 3551 names it. */
  readonly name: string;
  /** RTP clock rate; 0 when unknown. */
  readonly clock_hz: number;
  readonly channels: number;
  /** Format parameters as written; null when there is no a=fmtp. */
  readonly fmtp: string | null;
}

/** RFC 3551 §6, tables 4 and 5. G.722's clock is 8000 by an old mistake that stays (§4.5.2). */
const STATIC: ReadonlyMap<number, readonly [name: string, clock_hz: number, channels?: number]> = new Map([
  [0, ["PCMU", 8000]],
  [3, ["GSM", 8000]],
  [4, ["G723", 8000]],
  [5, ["DVI4", 8000]],
  [6, ["DVI4", 16000]],
  [7, ["LPC", 8000]],
  [8, ["PCMA", 8000]],
  [9, ["G722", 8000]],
  [10, ["L16", 44100, 2]],
  [11, ["L16", 44100]],
  [12, ["QCELP", 8000]],
  [13, ["CN", 8000]],
  [14, ["MPA", 90000]],
  [15, ["G728", 8000]],
  [16, ["DVI4", 11025]],
  [17, ["DVI4", 22050]],
  [18, ["G729", 8000]],
  [25, ["CelB", 90000]],
  [26, ["JPEG", 90000]],
  [28, ["nv", 90000]],
  [31, ["H261", 90000]],
  [32, ["MPV", 90000]],
  [33, ["MP2T", 90000]],
  [34, ["H263", 90000]],
]);

/** The payload type an a=rtpmap, a=fmtp or a=rtcp-fb line is about; -1 when it is none (`*`, or nonsense). */
export function payloadTypeOf(lines: SdpLines, line: number): number {
  const start = lines.valueStart(line);
  return numberIn(lines.bytes, start, wordEnd(lines.bytes, start, lines.valueEnd(line)), PAYLOAD_TYPE_MAX);
}

/**
 * The payload types of an m= line, whose formats stand in bytes[start, end), in its order, each once. A format
 * that is no payload type is left out. Lines [first, last) are the stream's own.
 */
export function readPayloads(
  lines: SdpLines,
  start: number,
  end: number,
  first: number,
  last: number,
): readonly Payload[] {
  const maps = new Map<number, string>();
  const fmtps = new Map<number, string>();
  for (let line = first; line < last; line++) {
    const kind = lines.kindOf(line);
    if (kind !== L.RtpMap && kind !== L.Fmtp) continue;
    const type = payloadTypeOf(lines, line);
    const into = kind === L.RtpMap ? maps : fmtps;
    if (type >= 0 && !into.has(type)) into.set(type, restOf(lines, line));
  }
  const payloads = new Map<number, Payload>();
  for (let at = start; at < end; ) {
    const stop = wordEnd(lines.bytes, at, end);
    const type = numberIn(lines.bytes, at, stop, PAYLOAD_TYPE_MAX);
    if (type >= 0 && !payloads.has(type))
      payloads.set(type, payload(type, maps.get(type), fmtps.get(type) ?? null));
    at = skipBlanks(lines.bytes, stop, end);
  }
  return [...payloads.values()];
}

/** What stands behind the payload type. */
function restOf(lines: SdpLines, line: number): string {
  const end = lines.valueEnd(line);
  const stop = wordEnd(lines.bytes, lines.valueStart(line), end);
  return lines.bytes.latin1Slice(skipBlanks(lines.bytes, stop, end), end);
}

/** rtpmap-value = payload-type SP encoding-name "/" clock-rate [ "/" encoding-params ] */
function payload(type: number, map: string | undefined, fmtp: string | null): Payload {
  const parts = map === undefined ? null : /^([^/\s]+)\s*\/\s*(\d{1,9})(?:\s*\/\s*(\d{1,3}))?/.exec(map);
  if (parts !== null)
    return { type, name: parts[1]!, clock_hz: Number(parts[2]), channels: Number(parts[3] ?? 1), fmtp };
  const [name, clock_hz, channels = 1] = STATIC.get(type) ?? ["", 0];
  return { type, name, clock_hz, channels, fmtp };
}
