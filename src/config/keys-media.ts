/**
 * Keys about the media of calls: [media], and which users and peers are relayed.
 */
import * as v from "valibot";
import { ipFamily } from "../base/address.ts";
import { decimal, integer, listOf, oneOf, section, text } from "./kinds.ts";

const MODES = ["auto", "always", "never"] as const;

/** An encoding name (RFC 8866 §6.6), with clock rate or without. */
const CODEC = /^[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,64}(\/\d{1,10})?$/;

/** When the media of a call passes through us. */
export type RelayMode = (typeof MODES)[number];

/** The key of `[[user]]` and `[[peer]]`. */
export const relayKey = v.exactOptional(
  oneOf(MODES, {
    does: "In place of media.relay, for calls from and to it; always goes before never.",
    without: "it is as media.relay says",
    example: "always",
  }),
);

/** The key of `[[user]]` and `[[peer]]`. */
export const mediaProfileKey = v.exactOptional(
  oneOf(["rtp", "srtp", "webrtc"], {
    does:
      "How it takes its media, where rtpengine relays it: plain RTP, SRTP with keys in its description (SDES), or as " +
      "browsers do (DTLS-SRTP with ICE).",
    without:
      "webrtc for who comes by ws or wss; others get it as the other side sends it, or rtp where that one has a profile",
    example: "srtp",
  }),
);

export const media = section(
  { does: "Voice and video: whether they pass through this appliance, and by which ports." },
  {
    relay: v.optional(
      oneOf(MODES, {
        does:
          "auto relays the media of a call when one side stands behind a NAT, or the two cannot reach each other " +
          "(IPv4 and IPv6, two networks of this machine). Its quality is measured only then.",
        without: "never: two phones behind two NATs hear nothing",
      }),
      "auto",
    ),
    engine: v.optional(
      oneOf(["built-in", "rtpengine"], {
        does: "Who relays: this appliance itself, or the rtpengines named under [[rtpengine]].",
        without:
          "rtpengine: a second program to run; built-in: no transcoding, no SRTP towards those who lack it",
        restart: true,
      }),
      "built-in",
    ),
    rtpengine_timeout_ms: v.optional(
      integer(200, 10_000, "ms", {
        does: "How long an rtpengine may take to answer; then the next one is asked. It is asked three times within it.",
        without: "too long, and callers wait when one has died; too short, and a busy one counts as dead",
      }),
      1000,
    ),
    rtpengine_ping_s: v.optional(
      integer(1, 3600, "seconds", {
        does: "How often each rtpengine is asked whether it is there.",
        without: "the first calls after one has died wait for rtpengine_timeout_ms",
      }),
      5,
    ),
    rtpengine_transcode: v.optional(
      listOf((name) => CODEC.test(name), 'codec names as rtpengine knows them, like "opus" or "PCMA"', {
        does: "Codecs that rtpengine offers beside the caller's own, and transcodes when one of them is chosen.",
        without: "two phones without a codec in common get no call (488)",
        example: ["PCMA", "opus"],
      }),
      [],
    ),
    rtpengine_networks: v.optional(
      listOf((name) => /^[A-Za-z0-9_.-]{1,64}$/.test(name), "two interface names, the inner one first", {
        does: "The names of rtpengine's interfaces towards inside and outside (its `interface` option), where it has two.",
        without: "rtpengine tells everybody the address of its first interface",
        example: ["internal", "external"],
      }),
      [],
    ),
    port_min: v.optional(
      integer(1024, 65_534, "UDP port", {
        does: "The first UDP port for media. A call with one stream takes four ports; a firewall must let all in.",
        without: "a firewall that knows no range lets no voice through",
        restart: true,
      }),
      10_000,
    ),
    port_max: v.optional(
      integer(1025, 65_535, "UDP port", {
        does: "The last one.",
        without: "too few ports, and calls are refused with 503",
        restart: true,
      }),
      19_999,
    ),
    advertise: v.optional(
      v.nullable(
        text((address) => ipFamily(address) === 4, "an IPv4 address", {
          does: "The address phones outside send media to, when this machine stands behind a 1:1 NAT itself.",
          without: "it is the address that a listener's advertise names, else the listener's own",
          example: "203.0.113.5",
        }),
      ),
      null,
    ),
    accept_from: v.optional(
      oneOf(["named", "anywhere"], {
        does:
          "From where the first packet of a phone is believed: only from the address that its session description " +
          "names or its signalling comes from, or from anywhere. Later ones are held to the first in both cases.",
        without:
          "anywhere: whoever guesses a port in time hears the call; named: phones are not heard whose media comes " +
          "from an address of its own",
      }),
      "named",
    ),
    dscp: v.optional(
      integer(0, 63, "DSCP, 0 for none", {
        does: "How relayed packets are marked for routers (RFC 2474); 46 is expedited forwarding, which voice asks for.",
        without: "0: voice waits behind downloads where a router would let it pass",
        restart: true,
      }),
      46,
    ),
    codecs_remove: v.optional(
      listOf((name) => CODEC.test(name), 'codec names, like "g729" or "telephone-event/16000"', {
        does: "Codecs that are taken out of session descriptions, as long as another one is left in the stream.",
        without: "phones agree on a codec that a trunk bills, records or transcodes badly",
        example: ["g723"],
      }),
      [],
    ),
    codecs_prefer: v.optional(
      listOf((name) => CODEC.test(name), 'codec names, like "opus" or "pcma"', {
        does: "Codecs that are put first in this order; the others stay behind them as they were.",
        without: "the phone's own order decides",
        example: ["opus", "pcma"],
      }),
      [],
    ),
    mos_alarm: v.optional(
      decimal(0, 4.5, "MOS, 0 for never", {
        does: "A relayed call whose listening quality falls below this is named in the log, once for each direction.",
        without: "0: bad lines are found when people complain",
      }),
      0,
    ),
    silence_s: v.optional(
      integer(0, 86_400, "seconds, 0 for never", {
        does: "A relayed call in which nothing was heard of both sides for so long is ended, unless it is on hold.",
        without: "0: a call whose phones have lost power lasts until calls.max_duration_s",
      }),
      120,
    ),
  },
);
