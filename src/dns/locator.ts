/**
 * From a URI to the places it can be reached at (RFC 3263 §4), and from a Via to the places its response
 * can go to (§5). A literal address is answered at once, in the same turn; so is a name in the cache.
 */
import { ipFamily } from "../base/address.ts";
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { TransportName } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { SipUri } from "../message/uri.ts";
import type { DeadTargets } from "./dead-targets.ts";
import { failureText, Lookup } from "./lookup.ts";
import type { Place, Wanted } from "./place.ts";
import { defaultPort, defaultTransport, wantedOf } from "./place.ts";
import type { NameService } from "./records.ts";

/**
 * How a look-up ended. `absent`: name service says that there is no such place. `failed`: it did not say.
 * `refused`: not begun, too many are under way.
 */
export type LookupEnd = "found" | "absent" | "failed" | "refused";

/**
 * Called once with the places in the order in which to try them, at most `PLACES_MAX`. `why` says in words
 * what kept them from being found; "" when they were.
 */
export type Found = (places: readonly Place[], end: LookupEnd, why: string) => void;

export interface LocatorOptions {
  /** Transports that we can send on, the preferred one first; asked for when there are no NAPTR records. */
  readonly transports: readonly TransportName[];
  /** Whether to ask for NAPTR records. */
  readonly naptr: boolean;
  /** Address families to look up, the preferred one first. */
  readonly families: readonly ("ipv4" | "ipv6")[];
  /** One look-up in all. */
  readonly lookup_ms: number;
}

export interface LocatorParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly metrics: Metrics;
  readonly names: NameService;
  /** Places that failed lately go to the end of each list. */
  readonly dead: DeadTargets;
}

/** Look-ups under way at once; one more fails at once. */
export const LOOKUPS_MAX = 1000;

/** The sent-by of a Via and its transport (RFC 3261 §18.2.2). */
export interface SentBy {
  readonly transport: TransportName;
  /** Without brackets. */
  readonly host: string;
  readonly port: number | null;
}

export class Locator {
  options: LocatorOptions;
  readonly #parts: LocatorParts;
  readonly #underway = new Set<Lookup>();
  readonly #ends: Readonly<Record<LookupEnd, Counter>>;

  constructor(parts: LocatorParts, options: LocatorOptions) {
    this.#parts = parts;
    this.options = options;
    const { metrics } = parts;
    const counter = (end: LookupEnd) =>
      metrics.counter("sipedge_dns_lookups_total", "Look-ups of SIP servers by how they ended", { end });
    this.#ends = {
      found: counter("found"),
      absent: counter("absent"),
      failed: counter("failed"),
      refused: counter("refused"),
    };
    metrics.gauge(
      "sipedge_dns_lookups_underway",
      "Look-ups of SIP servers under way",
      () => this.#underway.size,
    );
  }

  /**
   * The place a URI names by itself: without a look-up, for a literal address. Null: no transport of that
   * name; "name": `lookUp` has to find out.
   */
  literal(uri: SipUri): Place | null | "name" {
    const wanted = wantedOf(uri);
    return wanted === null ? null : (literalPlace(wanted) ?? "name");
  }

  /**
   * Calls `found` once with the places of the URI; synchronously when the cache has it all. The weights
   * of RFC 2782 are drawn once per call: keep the list for all messages of the transaction.
   */
  lookUp(uri: SipUri, found: Found): void {
    const wanted = wantedOf(uri);
    if (wanted === null)
      return this.#end(found, [], "absent", "The URI asks for a transport that is not known");
    this.#locate(wanted, found);
  }

  /**
   * RFC 3263 §5: where a response goes whose connection is gone, by its topmost Via: the sent-by address
   * and port, the records of its name for the same transport.
   */
  lookUpResponse({ transport, host, port }: SentBy, found: Found): void {
    const secure = transport === "tls" || transport === "wss";
    this.#locate({ host: host.toLowerCase(), port, transport, secure }, found);
  }

  /** Ends every look-up with what it has. */
  close(): void {
    for (const lookup of [...this.#underway]) lookup.end();
  }

  #locate(wanted: Wanted, found: Found): void {
    const place = literalPlace(wanted);
    if (place !== null) return this.#end(found, [place], "found", "");
    if (this.#underway.size >= LOOKUPS_MAX)
      return this.#end(found, [], "refused", failureText(wanted.host, "busy"));
    const lookup = new Lookup(this.#parts, this.options, wanted, (places, end, why) => {
      this.#underway.delete(lookup);
      this.#end(found, this.#parts.dead.order(places), end, why);
    });
    this.#underway.add(lookup);
    lookup.start();
  }

  #end(found: Found, places: readonly Place[], end: LookupEnd, why: string): void {
    this.#ends[end].inc();
    found(places, end, why);
  }
}

/** §4.1, §4.2: a literal without transport means UDP (TLS for sips), and the default port unless one is given. */
function literalPlace({ host, port, transport, secure }: Wanted): Place | null {
  if (ipFamily(host) === 0) return null;
  const by = transport ?? defaultTransport(secure);
  return { transport: by, address: host, port: port ?? defaultPort(by) };
}
