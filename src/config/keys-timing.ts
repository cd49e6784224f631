/**
 * Keys about time and room: [timers], [limits] and [shutdown].
 */
import * as v from "valibot";
import { integer, oneOf, section, truth } from "./kinds.ts";

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
        does:
          "Timer C: how long a call may ring without a word. RFC 3261 §16.6 asks for more than 180. " +
          "(Kamailio: fr_inv_timer)",
        without: "a callee's device that died while ringing holds the call for ever",
      }),
      181,
    ),
    restart_timer_c: v.optional(
      oneOf(["each", "higher"], {
        does:
          "What starts Timer C anew: each provisional answer but 100 (RFC 3261 §16.7 step 2), or only one with a " +
          "higher status than those before. (Kamailio: restart_fr_on_each_reply = 1, 0)",
        without: "each: a phone that repeats 180 for ever rings until invite_lifetime_s",
      }),
      "each",
    ),
    no_reply_s: v.exactOptional(
      integer(1, 600, "seconds", {
        does: "How long a phone may stay silent before it counts as unreachable. (Kamailio: fr_timer)",
        without: "it is 64 * T1: 32 seconds",
        example: 10,
      }),
    ),
    failover_s: v.optional(
      integer(1, 32, "seconds", {
        does: "How long a server may stay silent before the next one of the same name, or another flow, is tried.",
        without: "long: callers wait; short: a slow server gets a second call",
      }),
      4,
    ),
    invite_lifetime_s: v.optional(
      integer(20, 7200, "seconds", {
        does:
          "How long one call may be sought in all, whoever rings, is forwarded to or repeats 180. " +
          "(Kamailio: max_inv_lifetime)",
        without: "shorter than timer_c_s: this ends calls first",
      }),
      300,
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
    datagram_bytes_max: v.optional(
      integer(1300, 65_535, "bytes", {
        does: "The largest message over UDP; a larger request is answered 513, a larger response dropped.",
        without: "a large message needs many fragments, and one lost fragment loses it all",
      }),
      65_535,
    ),
    headers_bytes_max: v.optional(
      integer(1000, 1_048_576, "bytes", {
        does: "Start line and header fields of a message together; more is answered 513.",
        without: "one message could keep the appliance busy with thousands of lines",
      }),
      32_768,
    ),
    header_line_bytes_max: v.optional(
      integer(256, 1_048_576, "bytes", {
        does: "One header field; a longer one is answered 400. A signed Identity has about 1000 bytes.",
        without: "phones and proxies behind this one would get lines that they cannot hold",
      }),
      8192,
    ),
    uri_bytes_max: v.optional(
      integer(64, 65_535, "bytes", {
        does: "The Request-URI; a longer one is answered 414.",
        without: "as with header_line_bytes_max",
      }),
      2048,
    ),
    transactions_max: v.optional(
      integer(100, 10_000_000, "transactions", {
        does: "Requests under way at once, about 500 bytes each; one more is answered 503.",
        without: "a flood of requests would fill the memory",
      }),
      100_000,
    ),
    transactions_per_source_max: v.optional(
      integer(10, 10_000_000, "transactions", {
        does:
          "Requests of one address under way at once; one more is answered 503. Does not hold for " +
          "auth.trusted_networks. A transaction lives for half a minute: 20000 are 100 calls a second.",
        without: "one address could take up all of transactions_max",
      }),
      20_000,
    ),
    match_call_id: v.optional(
      truth({
        does:
          "Whether a response must also have the Call-ID of its request; one that does not is dropped. " +
          "(Kamailio: callid_matching)",
        without: "false: the branch, which nobody can guess, is enough, as RFC 3261 §17.1.3 has it",
      }),
      false,
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
