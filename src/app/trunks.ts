/**
 * The peers and routes of the config as the proxy sees them, and the calls that are counted against a
 * peer's limits until their dialog ends.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import { globalNumber } from "../dns/enum.ts";
import { EnumLookups } from "../dns/enum-lookups.ts";
import type { NameService } from "../dns/records.ts";
import type { Domains } from "../location/domains.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri, unescapeUser } from "../message/uri.ts";
import { identityLines } from "../peers/identity.ts";
import type { PeerUri } from "../peers/peer.ts";
import { routeThrough } from "../peers/peer.ts";
import { PeerBook } from "../peers/peer-book.ts";
import type { Way } from "../peers/routes.ts";
import type { Screening } from "../peers/screening.ts";
import type { TrunkHop as Hop } from "../peers/trunks.ts";
import { Trunks } from "../peers/trunks.ts";
import type { Caller, Find, Trunks as ProxyTrunks, TrunkHop, TrunkWay } from "../proxy/directory.ts";

/** Calls counted at once; the oldest is forgotten for the next, which frees its line too early. */
const CALLS_MAX = 100_000;
/** A call whose BYE never came is over after so long. */
const CALL_LIFE_MS = 12 * 3600 * 1000;

export interface TrunkParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly domains: Domains;
  /** For ENUM. */
  readonly names: NameService;
  readonly screening: Screening;
}

interface RunningCall {
  readonly at: PeerUri;
  readonly until: number;
}

export class AppTrunks implements ProxyTrunks {
  readonly book: PeerBook;
  readonly #trunks: Trunks;
  readonly #parts: TrunkParts;
  readonly #enum: EnumLookups;
  readonly #calls: BoundedMap<string, RunningCall>;

  constructor(parts: TrunkParts, config: Config) {
    this.#parts = parts;
    this.book = new PeerBook(parts);
    this.#trunks = new Trunks(this.book);
    this.#enum = new EnumLookups(parts, enumOptions(config));
    const forgotten = parts.metrics.counter(
      "sipedge_peer_calls_forgotten_total",
      "Running calls no longer counted because too many run",
    );
    this.#calls = new BoundedMap(CALLS_MAX, (_, { at }) => {
      forgotten.inc();
      this.book.callEnded(at);
    });
    this.configure(config);
  }

  configure(config: Config): void {
    this.#trunks.configure(config);
    this.#enum.options = enumOptions(config);
  }

  decide(
    uri: SipUri,
    ours: boolean,
    caller: Caller,
    method: string,
  ): { readonly ways: readonly TrunkWay[]; readonly refusal: Refusal | null } {
    const serving = ours ? null : this.book.serving(uri.host);
    if (serving !== null) {
      const hops = () => this.#through(serving.name, method, uri, caller);
      return { ways: [{ kind: "peer", hops, ring_ms: null }], refusal: null };
    }
    const { clock } = this.#parts;
    const { ways, refusal } = this.#trunks.decide({
      user: uri.user,
      host: uri.host,
      ours,
      caller: { user: caller.user, ours: caller.ours, peer: caller.peer },
      wall_ms: clock.wall(),
    });
    if (ways.length > 0 || refusal !== null)
      return { ways: ways.map((way) => this.#toWay(way, caller, method, uri)), refusal };
    const number = ours && caller.ours && this.#enum.isOn ? globalNumber(unescapeUser(uri.user ?? "")) : null;
    return { ways: number === null ? [] : [this.#byEnum(number, null, caller)], refusal };
  }

  #toWay({ to, user, ring_ms, route }: Way, caller: Caller, method: string, asked: SipUri): TrunkWay {
    if (to.kind === "local") return { kind: "local", name: to.name, ring_ms };
    if (to.kind === "enum") return this.#byEnum(to.number, ring_ms, caller);
    const hops = () => {
      const found = this.#trunks.hops(to.peer, user, method, asked);
      if ("status" in found) return found;
      const refusal = user === null || method !== "INVITE" ? null : this.#refusalOf(user, caller);
      return refusal ?? found.map((hop) => this.#hop(hop, caller, route));
    };
    return { kind: "peer", hops, ring_ms };
  }

  /** The number as it leaves is another one than was dialled. */
  #refusalOf(user: string, { user: account, name: caller }: Caller): Refusal | null {
    return this.#parts.screening.refusalOfNumber({ account, caller, called: unescapeUser(user) });
  }

  /** What strangers wrote into the tree is no URI until it was read, nor a number that may be dialled. */
  #byEnum(number: string, ring_ms: number | null, caller: Caller): TrunkWay {
    const find: Find = (found) =>
      this.#enum.lookUp(number, (text) => {
        if (text === "failed") return found(ENUM_FAILED);
        const uri = text === null ? null : parseUri(text);
        if (uri === null || uri instanceof ParseError) return found(NOT_IN_ENUM);
        found((uri.user === null ? null : this.#refusalOf(uri.user, caller)) ?? uri);
      });
    return { kind: "sought", find, ring_ms };
  }

  /** The hops of the peer that keeps the accounts of the domain: only the way there is ours to say. */
  #through(name: string, method: string, uri: SipUri, caller: Caller): readonly TrunkHop[] | Refusal {
    const hops = this.#trunks.hops(name, null, method, uri);
    if ("status" in hops) return hops;
    return hops.map((hop) => this.#hop({ ...hop, uri, route: routeThrough(hop.at.uri) }, caller, null));
  }

  /** The header lines that name an account as callee to the peer on this flow. */
  calleeLines(flow: Flow, account: string): readonly string[] {
    const peer = this.book.peerOf(flow);
    const callee = { user: account, identity: account };
    return peer === null ? [] : identityLines(peer, callee, this.#parts.domains.canonical, "called");
  }

  dialogEnded(callId: string): void {
    const call = this.#calls.peek(callId);
    if (call === undefined) return;
    this.#calls.delete(callId);
    this.book.callEnded(call.at);
  }

  #hop(hop: Hop, caller: Caller, rule: string | null): TrunkHop {
    const lines = identityLines(hop.at.peer, caller, this.#parts.domains.canonical);
    return new CountedHop(this.book, hop, rule, lines, (callId) => this.#runs(callId, hop.at));
  }

  #runs(callId: string, at: PeerUri): void {
    this.#forgetOld();
    this.dialogEnded(callId);
    this.#calls.set(callId, { at, until: this.#parts.clock.now() + CALL_LIFE_MS });
  }

  /** The oldest calls stand first. */
  #forgetOld(): void {
    const now = this.#parts.clock.now();
    for (const [callId, { until }] of this.#calls.entries()) {
      if (until > now) return;
      this.dialogEnded(callId);
    }
  }
}

