/**
 * What rtpengine is asked to make of a session description that goes from one side of a call to the other: the words
 * of its ng protocol for what the two sides can.
 */
import type { BenInput } from "./bencode.ts";

/** How a side takes its media; `as_it_comes`: as the other side sends it, or plain where that side has one of its own. */
export type MediaProfile = "as_it_comes" | "rtp" | "srtp" | "webrtc";

/** One side of a call that rtpengine relays. */
export interface NgSide {
  readonly profile: MediaProfile;
  readonly family: 4 | 6;
  /** The name of rtpengine's interface that faces it; null: rtpengine has only one. */
  readonly network: string | null;
  readonly signalling_address: string;
  /** Whether what it says of its own address may be worth nothing. */
  readonly is_nat: boolean;
}

type Words = { readonly [key: string]: BenInput | undefined };

const TRANSPORT = { rtp: "RTP/AVP", srtp: "RTP/SAVP", webrtc: "UDP/TLS/RTP/SAVPF" } as const;

/** What holds for all calls. */
export interface NgRules {
  /** How packets are marked; 0: not at all. */
  readonly dscp: number;
  /** Codecs that are offered beside those that came, to be transcoded. */
  readonly transcode: readonly string[];
}

/** The words for an offer, or an answer, on its way from one side to the other. */
export function ngWords(
  op: "offer" | "answer",
  from: NgSide,
  to: NgSide,
  { dscp, transcode }: NgRules,
): Words {
  const flags = ["loop-protect", ...(from.is_nat ? ["SIP-source-address"] : ["trust-address"])];
  const shared = {
    replace: ["origin", "session-connection"],
    flags,
    ICE: to.profile === "webrtc" ? "force" : "remove",
    "address-family": `IP${to.family}`,
    "received-from": [from.signalling_address.includes(":") ? "IP6" : "IP4", from.signalling_address],
    direction: from.network === null || to.network === null ? undefined : [from.network, to.network],
    TOS: dscp === 0 ? undefined : dscp << 2,
  };
  if (op === "answer") return shared;
  const codec = transcode.length === 0 ? undefined : { transcode };
  return { ...shared, codec, ...transportWords(from, to, flags) };
}

/** An answer follows the offer it belongs to by itself: only an offer says what is to become of the transport. */
function transportWords(from: NgSide, to: NgSide, flags: readonly string[]): Words {
  const profile = to.profile === "as_it_comes" && from.profile !== "as_it_comes" ? "rtp" : to.profile;
  if (profile === "as_it_comes") return {};
  const words = { "transport-protocol": TRANSPORT[profile] };
  if (profile === "webrtc")
    return { ...words, flags: [...flags, "generate-mid"], "rtcp-mux": ["offer"], SDES: ["off"] };
  return { ...words, "rtcp-mux": ["demux"], DTLS: "off" };
}
