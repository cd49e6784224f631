/**
 * The traces, fed by everything that has something to say of a call.
 */
import type { Config } from "../config/schema.ts";
import type { TraceRules, TracesParts } from "../trace/traces.ts";
import { Traces } from "../trace/traces.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Answers } from "./answers.ts";
import { TraceNotes } from "./trace-notes.ts";

const KILOBYTE = 1024;

export function traceRules({ trace: { enabled, calls_max, kilobytes_max } }: Config): TraceRules {
  return { enabled, calls_max, bytes_max: kilobytes_max * KILOBYTE };
}

/** What is received and forwarded is told to `traces` and `notes` by whoever makes these parts. */
export function makeTracing(
  parts: TracesParts & {
    readonly layer: TransactionLayer;
    readonly answers: Answers;
  },
  config: Config,
): { readonly traces: Traces; readonly notes: TraceNotes } {
  const { answers, layer } = parts;
  const traces = new Traces(parts, traceRules(config));
  const notes = new TraceNotes(traces);
  layer.tap = traces;
  answers.tap = traces;
  answers.onRefused = (call_id, refusal) => notes.refused(call_id, refusal);
  return { traces, notes };
}
