/**
 * The peers and routes of the config as the proxy sees them, and the calls that are counted against a
 * peer's limits until their dialog ends.
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";
import type { Domains } from "../location/domains.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { identityLines } from "../peers/identity.ts";
import type { PeerUri } from "../peers/peer.ts";
import { PeerBook } from "../peers/peer-book.ts";
import type { TrunkHop as Hop } from "../peers/trunks.ts";
import { Trunks } from "../peers/trunks.ts";
import type { Caller, Trunks as ProxyTrunks, TrunkHop, TrunkWay } from "../proxy/directory.ts";

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
}

interface RunningCall {
  readonly at: PeerUri;
  readonly until: number;
}

export class AppTrunks implements ProxyTrunks {
  readonly book: PeerBook;
  readonly #trunks: Trunks;
  readonly #parts: TrunkParts;
  readonly #calls: BoundedMap<string, RunningCall>;

  constructor(parts: TrunkParts, config: Config) {
    this.#parts = parts;
    this.book = new PeerBook(parts);
    this.#trunks = new Trunks(this.book);
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
  }

  decide(
    uri: SipUri,
    ours: boolean,
    caller: Caller,
    method: string,
  ): { readonly ways: readonly TrunkWay[]; readonly refusal: Refusal | null } {
    const { clock } = this.#parts;
    const peer = caller.ours ? null : (this.book.peerAt(caller.address)?.name ?? null);
    const { ways, refusal } = this.#trunks.decide({
      user: uri.user,
      host: uri.host,
      ours,
      caller: { user: caller.user, ours: caller.ours, peer },
      wall_ms: clock.wall(),
    });
    const toWay = ({ to, user }: (typeof ways)[number]): TrunkWay => {
      if (to.kind === "local") return to.name;
      return () => {
        const hops = this.#trunks.hops(to.peer, user, method, uri);
        return "status" in hops ? hops : hops.map((hop) => this.#hop(hop, caller.user));
      };
    };
    return { ways: ways.map(toWay), refusal };
  }

  dialogEnded(callId: string): void {
    const call = this.#calls.peek(callId);
    if (call === undefined) return;
    this.#calls.delete(callId);
    this.book.callEnded(call.at);
  }

  #hop(hop: Hop, caller: string | null): TrunkHop {
    const lines = identityLines(hop.at.peer, caller, this.#parts.domains.canonical);
    return new CountedHop(this.book, hop, lines, (callId) => this.#runs(callId, hop.at));
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
    identity: readonly string[],
    runs: (callId: string) => void,
  ) {
    this.uri = uri;
    this.route = route;
    this.identity = identity;
    this.#book = book;
    this.#at = at;
    this.#runs = runs;
  }

  mayBegin(method: string, isNew: boolean): boolean {
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
