/** The shape of `/v1/quality-reports`. */
import * as v from "valibot";
import { text, time, yes } from "./kinds.ts";

const said = (what: string) => v.nullable(v.pipe(v.number(), v.description(what)));

const Heard = v.object({
  codec: v.nullable(text("Encoding name")),
  loss_percent: said("NLR: lost in the network"),
  discard_percent: said("JDR: discarded by the jitter buffer"),
  jitter_ms: said("IAJ: interarrival jitter"),
  round_trip_ms: said("RTD: round trip"),
  r_lq: said("RLQ: R for listening"),
  r_cq: said("RCQ: R for conversation"),
  mos_lq: said("MOSLQ, 1 to 5"),
  mos_cq: said("MOSCQ, 1 to 5"),
});

export const QualityReport = v.object({
  received_at: time("When its PUBLISH came"),
  user: v.nullable(text("The account that sent it; null: a trusted source")),
  source: text("The address it came from"),
  kind: v.picklist(["session", "interval", "alert"]),
  call_ended: yes("It is the last of its call"),
  call_id: v.nullable(text("The Call-ID of the call")),
  local_id: v.nullable(text("Who reports")),
  remote_id: v.nullable(text("The other side")),
  heard: v.pipe(v.nullable(Heard), v.description("What the phone heard; null: not said")),
  heard_by_other: v.pipe(v.nullable(Heard), v.description("What the other side says that it heard")),
});

export const QualityReports = v.object({
  reports: v.pipe(v.array(QualityReport), v.description("The newest first, at most ?limit=")),
});
