/**
 * Keys of [[route]]: the rules that choose where calls to nobody here go. Short forms are read by route-forms.ts.
 */
import * as v from "valibot";
import { isHost } from "./hosts.ts";
import { integer, listOf, oneOf, sections, text, truth } from "./kinds.ts";
import { isTimeZone, PEER_NAME, readCaller, readDestination, readHours, readPattern } from "./route-forms.ts";

const ROUTES_MAX = 1000;
const DESTINATIONS_MAX = 16;

const isRead = (read: (text: string) => unknown) => (written: string) => read(written) !== null;

const conditionKeys = {
  domains: v.optional(
    listOf((host) => isHost(host), '"ours", "foreign" or host names', {
      does: "For which domains the call is: any of ours, any of others, or these.",
      without: "foreign sends calls to everybody else's domains this way, too",
    }),
    ["ours"],
  ),
  numbers: v.optional(
    listOf(
      isRead(readPattern),
      "numbers; x is a digit, [2-9] one of these, a final . is one or more of anything",
      {
        does: "What was dialled: one of these. Separators in it (- . ( )) are left out first.",
        without: "the route is for every number and name",
        example: ["00.", "+49[2-9]x."],
      },
    ),
    [],
  ),
  callers: v.optional(
    listOf(isRead(readCaller), '"users", "peers", "anyone", peer:NAME or names of users', {
      does: "Who calls: users here and trusted networks, peers, these of them, or anyone at all.",
      without: "anyone lets strangers call through this line at its owner's cost",
    }),
    ["users"],
  ),
  times: v.optional(
    listOf(isRead(readHours), 'times like "Mon-Fri 08:00-18:00", "Sat,Sun" or "22:00-06:00"', {
      does: "When: one of these. A time past midnight belongs to the day it began on.",
      without: "the route is always there",
      example: ["Mon-Fri 08:00-18:00"],
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
};

const digits = (allowed: RegExp, words: string, does: string, without: string, fallback: string) =>
  v.optional(
    text((written) => allowed.test(written), words, { does, without }),
    fallback,
  );

const rewriteKeys = {
  strip: v.optional(
    integer(0, 32, "characters", {
      does: "So many characters of the number are taken off first.",
      without: "the peer gets the 0 that was dialled for an outside line",
    }),
    0,
  ),
  number_format: v.optional(
    oneOf(["keep", "e164", "digits"], {
      does: "Then: left as it is, made an E.164 number (+49301234), or that without its plus (49301234).",
      without: "keep: the peer must understand numbers as people here dial them",
    }),
    "keep",
  ),
  country_code: digits(
    /^(?:[1-9][0-9]{0,2})?$/,
    "1..3 digits, the first not 0",
    "The country code that national numbers get.",
    "national numbers are left as they are",
    "",
  ),
  international_prefix: digits(
    /^[0-9]{0,5}$/,
    "up to 5 digits",
    "What is dialled before a country code.",
    "00: wrong where it is 011, as in North America",
    "00",
  ),
  national_prefix: digits(
    /^[0-9]{0,5}$/,
    "up to 5 digits",
    "What is dialled before an area code. Empty: there is none, and every other number is left as it is.",
    "0: wrong where it is 1, as in North America, or where there is none",
    "0",
  ),
  prefix: digits(
    /^[0-9+*#]{0,16}$/,
    "up to 16 of 0-9 + * #",
    "Last: put before the number.",
    "a carrier that asks for an access code refuses the call",
    "",
  ),
};

export const route = sections(
  [0, ROUTES_MAX],
  {
    does:
      "A rule for calls to nobody here: what they must be like, how the number is rewritten, where they go. Rules " +
      "are tried in the order of the file; what later ones say is tried when earlier destinations fail. All " +
      "conditions of a rule must hold.",
    entries: [{ name: "abroad", numbers: ["00."], to: ["peer:carrier"] }],
  },
  {
    name: text((name) => PEER_NAME.test(name), "1..32 of A-Z a-z 0-9 _ -", {
      does: "What logs and `sipedge route test` call it.",
      without: "needed",
    }),
    ...conditionKeys,
    ...rewriteKeys,
    to: v.pipe(
      listOf(
        isRead(readDestination),
        '"peer:NAME", names of users or groups, "{number}", "{enum}" or "refuse 403 reason"',
        {
          does:
            "Where the call goes, one after the other until one takes it. {number} is the user or group here that " +
            "has the rewritten number as name. {enum} is where dns.enum_suffix leads the rewritten number (RFC 6116). " +
            "After refuse nothing is tried.",
          without: "needed",
        },
      ),
      v.minLength(1, "at least one destination"),
      v.maxLength(DESTINATIONS_MAX, `at most ${DESTINATIONS_MAX} destinations`),
    ),
    ring_s: v.optional(
      v.nullable(
        integer(1, 3600, "seconds", {
          does: "How long each destination may take to answer; then the next one is tried. (Kamailio: fr_inv_timer_avp)",
          without: "they ring until the caller gives up, or timers.timer_c_s",
          example: 25,
        }),
      ),
      null,
    ),
    last: v.optional(
      truth({
        does: "No later route is tried after this one.",
        without: "false: a call that fails here goes on to every later route that fits",
      }),
      false,
    ),
  },
);

export type RouteKeys = v.InferOutput<typeof route>[number];
