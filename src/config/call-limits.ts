/**
 * How many calls an account may make.
 */
import { integer } from "./kinds.ts";

/** In `[calls]` as what holds for all accounts, in `[[user]]` for one. */
export const callLimits = {
  calls_at_once_max: integer(0, 100_000, "calls, 0 for any number", {
    does: "Calls that one account may have at once that it began itself.",
    without: "0: a stolen password makes as many calls as the carrier takes",
    example: 4,
  }),
  calls_per_minute_max: integer(0, 100_000, "calls, 0 for any number", {
    does: "Calls that one account may begin in a minute.",
    without: "0: a stolen password makes thousands of calls before somebody looks",
    example: 10,
  }),
};
