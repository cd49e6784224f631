/**
 * Voice quality reports of phones: bodies of type application/vq-rtcpxr (RFC 6035 §4.6), read into numbers.
 * Tolerant of unknown lines and parameters, names in any case and lines ended by LF alone; bounded; never throws.
 */
import { ParseError } from "../message/parse-error.ts";

/** Longer bodies are not read. */
export const VQ_BYTES_MAX = 16_384;
/** Lines that are read; the rest is left. */
export const VQ_LINES_MAX = 128;
/** Texts (identities, groups, call ids) are cut after so many characters. */
export const VQ_TEXT_CHARS_MAX = 256;

export type VqKind = "session" | "interval" | "alert";

/** IP, PORT and SSRC of a LocalAddr or RemoteAddr line; null where it does not say. */
export interface VqAddress {
  readonly ip: string | null;
  readonly port: number | null;
  readonly ssrc: number | null;
}

/** One direction as the reporter measured it (local) or heard from its peer (remote). Null: not said or not readable. */
export interface VqMetrics {
  readonly start: string | null;
  readonly stop: string | null;
  readonly payload_type: number | null;
  readonly payload_name: string | null;
  readonly sample_rate_hz: number | null;
  readonly jitter_buffer_nominal_ms: number | null;
  readonly jitter_buffer_max_ms: number | null;
  readonly loss_percent: number | null;
  readonly discard_percent: number | null;
  readonly burst_loss_percent: number | null;
  readonly burst_ms: number | null;
  readonly gap_loss_percent: number | null;
  readonly gap_ms: number | null;
  readonly g_min: number | null;
  readonly round_trip_ms: number | null;
  readonly end_system_ms: number | null;
  readonly one_way_ms: number | null;
  readonly interarrival_jitter_ms: number | null;
  readonly absolute_jitter_ms: number | null;
  readonly signal_dbm0: number | null;
  readonly noise_dbm0: number | null;
  readonly rerl_db: number | null;
  readonly r_lq: number | null;
  readonly r_cq: number | null;
  readonly external_r_in: number | null;
  readonly external_r_out: number | null;
  readonly mos_lq: number | null;
  readonly mos_cq: number | null;
  readonly estimator: string | null;
}

export interface VqReport {
  readonly kind: VqKind;
  /** `CallTerm` on the first line: the last report of the call. */
  readonly call_ended: boolean;
  /** Of an alert: the metric (`NLR`, `RLQ` …), `Warning`, `Critical` or `Clear`, and the direction. */
  readonly alert: { readonly type: string; readonly severity: string; readonly direction: string } | null;
  readonly call_id: string | null;
  readonly local_id: string | null;
  readonly remote_id: string | null;
  readonly orig_id: string | null;
  readonly local_group: string | null;
  readonly remote_group: string | null;
  readonly local_address: VqAddress | null;
  readonly remote_address: VqAddress | null;
  readonly local: VqMetrics | null;
  readonly remote: VqMetrics | null;
  readonly dialog_id: string | null;
}

const KINDS: ReadonlyMap<string, VqKind> = new Map([
  ["vqsessionreport", "session"],
  ["vqintervalreport", "interval"],
  ["vqalertreport", "alert"],
]);

/** Parameters by name in upper case. A Map, because the names come from outside. */
type Params = Map<string, string>;

/** All lines of one kind of metrics, by line name in lower case. */
type Section = Map<string, Params>;

/** Reads a body; a ParseError (`vq_size`, `vq_kind`) when it is none of the three reports. */
export function readVqReport(body: Uint8Array): VqReport | ParseError {
  if (body.length > VQ_BYTES_MAX) return new ParseError("vq_size", VQ_BYTES_MAX);
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
  const lines = text.trimStart().split(/\r\n|\n|\r/, VQ_LINES_MAX);
  const [name, value] = nameAndValue(lines[0] ?? "");
  const kind = KINDS.get(name);
  if (kind === undefined) return new ParseError("vq_kind", 0);
  const { fields, local, remote } = sort(lines);
  const text_of = (field: string) => textOf(fields.get(field));
  return {
    kind,
    call_ended: /\bCallTerm\b/i.test(value),
    alert: kind === "alert" ? alertOf(parameters(value)) : null,
    call_id: text_of("callid"),
    local_id: text_of("localid"),
    remote_id: text_of("remoteid"),
    orig_id: text_of("origid"),
    local_group: text_of("localgroup"),
    remote_group: text_of("remotegroup"),
    local_address: addressOf(fields.get("localaddr")),
    remote_address: addressOf(fields.get("remoteaddr")),
    local: local && metricsOf(local),
    remote: remote && metricsOf(remote),
    dialog_id: text_of("dialogid"),
  };
}

interface Sorted {
  /** Lines outside LocalMetrics and RemoteMetrics, by name in lower case; the first of a name counts. */
  readonly fields: Map<string, string>;
  readonly local: Section | null;
  readonly remote: Section | null;
}

