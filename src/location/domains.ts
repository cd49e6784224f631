/**
 * Which hosts are ours, and the one name an address-of-record has here. Every name of the site means
 * the same place: alice@example.test and alice@192.0.2.1 are one AOR, of the user alice.
 */
import { ipFamily } from "../base/address.ts";
import type { LocalEndpoint } from "../base/flow.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipUri } from "../message/uri.ts";
import { parseHostPort, unescapeUser } from "../message/uri.ts";

/** What a name without a port means (RFC 3261 §19.1.2). */
const SIP_PORT = 5060;
/** What stands in AORs where no domain is configured. */
const NAMELESS = "localhost";

export class Domains {
  #names: ReadonlySet<string> = new Set();
  #addresses: ReadonlySet<string> = new Set();
  #ports: ReadonlySet<number> = new Set();
  #endpoints: ReadonlySet<string> = new Set();
  #canonical = NAMELESS;

  /** `names` as configured (may be empty); `endpoints` as they listen now. Call again when either changes. */
  configure(names: readonly string[], endpoints: readonly LocalEndpoint[]): void {
    const addresses = new Set<string>();
    const ports = new Set<number>();
    const own = new Set<string>();
    for (const endpoint of endpoints) {
      const advertised = parseHostPort(endpoint.sentBy, 0, endpoint.sentBy.length);
      const port = advertised instanceof ParseError ? endpoint.port : (advertised.port ?? endpoint.port);
      if (!(advertised instanceof ParseError))
        own.add(`${advertised.host} ${port}`).add(`${advertised.host} ${advertised.port ?? SIP_PORT}`);
      own.add(`${endpoint.address} ${endpoint.port}`);
      addresses.add(endpoint.address);
      if (!(advertised instanceof ParseError)) addresses.add(advertised.host);
      ports.add(endpoint.port).add(port);
    }
    this.#names = new Set(names.map((name) => name.toLowerCase().replace(/^\[|\]$/g, "")));
    this.#addresses = addresses;
    this.#ports = ports;
    this.#endpoints = own;
    // Without a name not an address, which may change: people write AORs down.
    this.#canonical = [...this.#names][0] ?? NAMELESS;
  }

  /** The first name: what stands in AORs and, unless told otherwise, in the digest realm. */
  get canonical(): string {
    return this.#canonical;
  }

  /** All names we answer for, the canonical one first. */
  get names(): readonly string[] {
    return [...new Set([...this.#names, ...this.#addresses])];
  }

  /** Whether requests for this host end here. A literal address with a port that is not ours is somebody else. */
  isOurs(uri: SipUri): boolean {
    if (uri.scheme !== "sip" && uri.scheme !== "sips") return false;
    if (this.#names.has(uri.host))
      return uri.port === null || ipFamily(uri.host) === 0 || this.#ports.has(uri.port);
    return this.#addresses.has(uri.host) && (uri.port === null || this.#ports.has(uri.port));
  }

  /** Whether a Route or Via names one of our listening points (RFC 3261 §16.4). */
  isOurEndpoint(host: string, port: number | null): boolean {
    return this.#endpoints.has(`${host} ${port ?? 5060}`) || (port === null && this.#names.has(host));
  }

  /**
   * Whom a URI in our domain names, escapes resolved (RFC 3261 §10.3 step 5): the user part of its AOR.
   * Null: not our domain, or it names nobody.
   */
  userOf(uri: SipUri): string | null {
    return uri.user === null || uri.user === "" || !this.isOurs(uri) ? null : unescapeUser(uri.user);
  }

  /** The one spelling of a user's AOR: `user@canonical`. */
  aorOf(user: string): string {
    return `${user}@${this.#canonical}`;
  }

  /** A URI as text that tells it from others: each user of ours has one spelling, any other URI its own. */
  spelt(uri: SipUri): string {
    const user = this.userOf(uri);
    return user === null ? uri.text : `sip:${this.aorOf(user)}`;
  }
}
