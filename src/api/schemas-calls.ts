/** The shapes of `/v1/calls` and `/v1/records`. */
import * as v from "valibot";
import { count, text, time } from "./kinds.ts";

/** A number that is null where it was not measured. */
const measured = (what: string) => v.nullable(v.pipe(v.number(), v.description(what)));

const Stream = v.object({
  stream: count("Which m= line of the session description, from 0"),
  from: v.picklist(["caller", "callee"]),
  codec: text("Encoding name; empty when unknown"),
  packets: count("RTP packets that came"),
  bytes: count("Of these packets, without IP and UDP"),
  loss_percent: measured("Of the packets that were expected (RFC 3550 §6.4.1)"),
  jitter_ms: measured("Mean interarrival jitter (RFC 3550 §6.4.1)"),
  jitter_max_ms: measured("The highest it was"),
  round_trip_ms: measured("From phone to phone and back, by RTCP"),
  leg_round_trip_ms: measured("From us to the phone that sends this and back, by RTCP"),
  far_loss_percent: measured("What the phone that hears this lost lately, by its RTCP"),
  far_jitter_ms: measured("The jitter that it reports"),
  r_lq: measured("R of ITU-T G.107 without delay"),
  r_cq: measured("The same with delay; null without a round trip time"),
  mos_lqe: measured("Listening quality, estimated, 1 to 4.5 (ITU-T P.800.1)"),
  mos_cqe: measured("Conversational quality, estimated; null without a round trip time"),
  mos_simple: measured("By the simple formula of many tools, for comparison"),
  scale: v.pipe(
    v.nullable(v.picklist(["N", "W", "S", "F"])),
    v.description("The band for which the MOS stands: narrow, wide, super-wide, full"),
  ),
  out_of_order: count("Packets that came late"),
  duplicates: count("Packets that came twice"),
  source: v.nullable(text("The address and port it comes from")),
  refused: count("Packets for it from elsewhere, which were dropped"),
});

const media = v.pipe(
  v.nullable(v.array(Stream)),
  v.description("What was measured of each direction of each stream; null: the media does not pass here"),
);

const between = {
  id: text("Names the call here"),
  call_id: text("Its Call-ID"),
  from: text("The URI in From"),
  to: text("The URI in To"),
  user: v.nullable(text("The account that the caller proved; null: none was asked for")),
  source: text("The flow its INVITE came on"),
  target: text("The last URI that was tried, in the end the one that answered"),
  peer: v.nullable(text("The peer it went to")),
  rule: v.nullable(text("The [[route]] that led there")),
  legs: count("Copies that left"),
  started_at: time("When its INVITE came"),
  rang_at: v.nullable(time("When the first phone rang")),
  answered_at: v.nullable(time("When it was answered")),
};

export const Call = v.object({
  ...between,
  state: v.picklist(["trying", "ringing", "up", "ending"]),
  duration_s: v.nullable(count("Since it was answered")),
  media,
  rtpengine: v.nullable(text("Which rtpengine relays its media; null: none")),
  session_expires_in_s: v.nullable(count("Until it is over without a refresh (RFC 4028)")),
});

export const Calls = v.object({
  calls_total: count("Calls that are being set up or run"),
  calls: v.pipe(v.array(Call), v.description("The oldest, at most ?limit=")),
});

export const CallRecord = v.object({
  ...between,
  asked: text("The Request-URI it came with"),
  ended_at: time("When it was over"),
  duration_s: v.nullable(count("From the answer to the end; null: it was not answered")),
  status: count("The final answer; 0: there was none"),
  reason: text("Its words, or why it ended"),
  media,
  ended_by: v.picklist(["caller", "callee", "us", "nobody"]),
});

export const CallRecords = v.object({
  records: v.pipe(v.array(CallRecord), v.description("The newest first")),
  next_cursor: v.pipe(
    v.nullable(v.string()),
    v.description("Ask with ?cursor= for what follows; null: this was the last page"),
  ),
});
