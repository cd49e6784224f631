/**
 * Keys about calls that are not let through: [[screen]].
 */
import * as v from "valibot";
import { listOf, sections, text } from "./kinds.ts";
import { isTimeZone, readHours, readPattern } from "./route-forms.ts";

const SCREENS_MAX = 1000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
/** `allow`, `refuse`, or `refuse` with a final status that phones understand, and its words. */
export const ACTION = /^(allow|refuse)$|^refuse ([456]\d\d)( [^\x00-\x1f\x7f"\\]{1,60})?$/;
/** Whoever hides the number (RFC 3323 §4.1.1.3). */
export const ANONYMOUS = "anonymous";

const isRead =
  <T>(read: (text: string) => T | null) =>
  (written: string): boolean =>
    read(written) !== null;
const isWho = (who: string): boolean => who.length > 0 && who.length <= 64 && !/[\s<>"]/.test(who);

export const screen = sections(
  [0, SCREENS_MAX],
  {
    does:
      "Calls that are refused, or let through before a later rule refuses them. The first rule whose every condition " +
      "fits decides; a call that none fits goes through. Emergency numbers pass all of them.",
    entries: [
      { name: "no-premium", numbers: ["0900.", "+1900."], action: "refuse" },
      { name: "no-anonymous", callers: ["anonymous"], called: ["alice"], action: "refuse 603 Declined" },
    ],
  },
  {
    name: text((name) => NAME.test(name), "1..32 of A-Z a-z 0-9 _ -", {
      does: "What records, traces and logs call it.",
      without: "nobody could tell why a call was refused",
    }),
    users: v.optional(
      listOf(isWho, "names of accounts", {
        does: "Whose calls: accounts that proved their password. None: everybody's.",
        without: "it holds for every caller",
        example: ["lobby"],
      }),
      [],
    ),
    callers: v.optional(
      listOf(isWho, 'names, numbers or patterns like "+4930.", or "anonymous"', {
        does: "Who calls, by the user part of From. None: everybody.",
        without: "it holds for every caller",
        example: ["anonymous", "+4930123."],
      }),
      [],
    ),
    numbers: v.optional(
      listOf(isRead(readPattern), 'number patterns like "0900." or "00[2-9]."', {
        does: "What is dialled. None: anything.",
        without: "it holds for every destination",
        example: ["0900.", "00."],
      }),
      [],
    ),
    called: v.optional(
      listOf(isWho, "names of users or groups here", {
        does: "Who is called. None: anybody.",
        without: "it holds for every destination",
        example: ["alice"],
      }),
      [],
    ),
    times: v.optional(
      listOf(isRead(readHours), 'times like "Mon-Fri 08:00-18:00", "Sat,Sun" or "22:00-06:00"', {
        does: "When: one of these.",
        without: "it holds at any time",
        example: ["22:00-06:00"],
      }),
      [],
    ),
    time_zone: v.optional(
      v.nullable(
        text(isTimeZone, "a time zone like Europe/Berlin", {
          does: "The time zone of times.",
          without: "it is the machine's, which is often UTC",
          example: "Europe/Berlin",
        }),
      ),
      null,
    ),
    action: v.optional(
      text((action) => ACTION.test(action), '"allow", "refuse", or "refuse 603 Declined"', {
        does: "What becomes of the call; refuse alone is 403.",
        without: "it is refused with 403",
      }),
      "refuse",
    ),
  },
);
