/** `/v1/quality-reports`: what phones report of the quality they heard. */
import type { VqMetrics } from "../media/vq-report.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function qualityReportsView({ qualityReports }: ApiSources, limit: number): Answer<"QualityReports"> {
  return {
    reports: qualityReports(limit).map(({ at_ms, user, source, report }) => ({
      received_at: rfc3339(at_ms),
      user: user === null ? null : shownText(user),
      source,
      kind: report.kind,
      call_ended: report.call_ended,
      call_id: shown(report.call_id),
      local_id: shown(report.local_id),
      remote_id: shown(report.remote_id),
      heard: report.local === null ? null : shownMetrics(report.local),
      heard_by_other: report.remote === null ? null : shownMetrics(report.remote),
    })),
  };
}

function shownMetrics(metrics: VqMetrics) {
  return {
    codec: shown(metrics.payload_name),
    loss_percent: metrics.loss_percent,
    discard_percent: metrics.discard_percent,
    jitter_ms: metrics.interarrival_jitter_ms,
    round_trip_ms: metrics.round_trip_ms,
    r_lq: metrics.r_lq,
    r_cq: metrics.r_cq,
    mos_lq: metrics.mos_lq,
    mos_cq: metrics.mos_cq,
  };
}

const shown = (text: string | null): string | null => (text === null ? null : shownText(text));
