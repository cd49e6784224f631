/**
 * Keys of [[peer]]: the trunks, PBXs and carriers that routes lead to. Short forms are read by route-forms.ts.
 */
import * as v from "valibot";
import { parseNetwork } from "../base/networks.ts";
import { isHost, isSipUri } from "./hosts.ts";
import { mediaProfileKey, relayKey } from "./keys-media.ts";
import { integer, listOf, oneOf, sections, text, truth } from "./kinds.ts";
import { PEER_NAME, readPeerAddress } from "./route-forms.ts";

const PEERS_MAX = 200;
const ADDRESSES_MAX = 16;
const HOUR_S = 3600;

const limitKeys = {
  calls_max: v.optional(
    integer(0, 1_000_000, "calls, 0 for no limit", {
      does: "How many calls to it there may be at once.",
      without: "0: more calls are offered than were bought, and the carrier refuses them its own way",
      example: 30,
    }),
    0,
  ),
  calls_per_s: v.optional(
    integer(0, 10_000, "new calls each second, 0 for no limit", {
      does: "How many new calls it is offered in a second; beyond them the next destination is tried (call gapping).",
      without: "0: a burst of calls can overrun a small PBX, or break the carrier's contract",
      example: 10,
    }),
    0,
  ),
  calls_burst: v.optional(
    integer(0, 10_000, "calls, 0 for as many as calls_per_s", {
      does: "How many calls may begin at the same moment after a pause. 1 spaces them evenly.",
      without: "much more than calls_per_s lets a second have more calls than that",
    }),
    0,
  ),
  over_limit: v.optional(
    oneOf(["480", "503"], {
      does: "The answer to a call beyond the limits that nobody else can take; with Retry-After.",
      without: "503 makes many callers believe that all of this appliance is down",
    }),
    "480",
  ),
};

const probeKeys = {
  probe_s: v.optional(
    integer(0, HOUR_S, "seconds between OPTIONS, 0 for none", {
      does: "How often each of its URIs is asked whether it is there (RFC 3261 §11).",
      without: "0: a dead one is noticed only by the first call that waits for it",
    }),
    30,
  ),
  probe_timeout_s: v.optional(
    integer(1, 32, "seconds", {
      does: "How long the answer may take.",
      without: "long: a dead one is noticed late",
    }),
    4,
  ),
  probe_down: v.optional(
    integer(1, 100, "probes", {
      does: "So many probes in a row without an answer and it counts as down. The second comes at once after the first.",
      without: "1: one lost datagram takes a trunk away",
    }),
    2,
  ),
  probe_up: v.optional(
    integer(1, 100, "probes", {
      does: "So many answers in a row and it counts as up again.",
      without: "1: one that comes and goes gets calls each time",
    }),
    1,
  ),
  probe_503_is_down: v.optional(
    truth({
      does: "Whether the answer 503 counts as none; every other answer counts.",
      without: "false: calls go to one that says itself that it takes none",
    }),
    true,
  ),
};

const asideKeys = {
  retry_after_default_s: v.optional(
    integer(0, HOUR_S, "seconds", {
      does: "For how long a URI is left alone that answered 503 without Retry-After.",
      without: "long: one bad call takes a trunk away",
    }),
    0,
  ),
  retry_after_min_s: v.optional(
    integer(0, HOUR_S, "seconds", {
      does: "The least that a Retry-After of it counts for.",
      without: "it is what the peer says",
    }),
    0,
  ),
  retry_after_max_s: v.optional(
    integer(0, 24 * HOUR_S, "seconds", {
      does: "The most that a Retry-After of it counts for. 0: a 503 never puts it aside.",
      without: "a mistaken or forged Retry-After takes the trunk away for as long as it says",
    }),
    HOUR_S,
  ),
  unreachable_s: v.optional(
    integer(0, HOUR_S, "seconds", {
      does: "For how long a URI is left alone that left an INVITE without any answer or refused the connection.",
      without: "0: each call waits anew for the dead one; long: it stays away though it is back",
    }),
    60,
  ),
};

export const peer = sections(
  [0, PEERS_MAX],
  {
    does: "A trunk, a PBX or a carrier: where routes lead.",
    entries: [
      {
        name: "carrier",
        uris: ["sip:gw1.carrier.example.test priority=1 weight=2", "sip:gw2.carrier.example.test priority=1"],
      },
    ],
  },
  {
    name: text((name) => PEER_NAME.test(name), "1..32 of A-Z a-z 0-9 _ -", {
      does: "What routes, logs and metrics call it.",
      without: "needed",
    }),
    uris: v.pipe(
      listOf(
        (address) => readPeerAddress(address) !== null,
        'sip: URIs, like "sip:192.0.2.7:5060 priority=1 weight=2"',
        {
          does:
            "Where it takes calls. The lowest priority first; those of one priority get calls by weight, and " +
            "weight 0 only when the others cannot be had.",
          without: "needed",
        },
      ),
      v.minLength(1, "at least one URI"),
      v.maxLength(ADDRESSES_MAX, `at most ${ADDRESSES_MAX} URIs`),
    ),
    networks: v.optional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does: "From where its requests come: what is sent from there is from this peer, without a password.",
        without: "its calls are those of a stranger; a wider list lets others call in its name",
        example: ["192.0.2.7"],
      }),
      [],
    ),
    certificate_name: v.optional(
      v.nullable(
        text(isHost, "a host name", {
          does:
            "Who shows a good certificate for this name over TLS is this peer, wherever it comes from (RFC 5922). " +
            'It needs tls.client_certificate = "request" or "require".',
          without: "a peer whose addresses change is known by none of them",
          example: "trunk.example.net",
        }),
      ),
      null,
    ),
    serves: v.optional(
      listOf(isHost, 'host names or IP addresses without "sip:" and port', {
        does:
          "Domains whose accounts this peer keeps: their phones register and call through here, and it asks for " +
          "the passwords. Calls back to them come with the Path we put into their registration (RFC 3327).",
        without: "phones of a PBX behind this appliance could not register at it from behind their NATs",
        example: ["pbx.example.test"],
      }),
      [],
    ),
    outbound_proxy: v.optional(
      truth({
        does: "Requests keep the domain they are for, and this peer is only the way there (a Route header).",
        without: "true: most carriers take only numbers of their own domain",
      }),
      false,
    ),
    identity: v.optional(
      oneOf(["none", "asserted", "remote_party"], {
        does:
          "Whether it is told who calls, beside From: in P-Asserted-Identity (RFC 3325), in Remote-Party-ID, " +
          "which older systems read, or not at all.",
        without: "none: some carriers show no number, or refuse; others tell names to people outside",
      }),
      "none",
    ),
    identity_uri: v.optional(
      v.nullable(
        text((uri) => isSipUri(uri.replaceAll("{user}", "1").replaceAll("{identity}", "1")), "a sip: URI", {
          does: "Who is named as caller. {user} stands for the account that calls, {identity} for the one of its names it calls under.",
          without: "it is {identity} at the main domain",
          example: "sip:+4930123{user}@carrier.example.test",
        }),
      ),
      null,
    ),
    relay: relayKey,
    media_profile: mediaProfileKey,
    ...limitKeys,
    ...probeKeys,
    ...asideKeys,
  },
);

export type PeerKeys = v.InferOutput<typeof peer>[number];
