/**
 * The media of one call that we relay: each session description that passes is noted and leaves with our ports in
 * place of those it came with (RFC 3264), be it in an INVITE, a 183, a 200, an ACK, a PRACK or an UPDATE. Offers and
 * answers are treated alike: what a side says is where it wants its media, and what the other side is told is ours.
 */
import type { BodyPart } from "../message/body-parts.ts";
import { editLength, sdpPart } from "../message/body-parts.ts";
import type { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Sdp, SdpMedia } from "../message/sdp.ts";
import { readSdp } from "../message/sdp.ts";
import type { CodecRule } from "../message/sdp-codec-rule.ts";
import type { MediaPlan } from "../message/sdp-edit.ts";
import { rewriteSdp } from "../message/sdp-edit.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { MediaSession, RemoteMedia } from "./media-session.ts";

/** The key of the caller's side; a callee's side has the branch of the copy it got. */
export const CALLER = "caller";

/** One side of the call. */
export interface MediaLeg {
  /** `CALLER`, or what names a callee. */
  readonly key: string;
  /** Our address that faces it, on which its ports are opened. */
  readonly local_address: string;
  /** The address it is told to send to. */
  readonly told_address: string;
  /** Where its signalling comes from. */
  readonly signalling_address: string;
  /** Whether it may send from another address than it says. */
  readonly is_nat: boolean;
  /** Whether its first packet is believed wherever it comes from. */
  readonly is_anywhere: boolean;
}

/** What became of a session description: `relayed`, there was `none` to relay, or it stays as it came because … */
export type Passed = "relayed" | "none" | "unreadable" | "own" | "no_ports";

export interface PassedBody {
  readonly passed: Passed;
  /** Bytes of the body as it leaves. */
  readonly length: number;
}

/** Callees of one call whose sides are told apart; one more, and its answers pass as they came. */
const LEGS_MAX = 64;

/** Applies a codec rule to the session description of a message that is not relayed. Returns the body's length. */
export function editCodecs(edits: Edits, message: SipMessage, rule: CodecRule): number {
  const part = sdpPart(message);
  const sdp = part === null ? null : readSdp(message.bytes, part.from, part.to);
  if (part === null || sdp === null || sdp instanceof ParseError) return message.bodyEnd - message.bodyStart;
  return rewrite(edits, message, part, sdp, [], rule);
}

export class CallMedia {
  /** What is done to the codecs of the descriptions that pass; null: nothing. */
  codecs: CodecRule | null = null;
  readonly session: MediaSession;
  readonly #legs = new Map<string, MediaLeg>();
  /** Keys of callees by the To tags of their answers. */
  readonly #keys = new Map<string, string>();
  /** `address port` that were told. */
  readonly #told = new Set<string>();

  constructor(session: MediaSession) {
    this.session = session;
  }

  /** A side that takes part from now on. False: there are too many. */
  join(leg: MediaLeg): boolean {
    if (!this.#legs.has(leg.key) && this.#legs.size >= LEGS_MAX) return false;
    this.#legs.set(leg.key, leg);
    return true;
  }

  /** A side signals from this address now. */
  move(key: string, signalling_address: string): void {
    const leg = this.#legs.get(key);
    if (leg !== undefined && leg.signalling_address !== signalling_address)
      this.#legs.set(key, { ...leg, signalling_address });
  }

  has(key: string): boolean {
    return this.#legs.has(key);
  }

  /** The callee whose answer to the copy `key` has this tag. */
  name(key: string, tag: string): void {
    if (this.#keys.has(tag) || this.#keys.size < LEGS_MAX) this.#keys.set(tag, key);
  }

  /** The callee with this tag; null: its media does not pass here. */
  keyOf(tag: string | null): string | null {
    const key = tag === null ? undefined : this.#keys.get(tag);
    return key !== undefined && this.#legs.has(key) ? key : null;
  }

  /** That callee takes the call: its media is the caller's, and the other callees are let go. */
  choose(key: string): void {
    this.session.choose(key);
    for (const other of this.#legs.keys()) if (other !== key && other !== CALLER) this.drop(other);
  }

  drop(key: string): void {
    if (this.#legs.delete(key)) this.session.drop(key);
  }

  /** Takes the session description of `message`, which goes from one side to another, and edits it. */
  pass(edits: Edits, message: SipMessage, fromKey: string, toKey: string): PassedBody {
    const length = message.bodyEnd - message.bodyStart;
    const from = this.#legs.get(fromKey);
    const to = this.#legs.get(toKey);
    const part = from === undefined || to === undefined ? null : sdpPart(message);
    if (part === null) return { passed: "none", length };
    const sdp = readSdp(message.bytes, part.from, part.to);
    if (sdp instanceof ParseError) return { passed: "unreadable", length };
    if (sdp.media.some(({ connection, port }) => this.#told.has(`${connection?.address} ${port}`)))
      return { passed: "own", length };
    const plans = this.#plan(sdp, from!, to!);
    if (plans === null) return { passed: "no_ports", length };
    return { passed: "relayed", length: rewrite(edits, message, part, sdp, plans, this.codecs) };
  }

  #plan(sdp: Sdp, from: MediaLeg, to: MediaLeg): (MediaPlan | null)[] | null {
    const hasBundles = sdp.bundles.length > 0;
    const plans: (MediaPlan | null)[] = [];
    for (const [stream, media] of sdp.media.entries()) {
      if (!isRelayable(media)) {
        plans.push(null);
        continue;
      }
      // Both sides at once: that there are no ports shows before anybody's phone rings.
      const back = this.session.side(stream, from.key, from.local_address);
      const ports = this.session.side(stream, to.key, to.local_address);
      if (back === null || ports === null) return null;
      this.session.setRemote(stream, from.key, remoteOf(media, from, hasBundles));
      this.#told.add(`${to.told_address} ${ports.rtp_port}`);
      plans.push({ address: to.told_address, port: ports.rtp_port, rtcpPort: ports.rtcp_port });
    }
    return plans;
  }
}

/** What can be passed on: datagrams to an address. WebRTC asks for checks (RFC 8445) that nobody here answers. */
function isRelayable(media: SdpMedia): boolean {
  return (
    media.isUdp &&
    !media.isRejected &&
    !media.isBundleOnly &&
    media.connection !== null &&
    !(media.hasIce && /TLS/i.test(media.protocol))
  );
}

function rewrite(
  edits: Edits,
  message: SipMessage,
  part: BodyPart,
  sdp: Sdp,
  media: readonly (MediaPlan | null)[],
  codecs: CodecRule | null,
): number {
  const { growth } = rewriteSdp(edits, sdp, {
    media,
    ice: "strip",
    originAddress: null,
    codecs,
    isMarked: false,
  });
  return editLength(edits, message, part, growth);
}

/** Streams of one bundle share a port, so any payload type may come to it. */
function remoteOf(media: SdpMedia, leg: MediaLeg, isBundled: boolean): RemoteMedia {
  const { connection, payloads } = media;
  return {
    address: connection === null || connection.isUnspecified ? null : connection.address,
    rtp_port: media.port,
    rtcp_port: media.rtcpPort,
    is_mux: media.isMux,
    is_rtp: media.isRtp,
    direction: media.isHeldByAddress ? "sendonly" : media.direction,
    payloads: isBundled ? null : payloads,
    ptime_ms: media.ptime_ms,
    signalling_address: leg.signalling_address,
    is_nat: leg.is_nat,
    is_anywhere: leg.is_anywhere,
  };
}
