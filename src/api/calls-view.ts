/** `/v1/calls` and `/v1/records`: calls that run, and those that are over. */
import type { Call } from "../calls/call.ts";
import type { CallRecord } from "../calls/call-record.ts";
import { recordOf } from "../calls/call-record.ts";
import type { MediaReport } from "../media/media-session.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { ApiFailure } from "./failure.ts";
import { cursorOf, placeOf } from "./paging.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function callsView({ calls, clock }: ApiSources, limit: number): Answer<"Calls"> {
  const now = clock.now();
  return {
    calls_total: calls.count(),
    calls: calls.some(limit).map((call) => shownCall(call, now)),
  };
}

export function callView({ calls, clock }: ApiSources, id: string): Answer<"Call"> | ApiFailure {
  const call = calls.byId(id);
  return call === null ? noSuchCall(id) : shownCall(call, clock.now());
}

/** Ends a call: both sides get a BYE. `from`: who asks, for the log. */
export function hangUp(sources: ApiSources, id: string, from: string | null): Answer<"Call"> | ApiFailure {
  const call = sources.calls.byId(id);
  if (call === null) return noSuchCall(id);
  sources.log.info("call-to-end", { call: id, from });
  if (!sources.calls.hangUp(call)) return { status: 409, error: "not_up", message: "The call is not up" };
  return shownCall(call, sources.clock.now());
}

/** Null when the cursor is none of ours. */
export function recordsView(
  { calls }: ApiSources,
  limit: number,
  cursor: string | undefined,
): Answer<"CallRecords"> | null {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(placeOf(cursor) ?? Number.NaN);
  if (!Number.isSafeInteger(before)) return null;
  const rows = calls.records(limit + 1, before);
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  return {
    records: shown.map(shownRecord),
    next_cursor: last === undefined ? null : cursorOf(String(last.seq)),
  };
}

const CSV_ROWS_MAX = 10_000;
const CSV_COLUMNS = [
  "id",
  "started_at",
  "rang_at",
  "answered_at",
  "ended_at",
  "duration_s",
  "from",
  "to",
  "asked",
  "user",
  "source",
  "target",
  "peer",
  "rule",
  "legs",
  "status",
  "reason",
  "ended_by",
  "call_id",
] as const;
/** Of the first stream, each way. */
const CSV_QUALITY = [
  "codec",
  "packets",
  "loss_percent",
  "jitter_ms",
  "round_trip_ms",
  "mos_cqe",
  "mos_lqe",
] as const;
const CSV_SENDERS = ["caller", "callee"] as const;

/** The newest records as CSV (RFC 4180), with a header line. */
export function recordsCsv({ calls }: ApiSources): string {
  const lines = calls.records(CSV_ROWS_MAX, Number.MAX_SAFE_INTEGER).map((record) => {
    const shown = shownRecord(record);
    const quality = CSV_SENDERS.flatMap((from) => {
      const stream = shown.media?.find((each) => each.stream === 0 && each.from === from);
      return CSV_QUALITY.map((column) => csvField(stream?.[column] ?? null));
    });
    return [...CSV_COLUMNS.map((column) => csvField(shown[column])), ...quality].join(",");
  });
  const quality = CSV_SENDERS.flatMap((from) => CSV_QUALITY.map((column) => `${from}_${column}`));
  return [[...CSV_COLUMNS, ...quality].join(","), ...lines, ""].join("\r\n");
}

/** A field that a spreadsheet would take for a formula gets an apostrophe: its text came from outside. */
function csvField(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function shownCall(call: Call, now: number): Answer<"Call"> {
  const at = { at_ms: now, status: 0, reason: "", by: "us" } as const;
  const { from, to, call_id } = recordOf(call, at, null);
  const { answered_at, answered_ms, expires_at, facts, meter, state } = call;
  return {
    id: call.id,
    call_id: shownText(call_id),
    from: shownText(uriIn(from)),
    to: shownText(uriIn(to)),
    user: facts.user === null ? null : shownText(facts.user),
    source: facts.source.id,
    target: shownText(call.target),
    peer: call.peer,
    rule: call.rule,
    legs: call.legs,
    started_at: rfc3339(facts.started_ms),
    rang_at: moment(call.rang_ms),
    answered_at: moment(answered_ms),
    state,
    duration_s: answered_at === null ? null : seconds(now - answered_at),
    media: meter === null ? null : shownMedia(meter.latest),
    rtpengine: call.engine?.instance ?? null,
    session_expires_in_s: expires_at === null ? null : seconds(expires_at - now),
  };
}

/** A record as the API and everybody else is told of it. */
export function shownRecord(record: CallRecord): Answer<"CallRecord"> {
  const { answered_ms, ended_ms, rang_ms, started_ms } = record;
  return {
    id: record.id,
    call_id: shownText(record.call_id),
    from: shownText(uriIn(record.from)),
    to: shownText(uriIn(record.to)),
    asked: shownText(record.asked),
    user: record.user === null ? null : shownText(record.user),
    source: record.source,
    target: shownText(record.target),
    peer: record.peer,
    rule: record.rule ?? null,
    legs: record.legs,
    started_at: rfc3339(started_ms),
    rang_at: moment(rang_ms),
    answered_at: moment(answered_ms),
    ended_at: rfc3339(ended_ms),
    duration_s: answered_ms === null ? null : seconds(ended_ms - answered_ms),
    status: record.status,
    reason: shownText(record.reason),
    media: record.media === null || record.media === undefined ? null : shownMedia(record.media),
    ended_by: record.ended_by,
  };
}

/** Nothing was measured yet: no streams. */
function shownMedia(report: MediaReport | null): NonNullable<Answer<"Call">["media"]> {
  return (report?.streams ?? []).map((stream) => ({
    ...stream,
    codec: shownText(stream.codec),
    loss_percent: rounded(stream.loss_percent, 2),
    jitter_ms: rounded(stream.jitter_ms, 1),
    jitter_max_ms: rounded(stream.jitter_max_ms, 1),
    round_trip_ms: rounded(stream.round_trip_ms, 1),
    leg_round_trip_ms: rounded(stream.leg_round_trip_ms, 1),
    far_loss_percent: rounded(stream.far_loss_percent, 2),
    far_jitter_ms: rounded(stream.far_jitter_ms, 1),
    r_lq: rounded(stream.r_lq, 1),
    r_cq: rounded(stream.r_cq, 1),
    mos_lqe: rounded(stream.mos_lqe, 2),
    mos_cqe: rounded(stream.mos_cqe, 2),
    mos_simple: rounded(stream.mos_simple, 2),
  }));
}

const rounded = (value: number | null, digits: number): number | null =>
  value === null ? null : Number(value.toFixed(digits));

/** The URI of a From or To; what cannot be read is shown as it came. */
function uriIn(value: string): string {
  const address = parseNameAddr(value);
  return address instanceof ParseError ? value : address.uri.text;
}

const seconds = (ms: number): number => Math.max(0, Math.round(ms / 1000));

const moment = (ms: number | null): string | null => (ms === null ? null : rfc3339(ms));

function noSuchCall(id: string): ApiFailure {
  return { status: 404, error: "no_such_call", message: `${shownText(id)} is no call that runs` };
}
