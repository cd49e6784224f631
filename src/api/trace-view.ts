/** `/v1/traces`: what came, what left and what was decided, call by call. */
import { hostPort } from "../base/flow.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import { masked } from "../trace/masked.ts";
import { pcapOf } from "../trace/pcap.ts";
import type { Trace, TraceEntry, TraceState } from "../trace/trace.ts";
import type { ApiFailure } from "./failure.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function tracesView(sources: ApiSources, max: number, state: TraceState | null): Answer<"Traces"> {
  const { traces } = sources;
  return {
    traces_total: traces.size,
    bytes: traces.bytes,
    traces: traces.newest(max, state).map(summaryOf),
  };
}

export function traceView(sources: ApiSources, name: string): Answer<"Trace"> | ApiFailure {
  const trace = sources.traces.find(latin1(name));
  return trace === null
    ? noSuchTrace(name)
    : { ...summaryOf(trace), entries: trace.entries.map((entry) => shownEntry(trace, entry)) };
}

/** The messages as a capture file. */
export function tracePcap(sources: ApiSources, name: string): Uint8Array<ArrayBuffer> | ApiFailure {
  const trace = sources.traces.find(latin1(name));
  return trace === null ? noSuchTrace(name) : new Uint8Array(pcapOf(trace));
}

function summaryOf(trace: Trace): Answer<"TraceSummary"> {
  const head = trace.first?.latin1Slice() ?? "";
  return {
    id: trace.id,
    call_id: shownText(trace.call_id),
    method: shownText(trace.method),
    from: shownText(uriOf(head, /^(?:From|f)[ \t]*:[ \t]*(.*)$/im)),
    to: shownText(uriOf(head, /^(?:To|t)[ \t]*:[ \t]*(.*)$/im)),
    began_at: rfc3339(trace.began_ms),
    state: trace.state,
    status: trace.status,
    reason: shownText(trace.reason),
    entries_total: trace.size,
    left_out: trace.left_out,
  };
}

function shownEntry({ began_ms, began_at }: Trace, entry: TraceEntry): Answer<"TraceEntry"> {
  const after_ms = Math.round((entry.at - began_at) * 10) / 10;
  const moment = { at: rfc3339(began_ms + Math.round(after_ms)), after_ms, kind: entry.kind };
  if (entry.kind === "note")
    return {
      ...moment,
      transport: null,
      from: null,
      to: null,
      summary: shownText(entry.text),
      message: null,
    };
  const { transport, local, remoteAddress, remotePort } = entry.ends;
  const here = hostPort(local.address, local.port);
  const there = hostPort(remoteAddress, remotePort);
  const [from, to] = entry.kind === "received" ? [there, here] : [here, there];
  const message = masked(entry.bytes);
  return { ...moment, transport, from, to, summary: shownText(startOf(message)), message: utf8(message) };
}

/** The start line without version, and what a method alone does not tell: whose answer, and the CSeq's method. */
function startOf(message: string): string {
  const line = message.slice(0, message.indexOf("\r\n")).replace(/^SIP\/2\.0 | SIP\/2\.0$/g, "");
  if (!message.startsWith("SIP/2.0")) return line;
  const method = /^CSeq[ \t]*:[ \t]*\d+[ \t]+(\S+)/im.exec(message)?.[1];
  return method === undefined ? line : `${line} (${method})`;
}

function uriOf(head: string, header: RegExp): string {
  const value = header.exec(head)?.[1] ?? "";
  const read = parseNameAddr(value.trim());
  return read instanceof ParseError ? value : read.uri.text;
}

/** A whole message is shown whole. */
const utf8 = (latin: string): string => Buffer.from(latin, "latin1").toString("utf8");
const latin1 = (name: string): string => Buffer.from(name, "utf8").toString("latin1");

function noSuchTrace(name: string): ApiFailure {
  return {
    status: 404,
    error: "no_such_trace",
    message: `Nothing is kept of ${shownText(name)}: it is too long ago, or never came ([trace])`,
  };
}
