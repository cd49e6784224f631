/**
 * One call that passes through: when it began, rang, was answered and ended, between whom, and the messages that set
 * it up, from which everything else is read when somebody asks.
 */
import type { Flow } from "../base/flow.ts";
import type { CallMedia } from "../media/call-media.ts";
import type { MediaMeter } from "../media/media-session.ts";
import type { NgCall } from "../media/ng-call.ts";

/** What a call can be: being set up, ringing, running, or being ended by us. */
export type CallState = "trying" | "ringing" | "up" | "ending";

/** Who ended it: one of the two, we ourselves, or nobody did and its time was over. */
export type EndedBy = "caller" | "callee" | "us" | "nobody";

/** The longest text of a call that is kept for its record. */
export const TEXT_CHARS_MAX = 300;

/**
 * What is known when a call begins. `…_ms` are Unix milliseconds, `…_at` are `clock.now()`: how long something lasts is
 * measured by that, for the wall clock may jump.
 */
export interface CallFacts {
  readonly call_id: string;
  /** The caller's tag. */
  /** Null: it sent none, as RFC 2543 allowed. */
  readonly from_tag: string | null;
  /** The INVITE as it came: never changed. */
  readonly invite: Buffer;
  /** From and To without their parameters, and the Request-URI: as they came, cut to `TEXT_CHARS_MAX`. */
  readonly from: string;
  readonly to: string;
  readonly asked: string;
  /** The account the caller proved; null: none. */
  readonly user: string | null;
  /** The flow the INVITE came on. */
  readonly source: Flow;
  readonly started_ms: number;
  readonly started_at: number;
}

export class Call {
  /** Names it in the API; no part of any message. */
  readonly id: string;
  readonly facts: CallFacts;
  state: CallState = "trying";
  /** The target that was tried last, and in the end the one that answered: a URI. */
  target = "";
  /** The peer it went to; null: none of the config. */
  peer: string | null = null;
  /** The route that led there; null: none was asked. */
  rule: string | null = null;
  /** Copies that left. */
  legs = 0;
  rang_ms: number | null = null;
  answered_ms: number | null = null;
  answered_at: number | null = null;
  /** The callee's tag, once it answered. */
  to_tag: string | null = null;
  /** The 2xx, as it came. */
  answer: Buffer | null = null;
  /** The flow to whoever answered. */
  callee: Flow | null = null;
  /** The highest CSeq that each side has used in the dialog. */
  caller_cseq = 0;
  callee_cseq = 0;
  /** When it is over unless it is refreshed (RFC 4028); null: it has no session timer. */
  expires_at: number | null = null;
  /** The session interval asked for last, by a side that keeps session timers; null: none was. */
  session_asked_s: number | null = null;
  /** Its media, when that is relayed here. */
  media: CallMedia | null = null;
  /** The same, when an rtpengine relays it. */
  engine: NgCall | null = null;
  /** The caller's address since it has moved; null: it is where its INVITE came from. */
  movedTo: string | null = null;
  /** Where the last BYE of one of its sides was sent, if it came from there; null: nowhere. */
  byeTo: "other side" | "elsewhere" | null = null;
  /** When we sent its BYEs; null: we did not. */
  ending_at: number | null = null;

  constructor(id: string, facts: CallFacts) {
    this.id = id;
    this.facts = facts;
  }

  /** What measures its media; null: that does not pass. */
  get meter(): MediaMeter | null {
    return this.media?.session ?? this.engine;
  }

  /** The Unix milliseconds of a moment of this call: as if the wall clock had not jumped since it began. */
  wallOf(at: number): number {
    return this.facts.started_ms + Math.round(at - this.facts.started_at);
  }
}