/** `LocalMetrics:` and `RemoteMetrics:` open a section, which every line after it belongs to if it has parameters. */
function sort(lines: readonly string[]): Sorted {
  const fields = new Map<string, string>();
  let local: Section | null = null;
  let remote: Section | null = null;
  let section: Section | null = null;
  for (const line of lines.slice(1)) {
    const [name, value] = nameAndValue(line);
    if (name === "localmetrics") section = local = new Map();
    else if (name === "remotemetrics") section = remote = new Map();
    else if (section !== null && METRIC_LINES.has(name)) section.set(name, parameters(value));
    else if (name !== "" && !fields.has(name)) fields.set(name, value);
  }
  return { fields, local, remote };
}

const METRIC_LINES: ReadonlySet<string> = new Set([
  "timestamps",
  "sessiondesc",
  "jitterbuffer",
  "packetloss",
  "burstgaploss",
  "delay",
  "signal",
  "qualityest",
]);

/** `Name HCOLON value`. */
function nameAndValue(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = colon < 0 ? line : line.slice(0, colon);
  return [name.trim().toLowerCase(), colon < 0 ? "" : line.slice(colon + 1).trim()];
}

/** `NAME=value` separated by blanks; a value may be quoted (FMTP). A name begins where a word does, or it would be slow. */
function parameters(text: string): Params {
  const params: Params = new Map();
  for (const [, name, quoted, bare] of text.matchAll(/(?<![\w-])([A-Za-z][\w-]*)=(?:"([^"]*)"|([^\s;]*))/g))
    params.set(name!.toUpperCase(), quoted ?? bare ?? "");
  return params;
}

function alertOf(params: Params): VqReport["alert"] {
  const word = (name: string) => textOf(params.get(name)) ?? "";
  return { type: word("TYPE"), severity: word("SEVERITY"), direction: word("DIR") };
}

function addressOf(value: string | undefined): VqAddress | null {
  if (value === undefined) return null;
  const params = parameters(value);
  const ssrc = /^(?:0x)?([0-9a-f]{1,8})$/i.exec(params.get("SSRC") ?? "")?.[1];
  return {
    ip: textOf(params.get("IP")),
    port: within(params.get("PORT"), 0, 65_535),
    ssrc: ssrc === undefined ? null : Number.parseInt(ssrc, 16),
  };
}

function textOf(value: string | undefined): string | null {
  return value === undefined || value === "" ? null : value.slice(0, VQ_TEXT_CHARS_MAX);
}

/** A plain decimal number in the range, else null; 127 and the like, which stand for "unavailable", lie outside theirs. */
function within(value: string | undefined, min: number, max: number): number | null {
  if (value === undefined || !/^[+-]?\d{1,10}(?:\.\d{1,10})?$/.test(value)) return null;
  const number = Number(value);
  return number >= min && number <= max ? number : null;
}

const PERCENT_MAX = 100;
const MS_MAX = 3_600_000;
/** 127 is "unavailable" (RFC 3611 §4.7.4). */
const LEVEL_MAX = 126;
const R_MAX = 120;
const MOS_MAX = 5;

function metricsOf(section: Section): VqMetrics {
  const raw = (line: string, name: string) => section.get(line)?.get(name);
  const percent = (line: string, name: string) => within(raw(line, name), 0, PERCENT_MAX);
  const ms = (line: string, name: string) => within(raw(line, name), 0, MS_MAX);
  const level = (name: string) => within(raw("signal", name), -LEVEL_MAX - 1, LEVEL_MAX);
  const factor = (name: string) => within(raw("qualityest", name), 0, R_MAX);
  const mos = (name: string) => within(raw("qualityest", name), 1, MOS_MAX);
  return {
    start: textOf(raw("timestamps", "START")),
    stop: textOf(raw("timestamps", "STOP")),
    payload_type: within(raw("sessiondesc", "PT"), 0, 127),
    payload_name: textOf(raw("sessiondesc", "PD")),
    sample_rate_hz: within(raw("sessiondesc", "SR"), 0, 1_000_000),
    jitter_buffer_nominal_ms: ms("jitterbuffer", "JBN"),
    jitter_buffer_max_ms: ms("jitterbuffer", "JBM"),
    loss_percent: percent("packetloss", "NLR"),
    discard_percent: percent("packetloss", "JDR"),
    burst_loss_percent: percent("burstgaploss", "BLD"),
    burst_ms: ms("burstgaploss", "BD"),
    gap_loss_percent: percent("burstgaploss", "GLD"),
    gap_ms: ms("burstgaploss", "GD"),
    g_min: within(raw("burstgaploss", "GMIN"), 0, 255),
    round_trip_ms: ms("delay", "RTD"),
    end_system_ms: ms("delay", "ESD"),
    one_way_ms: ms("delay", "OWD") ?? ms("delay", "SOWD"),
    interarrival_jitter_ms: ms("delay", "IAJ"),
    absolute_jitter_ms: ms("delay", "MAJ"),
    signal_dbm0: level("SL"),
    noise_dbm0: level("NL"),
    rerl_db: level("RERL"),
    r_lq: factor("RLQ"),
    r_cq: factor("RCQ"),
    external_r_in: factor("EXTRI"),
    external_r_out: factor("EXTRO"),
    mos_lq: mos("MOSLQ"),
    mos_cq: mos("MOSCQ"),
    estimator: textOf(raw("qualityest", "QOEESTALG")),
  };
}
