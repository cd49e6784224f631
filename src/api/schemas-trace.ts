/** The shapes of `/v1/traces`. */
import * as v from "valibot";
import { count, text, time } from "./kinds.ts";

export const TRACE_STATES = ["passing", "running", "failed", "done"] as const;

const summary = {
  id: text("Names the trace here"),
  call_id: text("Its Call-ID"),
  method: text("Of the request it began with"),
  from: text("The URI in From"),
  to: text("The URI in To"),
  began_at: time("When its first message came"),
  state: v.pipe(
    v.picklist(TRACE_STATES),
    v.description(
      "running, failed and done are calls that were let in; passing is everything else: registrations, messages, " +
        "and calls that were not",
    ),
  ),
  status: count("The final answer; 0: none yet"),
  reason: text("Its words"),
  entries_total: count("Messages and decisions that are kept"),
  left_out: count("Those that gave way to newer ones"),
};

export const TraceSummary = v.object(summary);

export const Traces = v.object({
  traces_total: count("Calls and registrations whose messages are kept"),
  bytes: count("What they take"),
  traces: v.pipe(v.array(TraceSummary), v.description("The newest first")),
});

export const TraceEntry = v.object({
  at: time("When"),
  after_ms: v.pipe(v.number(), v.description("Since the first entry")),
  kind: v.pipe(
    v.picklist(["received", "sent", "unsent", "note"]),
    v.description("A message, one that the transport did not take, or a decision"),
  ),
  transport: v.nullable(text("udp, tcp, …; null for a decision")),
  from: v.nullable(text("address:port")),
  to: v.nullable(text("address:port")),
  summary: text("The decision in words, or the message's start line without version"),
  message: v.nullable(text("The message; what is secret in it is stars")),
});

export const Trace = v.object({
  ...summary,
  entries: v.pipe(v.array(TraceEntry), v.description("In the order of time")),
});
