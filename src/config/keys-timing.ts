/**
 * Keys about time and room: [timers], [limits] and [shutdown].
 */
import * as v from "valibot";
import { integer, section } from "./kinds.ts";

export const timers = section(
  { does: "The timers of RFC 3261 §17. Both ends of a line must agree on T1, T2 and T4: leave them alone." },
  {
    t1_ms: v.optional(
      integer(50, 5000, "milliseconds", {
        does: "T1, the round trip that is reckoned with; a peer that stays silent for 64 of them has failed.",
        without: "shorter: needless repetitions; longer: slower to give up on a dead peer",
      }),
      500,
    ),
    t2_ms: v.optional(
      integer(50, 60_000, "milliseconds", {
        does: "T2, the longest pause between two repetitions.",
        without: "must not be shorter than T1",
      }),
      4000,
    ),
    t4_ms: v.optional(
      integer(50, 60_000, "milliseconds", {
        does: "T4, how long a message may be on its way.",
        without: "shorter: late repetitions look like new requests",
      }),
      5000,
    ),
    timer_c_s: v.optional(
      integer(10, 3600, "seconds", {
        does: "Timer C: how long a call may ring without a word. RFC 3261 §16.6 asks for more than 180.",
        without: "a callee's device that died while ringing holds the call for ever",
      }),
      180,
    ),
  },
);

export const limits = section(
  { does: "Nothing grows without bound; reaching one of these is counted in the metrics." },
  {
    message_bytes_max: v.optional(
      integer(1300, 1_048_576, "bytes", {
        does: "The largest message on a stream (TCP); a larger one is answered 513 and ends the connection.",
        without: "one peer could fill the memory with one message",
      }),
      65_535,
    ),
    transactions_max: v.optional(
      integer(100, 10_000_000, "transactions", {
        does: "Requests under way at once, about 500 bytes each; one more is answered 503.",
        without: "a flood of requests would fill the memory",
      }),
      100_000,
    ),
    branches_max: v.optional(
      integer(1, 60, "targets", {
        does: "Phones one call may ring at once.",
        without: "one request could be multiplied at will (RFC 5393)",
      }),
      10,
    ),
    bindings_max: v.optional(
      integer(1, 10_000_000, "bindings", {
        does: "Registered phones in all; one more is answered 503.",
        without: "registrations would fill memory and disk",
        restart: true,
      }),
      100_000,
    ),
  },
);

export const shutdown = section(
  { does: "What happens after SIGTERM." },
  {
    drain_s: v.optional(
      integer(0, 300, "seconds", {
        does: "How long running transactions may finish; new calls get 503 meanwhile.",
        without: "0: calls that are being set up break off",
      }),
      5,
    ),
  },
);
