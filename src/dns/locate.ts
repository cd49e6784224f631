/**
 * From a URI to the places it can be reached at (RFC 3263 §4). A literal address needs no look-up and
 * is answered at once, in the same turn; names are resolved without blocking anybody.
 */
import { ipFamily } from "../base/address.ts";
import type { TransportName } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";

/** One place to try. */
export interface Place {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
}

/** What name service answers; the platform's in `system-resolver.ts`, a fake in tests. */
export interface Resolver {
  /** Addresses of both families, in the order in which to try them; empty when the name has none. */
  addresses(name: string): Promise<readonly string[]>;
  /** SRV records, empty when there are none. */
  services(name: string): Promise<readonly Service[]>;
}

export interface Service {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly name: string;
}

/** The SRV label of each transport (RFC 3263 §4.1: TLS is asked for as _sips._tcp). */
const SERVICE: Readonly<Record<TransportName, string>> = {
  udp: "_sip._udp",
  tcp: "_sip._tcp",
  tls: "_sips._tcp",
  ws: "_sip._ws",
  wss: "_sips._ws",
};

/** Look-ups under way at once; one more fails at once. */
const LOOKUPS_MAX = 1000;
/** Places of one URI that are kept. */
const PLACES_MAX = 16;

const TRANSPORT_PARAM: Readonly<Record<string, TransportName>> = {
  udp: "udp",
  tcp: "tcp",
  tls: "tls",
  ws: "ws",
  wss: "wss",
};

export class Locator {
  readonly #resolver: Resolver;
  readonly #over: Counter;
  readonly #failed: Counter;
  #underway = 0;

  constructor(resolver: Resolver, metrics: Metrics) {
    this.#resolver = resolver;
    this.#failed = metrics.counter("sipedge_dns_failed_total", "Look-ups that ended in an error");
    this.#over = metrics.counter(
      "sipedge_dns_refused_total",
      "Look-ups not begun because too many were under way",
    );
    metrics.gauge("sipedge_dns_underway", "Look-ups under way", () => this.#underway);
  }

  /**
   * The place a URI names by itself: without a look-up, for a literal address. Null: no transport of that
   * name; "name": `lookUp` has to find out.
   */
  literal(uri: SipUri): Place | null | "name" {
    const host = hostOf(uri);
    const transport = wantedTransport(uri);
    if (transport === "unknown") return null;
    if (ipFamily(host) === 0) return "name";
    const by = transport ?? "udp"; // §4.1: a literal without transport means UDP
    return { transport: by, address: host, port: uri.port ?? defaultPort(by) };
  }

  /**
   * Calls `found` with the places to try in order, none when there is no such name. Only for a URI of
   * which `literal` said "name"; not before `lookUp` returns.
   */
  lookUp(uri: SipUri, found: (places: readonly Place[]) => void): void {
    const transport = wantedTransport(uri);
    if (transport === "unknown") return found([]);
    if (this.#underway >= LOOKUPS_MAX) {
      this.#over.inc();
      found([]);
      return;
    }
    this.#underway++;
    void this.#find(hostOf(uri), uri.port, transport).then((places) => {
      this.#underway--;
      found(places);
    });
  }

  /** A server that cannot say whether there is an SRV record must not hide the address record beside it. */
  async #services(name: string): Promise<readonly Service[]> {
    try {
      return await this.#resolver.services(name);
    } catch {
      this.#failed.inc();
      return [];
    }
  }

  async #addresses(name: string): Promise<readonly string[]> {
    try {
      return await this.#resolver.addresses(name);
    } catch {
      this.#failed.inc();
      return [];
    }
  }

  /** §4.1, §4.2: a port means addresses only; else SRV of the transport(s), else addresses. */
  async #find(host: string, port: number | null, wanted: TransportName | null): Promise<Place[]> {
    const places: Place[] = [];
    if (port === null) {
      for (const transport of wanted === null ? (["udp", "tcp"] as const) : [wanted]) {
        const services = await this.#services(`${SERVICE[transport]}.${host}`);
        for (const service of inOrder(services)) {
          for (const address of await this.#addresses(service.name))
            places.push({ transport, address, port: service.port });
        }
      }
    }
    if (places.length > 0) return places.slice(0, PLACES_MAX);
    const transport = wanted ?? "udp";
    const addresses = await this.#addresses(host);
    return addresses
      .map((address) => ({ transport, address, port: port ?? defaultPort(transport) }))
      .slice(0, PLACES_MAX);
  }
}

/** §4: maddr, when present, is the TARGET. */
const hostOf = (uri: SipUri): string => (uri.params === "" ? uri.host : (uriParam(uri, "maddr") ?? uri.host));

/** The transport the URI asks for; null when it does not say. sips means TLS on every hop (RFC 5630). */
function wantedTransport(uri: SipUri): TransportName | null | "unknown" {
  const param = uriParam(uri, "transport")?.toLowerCase() ?? null;
  if (uri.scheme === "sips") {
    if (param === null || param === "tcp" || param === "tls") return "tls";
    return param === "ws" || param === "wss" ? "wss" : "unknown";
  }
  if (param === null) return null;
  return TRANSPORT_PARAM[param] ?? "unknown";
}

export function defaultPort(transport: TransportName): number {
  return transport === "tls" ? 5061 : transport === "ws" ? 80 : transport === "wss" ? 443 : 5060;
}

/** Lowest priority first, greatest weight first within it (RFC 2782, without its dice). */
function inOrder(services: readonly Service[]): Service[] {
  return [...services].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
}
