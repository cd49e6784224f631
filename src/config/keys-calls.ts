/**
 * Keys about where calls go: [calls], [[called_domain]], [[group]], [emergency], and the forwarding keys of
 * [[user]].
 */
import * as v from "valibot";
import { parseNetwork } from "../base/networks.ts";
import { callLimits } from "./call-limits.ts";
import { isHost, isSipUri } from "./hosts.ts";
import { mediaProfileKey, relayKey } from "./keys-media.ts";
import { integer, listOf, oneOf, section, sections, text, truth } from "./kinds.ts";

/** RFC 3261 §25.1 user, without escapes: a name has one spelling. */
export const USER_NAME = /^[A-Za-z0-9._~!*'()&=+$,;?/-]{1,64}$/;
export const USER_NAME_ALLOWED = "1..64 of A-Z a-z 0-9 . _ ~ ! * ' ( ) & = + $ , ; ? / -";
const GROUPS_MAX = 10_000;
const RING_TIMES = [1, 600] as const;

const FORKS = ["q", "parallel", "serial"] as const;

const destination = (does: string) =>
  v.optional(
    v.nullable(
      text(
        (name) => USER_NAME.test(name) || isSipUri(name),
        "the name of a user or group here, or a sip: URI",
        { does, without: "such calls end with the refusal the phones gave", example: "voicemail" },
      ),
    ),
    null,
  );

const fork = () =>
  v.exactOptional(
    oneOf(FORKS, {
      does: "In place of calls.fork.",
      without: "it is as calls.fork says",
      example: "parallel",
    }),
  );

/** Where calls go that nobody took; of users and of groups. */
const failureRoutes = {
  forward_busy: destination("Where calls go when the phones are busy (486, 600)."),
  forward_no_answer: destination("Where calls go when nobody picks up (408, 480, or the time is over)."),
  forward_not_registered: destination(
    "Where calls go when no phone is registered; without it, forward_unreachable counts.",
  ),
  forward_unreachable: destination(
    "Where calls go when the registered phones cannot be reached; without it, forward_not_registered or forward_no_answer.",
  ),
};

/** The keys of `[[user]]` about calls to that user. */
export const userCallKeys = {
  fork: fork(),
  relay: relayKey,
  media_profile: mediaProfileKey,
  calls_at_once_max: v.exactOptional(callLimits.calls_at_once_max),
  calls_per_minute_max: v.exactOptional(callLimits.calls_per_minute_max),
  redirect: v.optional(
    truth({
      does: "Callers are answered 302 with the phones' contacts instead of being connected by us.",
      without: "true: callers must be able to reach the phones by themselves",
    }),
    false,
  ),
  forward_always: destination("Where all calls to this user go."),
  ...failureRoutes,
  no_answer_s: v.exactOptional(
    integer(...RING_TIMES, "seconds", {
      does: "In place of calls.no_answer_s.",
      without: "it is as calls.no_answer_s says",
      example: 15,
    }),
  ),
};

export const calls = section(
  { does: "Who may call, and in which order phones ring." },
  {
    accept_foreign_callers: v.optional(
      truth({
        does:
          "Whether calls to our users are taken, without a password, from senders outside our domains and " +
          "trusted networks. It never lets them call anybody else through us.",
        without: "true: anybody on the internet can make the phones ring",
      }),
      false,
    ),
    fork: v.optional(
      oneOf(FORKS, {
        does:
          "How several phones of one user ring: by their preference (the q they registered with; equal ones " +
          "together, lower ones after hunt_s), all at once, or one after the other. A phone without q has q = 1.",
        without: "parallel ignores what phones ask for; serial makes callers wait",
      }),
      "q",
    ),
    hunt_s: v.optional(
      integer(...RING_TIMES, "seconds", {
        does: "How long phones of one preference ring before the next are tried, and a group's step.",
        without: "long: the caller gives up before the last phone rings",
      }),
      20,
    ),
    no_answer_s: v.optional(
      integer(...RING_TIMES, "seconds", {
        does: "How long phones ring before forward_no_answer applies.",
        without: "long: the caller gives up before voicemail answers",
      }),
      20,
    ),
    forwards_max: v.optional(
      integer(0, 20, "forwards", {
        does: "How often one call may be forwarded, and how many Diversions it may have when it comes.",
        without: "forwards between two appliances go round until Max-Forwards is used up",
      }),
      5,
    ),
    session_s: v.optional(
      integer(0, 86_400, "seconds, 90 at least, 0 for none", {
        does:
          "Calls get a session timer (RFC 4028) of so long, where phones ask for none or a longer one: one of the " +
          "two says within half of it that the call still runs, else it is over.",
        without: "0: a call whose phones vanish without a BYE stays in the list until another limit ends it",
      }),
      0,
    ),
    session_min_s: v.optional(
      integer(90, 86_400, "seconds", {
        does: "Shorter session timers are refused with 422, or made longer where the phone would not understand that.",
        without: "a phone that refreshes each call every few seconds is a load of its own",
      }),
      90,
    ),
    calls_at_once_max: v.optional(callLimits.calls_at_once_max, 0),
    calls_per_minute_max: v.optional(callLimits.calls_per_minute_max, 600),
    max_duration_s: v.optional(
      integer(0, 604_800, "seconds, 0 for any time", {
        does: "How long a call may last; then both sides get a BYE.",
        without: "0: a call whose phones have vanished stays in the list, and on the carrier's bill",
      }),
      43_200,
    ),
    late_forking: v.optional(
      truth({
        does: "A phone that registers while its user is being called rings too.",
        without: "false: a phone that was woken up by the call misses it",
      }),
      true,
    ),
    decline_ends_search: v.optional(
      truth({
        does: "One phone's 6xx (603 Decline) ends the call for all (RFC 3261 §16.7 step 5).",
        without: "false: the other phones go on ringing after somebody has pressed reject",
      }),
      true,
    ),
    follow_redirects: v.optional(
      truth({
        does:
          "A 3xx from one of our own phones is followed by us instead of being told to the caller. Callers from " +
          "elsewhere are only ever taken to users of ours.",
        without: "false: callers' phones must follow redirects themselves",
      }),
      false,
    ),
    early_media: v.optional(
      oneOf(["all", "first"], {
        does: "Whose ring tones the caller gets when several phones send some: all of them, or only those of the first.",
        without: "all: some callers' phones clip or mix them",
      }),
      "all",
    ),
    history_info: v.optional(
      truth({
        does: "Forwarded calls carry History-Info (RFC 7044): whom they were for, and why they went on.",
        without: "a voicemail system may not know whose box to open",
      }),
      true,
    ),
    diversion: v.optional(
      truth({
        does: "Forwarded calls carry Diversion (RFC 5806), which older systems read.",
        without: "a voicemail system may not know whose box to open",
      }),
      true,
    ),
  },
);

export const calledDomain = sections(
  [0, 1000],
  {
    does: "What is special about calls to one of the names in domains.",
    entries: [{ name: "192.0.2.10", fork: "parallel" }],
  },
  {
    name: text(isHost, "a host name or address", {
      does: "One of domains.",
      without: "needed",
    }),
    fork: fork(),
  },
);

export const group = sections(
  [0, GROUPS_MAX],
  {
    does: "A ring group: a name that makes the phones of several users ring.",
    entries: [{ name: "sales", ring: ["alice bob 15s", "carol"], forward_no_answer: "voicemail" }],
  },
  {
    name: text((name) => USER_NAME.test(name), USER_NAME_ALLOWED, {
      does: "What is dialled: sales, or 300.",
      without: "needed",
    }),
    ring: listOf(
      isStep,
      'users that ring together, like "alice bob", with a time if need be, like "alice bob 15s"',
      {
        does:
          "Who rings, step by step: the users of one entry together, the entries one after the other, each for its " +
          "time or calls.hunt_s. Members' own forwards are not followed.",
        without: "needed",
      },
    ),
    ...failureRoutes,
  },
);

/** One entry of `ring`, taken apart. Null: it is none. */
export function readStep(step: string): { users: readonly string[]; ring_s: number | null } | null {
  const words = step.split(/[ \t]+/).filter((word) => word !== "");
  const time = /^([0-9]{1,3})s$/.exec(words.at(-1) ?? "");
  const users = time === null ? words : words.slice(0, -1);
  const ring_s = time === null ? null : Number(time[1]);
  if (ring_s !== null && (ring_s < RING_TIMES[0] || ring_s > RING_TIMES[1])) return null;
  if (users.length === 0 || users.length > 100 || !users.every((user) => USER_NAME.test(user))) return null;
  return { users, ring_s };
}

function isStep(step: string): boolean {
  return readStep(step) !== null;
}

export const emergency = section(
  {
    does:
      "Calls for help (RFC 6881): taken without a password and beyond every limit from these networks, and from " +
      "any user, and never forwarded elsewhere.",
  },
  {
    numbers: v.optional(
      listOf((number) => /^[0-9*#+]{2,20}$/.test(number), "numbers as they are dialled", {
        does: "The numbers that are calls for help, beside urn:service:sos.",
        without: "they are calls like any other: a password, and a user of that name, are needed",
        example: ["112", "911"],
      }),
      [],
    ),
    to: v.optional(
      v.nullable(
        text((uri) => isSipUri(uri.replaceAll("{number}", "112")), "a sip: URI", {
          does: "Where they go: the carrier that takes them. The number dialled replaces the user part {number}.",
          without: "numbers alone do nothing, and urn:service:sos is refused",
          example: "sip:{number}@carrier.example.test",
        }),
      ),
      null,
    ),
    networks: v.optional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does: "From where calls for help need no password.",
        without: "a wider list lets strangers ring the emergency services through this line",
      }),
      ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1"],
    ),
  },
);
