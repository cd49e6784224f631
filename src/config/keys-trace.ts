/**
 * Keys about what is remembered of messages: [trace].
 */
import * as v from "valibot";
import { integer, section, truth } from "./kinds.ts";

export const trace = section(
  { does: "The messages of the last calls and registrations, kept in memory to answer why one failed." },
  {
    enabled: v.optional(
      truth({
        does: "Whether messages are kept. Passwords' proofs, media keys and the text of messages are never shown.",
        without: "false: only the log and the records tell why a call failed",
      }),
      true,
    ),
    calls_max: v.optional(
      integer(1, 100_000, "calls", {
        does:
          "Calls whose messages are kept, and as many registrations; calls that ended well go first, then those " +
          "that failed.",
        without: "few: a call of this morning is gone by noon",
      }),
      1000,
    ),
    kilobytes_max: v.optional(
      integer(64, 1_048_576, "kB", {
        does: "What all of them may take. A call takes some 10 kB.",
        without: "a small board runs out of memory",
      }),
      8192,
    ),
  },
);
