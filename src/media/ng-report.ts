/**
 * What rtpengine says of a call in its answers to `query` and `delete`, in the words of our own reports. It counts
 * packets; loss, jitter and MOS it knows only from the RTCP of the phones.
 */
import type { Ben, BenMap } from "./bencode.ts";
import { listAt, mapAt, numberAt, textAt } from "./bencode.ts";
import type { MediaReport, StreamReport } from "./media-session.ts";

/** Directions in one report; an answer that has more is cut. */
const STREAMS_MAX = 64;
/** rtpengine gives a MOS as ten times itself, and a round trip in microseconds. */
const MOS_SCALE = 10;
const US_PER_MS = 1000;

/** The report; null: the answer holds none. */
export function ngReport(answer: BenMap, caller_tag: string): MediaReport | null {
  const tags = mapAt(answer, "tags");
  if (tags === null) return null;
  const quality = mapAt(answer, "SSRC");
  const streams: StreamReport[] = [];
  for (const [tag, side] of tags) {
    const medias = side instanceof Map ? listAt(side, "medias") : [];
    for (const media of medias) {
      const report = streamOf(media, tag === caller_tag ? "caller" : "callee", quality);
      if (report !== null && streams.length < STREAMS_MAX) streams.push(report);
    }
  }
  return { streams: streams.toSorted((a, b) => a.stream - b.stream) };
}

/** Null: nothing was ever to come from there. */
function streamOf(media: Ben, from: "caller" | "callee", quality: BenMap | null): StreamReport | null {
  if (!(media instanceof Map)) return null;
  const rtp = listAt(media, "streams")[0];
  if (!(rtp instanceof Map)) return null;
  const endpoint = mapAt(rtp, "endpoint");
  const stats = mapAt(rtp, "stats");
  const packets = numberAt(stats, "packets") ?? 0;
  const source = hostPortOf(endpoint);
  if (packets === 0 && source === null) return null;
  const ssrc = numberAt(rtp, "SSRC");
  const said = ssrc === null ? null : mapAt(quality, String(ssrc));
  const average = mapAt(said, "average MOS");
  const mos = numberAt(average, "MOS");
  const round_trip_us = numberAt(average, "round-trip time");
  return {
    stream: Math.max(0, (numberAt(media, "index") ?? 1) - 1),
    from,
    codec: (textAt(media, "codec") ?? "").split("/", 1)[0]!.toLowerCase(),
    packets,
    bytes: numberAt(stats, "bytes") ?? 0,
    ...NOT_MEASURED,
    round_trip_ms: round_trip_us === null || round_trip_us === 0 ? null : round_trip_us / US_PER_MS,
    far_loss_percent: numberAt(average, "packet loss"),
    far_jitter_ms: numberAt(average, "jitter"),
    mos_simple: mos === null ? null : mos / MOS_SCALE,
    source: packets === 0 ? null : source,
    refused: numberAt(stats, "errors") ?? 0,
  };
}

/** What only who sees each packet can tell. */
const NOT_MEASURED = {
  loss_percent: null,
  jitter_ms: null,
  jitter_max_ms: null,
  leg_round_trip_ms: null,
  r_lq: null,
  r_cq: null,
  mos_lqe: null,
  mos_cqe: null,
  scale: null,
  out_of_order: 0,
  duplicates: 0,
} as const;

function hostPortOf(endpoint: BenMap | null): string | null {
  const address = textAt(endpoint, "address");
  const port = numberAt(endpoint, "port");
  if (address === null || port === null) return null;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