/** One copy to a peer: counts its call once, and tells the book what came of it. */
class CountedHop implements TrunkHop {
  readonly peer: string;
  readonly rule: string | null;
  readonly uri: SipUri;
  readonly route: string | null;
  readonly identity: readonly string[];
  readonly #book: PeerBook;
  readonly #at: PeerUri;
  readonly #runs: (callId: string) => void;
  #begun = false;
  #counted = false;

  constructor(
    book: PeerBook,
    { uri, route, at }: Hop,
    rule: string | null,
    identity: readonly string[],
    runs: (callId: string) => void,
  ) {
    this.peer = at.peer.name;
    this.rule = rule;
    this.uri = uri;
    this.route = route;
    this.identity = identity;
    this.#book = book;
    this.#at = at;
    this.#runs = runs;
  }

  mayBegin(method: string, isNew: boolean): boolean {
    if (this.#begun) return true; // the next place of the same peer (RFC 3263 §4.3)
    if (isNew && !this.#book.isUsable(this.#at, method)) return false;
    if (isNew && method === "INVITE") {
      if (!this.#book.callBegan(this.#at)) return false;
      this.#counted = true;
    }
    this.#begun = true;
    return true;
  }

  accepted(callId: string): void {
    this.#book.answered(this.#at, 200, null);
    if (this.#counted && callId !== "") this.#runs(callId);
    this.#counted = false;
  }

  refused(status: number, retryAfter_s: number | null): void {
    if (this.#begun) this.#book.answered(this.#at, status, retryAfter_s);
    this.#release();
  }

  silent(method: string): void {
    if (this.#begun) this.#book.silent(this.#at, method);
    this.#release();
  }

  failed(): void {
    if (this.#begun) this.#book.failed(this.#at);
    this.#release();
  }

  #release(): void {
    if (this.#counted) this.#book.callEnded(this.#at);
    this.#counted = false;
  }
}

const NOT_IN_ENUM: Refusal = {
  status: 404,
  reason: "DNS: ENUM does not know the number",
  section: "RFC 6116 §3",
};
/** As a next hop's failure: it says nothing about us (RFC 3261 §16.7 step 6). */
const ENUM_FAILED: Refusal = {
  status: 500,
  reason: "DNS: no answer about the number (ENUM)",
  section: "RFC 6116 §3",
};

const enumOptions = ({ dns: { enum_suffix, lookup_ms } }: Config) => ({ suffix: enum_suffix, lookup_ms });
