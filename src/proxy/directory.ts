/**
 * What the names of our domains stand for, and the rules calls are sought by. The app fills it from
 * the configuration and the store.
 */
import type { ForwardRules } from "../location/forwards.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";

/** How several contacts of one user are tried (RFC 3261 §16.6): by falling q, all at once, one by one. */
export type ForkMode = "q" | "parallel" | "serial";

/** What is special about calls to a user. */
export interface UserPlan {
  readonly fork: ForkMode | null;
  /** Callers are told the contacts (302) instead of being connected. */
  readonly redirect: boolean;
}

/** Users that ring together, and for how long. */
export interface GroupStep {
  readonly users: readonly string[];
  readonly ring_ms: number;
}

export interface GroupPlan {
  readonly steps: readonly GroupStep[];
  readonly forwards: ForwardRules;
}

export interface Directory {
  /** Whether an account of that name exists, registered or not. */
  knowsUser(name: string): boolean;
  /** Null: nothing is special. */
  userPlan(name: string): UserPlan | null;
  /** Null: no forwarding. */
  forwardsOf(user: string): ForwardRules | null;
  /** Null: no group of that name. */
  group(name: string): GroupPlan | null;
  /** How phones of a user called at this host name ring. */
  forkOf(host: string): ForkMode;
  /**
   * Why this user's forward, or its phone's redirection, may not take the call to `uri`; null: it may, and counts as a
   * call of that user. `caller` is the user part of From.
   */
  refusesForward(owner: string, uri: SipUri, caller: string | null): Refusal | null;
  /** The URI to which a call for help goes that was dialled as `user`; null: it is none. */
  emergency(user: string): string | null;
}

/** Who asks for a way out. */
export interface Caller {
  /** The account that was proved; null: none was. */
  readonly user: string | null;
  /** Which of its names it calls under; null: no account was proved. */
  readonly identity: string | null;
  /** An account was proved, or the network is trusted. */
  readonly ours: boolean;
  /** It may be believed what the request says of its own past: one of ours, or a peer. */
  readonly isVouched: boolean;
  /** One of ours, or in a network from which calls for help are taken. */
  readonly mayCallForHelp: boolean;
  /** The peer that sent the request; null: none, or it is one of ours. */
  readonly peer: string | null;
  /** The user part of From, unescaped; null: it has none, or the request begins no call. */
  readonly name: string | null;
}

/**
 * One call or request to a peer. Whoever sends it tells what came of it: `mayBegin` before a copy leaves for a
 * place of it, then exactly one of the others once no other place is tried, for a 2xx `accepted`.
 */
export interface TrunkHop {
  /** The peer's name. */
  readonly peer: string;
  /** The name of the rule that leads there; null: none was asked. */
  readonly rule: string | null;
  /** The Request-URI. */
  readonly uri: SipUri;
  /** The Route that takes it there, a whole name-addr; null: none is needed. */
  readonly route: string | null;
  /** Header lines without CRLF that name the caller, in place of those that came. */
  readonly identity: readonly string[];
  /** False: it is down, left alone, or has all the calls it may have. Asked anew for each of its places. */
  mayBegin(method: string, isNew: boolean): boolean;
  accepted(callId: string): void;
  refused(status: number, retryAfter_s: number | null): void;
  /** No answer of any kind. */
  silent(method: string): void;
  /** It could not be sent. */
  failed(): void;
}

/** A place that routes name. */
export type TrunkWay = {
  /** How long it may ring before the next one is tried; null: until somebody decides. */
  readonly ring_ms: number | null;
} & (
  | {
      readonly kind: "peer";
      /** Asked for when its turn comes. */
      readonly hops: () => readonly TrunkHop[] | Refusal;
    }
  /** A user or group here. */
  | { readonly kind: "local"; readonly name: string }
  | {
      readonly kind: "sought";
      readonly find: Find;
    }
);

/** Finds out which URI it is, or why there is none; `found` is called once, at once or later. */
export type Find = (found: (uri: SipUri | Refusal) => void) => void;

export interface Trunks {
  /** No way and no refusal: no rule fits. */
  decide(
    uri: SipUri,
    ours: boolean,
    caller: Caller,
    method: string,
  ): { readonly ways: readonly TrunkWay[]; readonly refusal: Refusal | null };
  /** The dialog of that Call-ID has ended. */
  dialogEnded(callId: string): void;
}

/** The rules that hold for every call; all times in milliseconds. */
export interface SearchRules {
  /** How long contacts of one preference ring before the next are tried. */
  readonly hunt_ms: number;
  /** How long phones ring before `no_answer` applies, where the user names no time. */
  readonly no_answer_ms: number;
  /** How often one call may be forwarded. */
  readonly forwards_max: number;
  readonly follow_redirects: boolean;
  readonly history_info: boolean;
  readonly diversion: boolean;
}
