/** The shapes of `/v1/bans`. */
import * as v from "valibot";
import { count, text, time } from "./kinds.ts";

const SECONDS_MAX = 31_536_000;
const REASON_CHARS_MAX = 200;

export const Ban = v.object({
  source: text("An address, an IPv6 /64, or a network"),
  reason: text("Why"),
  by: text("guard, or the address that asked over the API"),
  since: time("When it began"),
  until: time("When it ends"),
  times: count("How often this source was banned"),
});

export const Bans = v.object({
  bans_total: count("Sources that are kept out now"),
  bans: v.pipe(v.array(Ban), v.description("The newest first, at most ?limit=")),
});

export const NewBan = v.strictObject({
  seconds: v.optional(
    v.pipe(
      v.number("a number of seconds is needed"),
      v.integer("whole seconds are needed"),
      v.minValue(1, "1 second at least"),
      v.maxValue(SECONDS_MAX, "a year at most"),
      v.description("How long; a day when absent"),
    ),
    86_400,
  ),
  reason: v.optional(
    v.pipe(
      v.string("text is needed"),
      v.maxLength(REASON_CHARS_MAX, `at most ${REASON_CHARS_MAX} characters`),
    ),
    "by hand",
  ),
});
