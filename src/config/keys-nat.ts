/**
 * Keys about phones behind NATs: [nat], [keepalive] and [[device]].
 */
import * as v from "valibot";
import { integer, listOf, oneOf, section, sections, someOf, text, truth } from "./kinds.ts";
import { maskedHeader } from "./masks.ts";

const HEADER_CHARS_MAX = 256;
const DEVICES_MAX = 100;
const PATTERN_CHARS_MAX = 100;
/** `Name: value`, in one line, and none of the fields a ping has of itself. */
const HEADER_LINE = /^[A-Za-z0-9\-.!%*_+`'~]+:[ \t]*[^\x00-\x1f\x7f]+$/;
const OWN_HEADERS =
  /^(via|v|from|f|to|t|call-id|i|cseq|max-forwards|content-length|l|event|o|contact|m|route|record-route):/i;

/** Every reason there is; the room `nat` says what each means. */
const REASONS = [
  "private_contact",
  "contact_mismatch",
  "contact_port_mismatch",
  "private_via",
  "via_mismatch",
  "via_port_mismatch",
  "private_sdp",
  "sdp_mismatch",
  "private_source",
  "websocket",
] as const;

export const nat = section(
  { does: "Phones behind NATs: they are reached over the flow they registered on." },
  {
    reasons: v.optional(
      someOf(
        REASONS,
        {
          does:
            "What makes a phone count as behind a NAT: addresses of its Contact, Via or SDP that are private, or " +
            "others than its packets come from.",
          without:
            "a phone that is taken for reachable is called at an address that nobody outside can reach",
        },
        0,
      ),
      ["private_contact", "via_mismatch", "via_port_mismatch", "websocket"],
    ),
    contact: v.optional(
      oneOf(["keep", "rewrite"], {
        does:
          'What the other side sees as Contact of a phone behind a NAT: "keep": what the phone wrote, whose requests find ' +
          'it by the signed entry in Record-Route. "rewrite": the address that its packets come from, with a signed ' +
          "parameter that brings the phone its own Contact back as Request-URI; REGISTER keeps its own.",
        without:
          "peers that refuse private addresses in Contact, or send there in spite of Record-Route, lose the calls of " +
          "phones behind NATs",
      }),
      "keep",
    ),
  },
);

export const keepalive = section(
  { does: "Pings that keep the NATs of registered, subscribed and calling phones open." },
  {
    enabled: v.optional(
      truth({ does: "Whether there are pings at all.", without: "NATs forget phones within a minute" }),
      true,
    ),
    interval_s: v.optional(
      integer(5, 3600, "seconds", {
        does: "The time between two pings of one flow; all flows are spread evenly over it.",
        without: "many NATs forget a UDP flow after 30 s without a packet",
        start: true,
      }),
      25,
    ),
    method: v.optional(
      oneOf(["options", "notify", "zero_bytes"], {
        does: "A SIP request that the phone answers, or four zero bytes, which nobody answers.",
        without: "many NATs stay open only for what comes from inside, which is the answer",
      }),
      "options",
    ),
    to: v.optional(
      oneOf(["nat", "all"], {
        does: "Whether only phones behind NATs are pinged, or all.",
        without: "pings to phones that need none cost them battery",
      }),
      "nat",
    ),
    lost_after: v.optional(
      integer(0, 100, "pings in a row; 0: never", {
        does: "After so many pings without an answer the phone is taken out of use until it registers anew.",
        without: "calls ring at a phone that was unplugged until their time is over",
      }),
      3,
    ),
    from: v.optional(
      v.nullable(
        text((uri) => /^sips?:[^\s<>"]{1,200}$/i.test(uri), "a SIP URI", {
          does: "The From of pings; else sip:keepalive@ our own address.",
          without: "some phones answer only to names they know",
          example: "sip:keepalive@example.test",
        }),
      ),
      null,
    ),
    extra_headers: v.optional(
      listOf(
        (line) => line.length <= HEADER_CHARS_MAX && HEADER_LINE.test(line) && !OWN_HEADERS.test(line),
        'header lines like "Subject: ping"',
        {
          does: "Header lines that pings carry besides.",
          without: "nothing; for devices that want them",
          example: ["Subject: ping"],
          masked: maskedHeader,
        },
      ),
      [],
    ),
  },
);

export const device = sections(
  [0, DEVICES_MAX],
  {
    does: "What is special about devices of one kind, by their User-Agent.",
    entries: [{ user_agent: "*Battery*", keepalive: false }],
  },
  {
    user_agent: text(
      (pattern) => pattern.length > 0 && pattern.length <= PATTERN_CHARS_MAX,
      `1..${PATTERN_CHARS_MAX} characters, * stands for any text`,
      {
        does: "Matches the User-Agent of a phone's REGISTER, in any case.",
        without: "it would match nothing",
      },
    ),
    keepalive: v.optional(
      truth({ does: "Whether such phones are pinged.", without: "phones on batteries are woken up" }),
      true,
    ),
  },
);
