/**
 * Sets of IP networks written as `192.0.2.0/24`, `2001:db8::/32` or a single address.
 */
import { BlockList, isIP } from "node:net";
import { ipFamily } from "./address.ts";
import { BoundedMap } from "./bounded-map.ts";

const REMEMBERED_MAX = 4096;

/** Null when the text is no network; else its base address and prefix length in bits. */
export function parseNetwork(text: string): { address: string; prefix: number; family: 4 | 6 } | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIP(address);
  if (family !== 4 && family !== 6) return null;
  const bits = family === 4 ? 32 : 128;
  if (slash < 0) return { address, prefix: bits, family };
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > bits) return null;
  return { address, prefix: Number(digits), family };
}

export class Networks {
  /** One per family: a BlockList takes IPv4 addresses for mapped ones, so ::/0 would hold them all. */
  readonly #v4 = new BlockList();
  readonly #v6 = new BlockList();
  readonly #remembered = new BoundedMap<string, boolean>(REMEMBERED_MAX);
  readonly #empty: boolean;

  /** Every entry must pass `parseNetwork`; the config schema sees to that. */
  constructor(networks: readonly string[]) {
    this.#empty = networks.length === 0;
    for (const text of networks) {
      const network = parseNetwork(text);
      if (!network) throw new RangeError(`not a network: ${text}`);
      if (network.family === 4) this.#v4.addSubnet(network.address, network.prefix, "ipv4");
      else this.#v6.addSubnet(network.address, network.prefix, "ipv6");
    }
  }

  /** Whether the text is an address (no brackets, no zone) in one of the networks. */
  has(address: string): boolean {
    if (this.#empty) return false;
    let known = this.#remembered.peek(address);
    if (known === undefined) {
      const family = ipFamily(address);
      known =
        family === 4 ? this.#v4.check(address, "ipv4") : family === 6 && this.#v6.check(address, "ipv6");
      this.#remembered.set(address, known);
    }
    return known;
  }
}
