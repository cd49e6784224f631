/**
 * Which peer an address belongs to: the one with the smallest network around it.
 */
import { ipFamily } from "../base/address.ts";
import { BoundedMap } from "../base/bounded-map.ts";
import { parseNetwork } from "../base/networks.ts";

const REMEMBERED_MAX = 4096;

/** Networks of one family and length, by the bits that count. */
interface Layer {
  readonly family: 4 | 6;
  readonly prefix: number;
  readonly owners: Map<string, string>;
}

export class SourceNetworks {
  readonly #layers: readonly Layer[];
  /** null: nobody's. Strangers' addresses are remembered too, so the bound matters. */
  readonly #remembered = new BoundedMap<string, string | null>(REMEMBERED_MAX);

  /** Every network must pass `parseNetwork`, others are left out; of two owners of one network the first counts. */
  constructor(networks: Iterable<readonly [network: string, owner: string]>) {
    const layers = new Map<string, Layer>();
    for (const [text, owner] of networks) {
      const network = parseNetwork(text);
      if (network === null) continue;
      const { family, prefix } = network;
      const id = `${family}/${prefix}`;
      const layer = layers.get(id) ?? { family, prefix, owners: new Map<string, string>() };
      layers.set(id, layer);
      const key = leadingBits(bitsOf(network.address), prefix);
      if (!layer.owners.has(key)) layer.owners.set(key, owner);
    }
    this.#layers = [...layers.values()].sort((a, b) => b.prefix - a.prefix);
  }

  /** Null: nobody's, or no address. One map look-up for an address seen lately, at most one per prefix length else. */
  ownerOf(address: string): string | null {
    if (this.#layers.length === 0) return null;
    const known = this.#remembered.peek(address);
    if (known !== undefined) return known;
    const owner = this.#search(address);
    this.#remembered.set(address, owner);
    return owner;
  }

  #search(address: string): string | null {
    const bare = address.split("%", 1)[0]!;
    const family = ipFamily(bare);
    if (family === 0) return null;
    const bits = bitsOf(bare);
    for (const layer of this.#layers) {
      if (layer.family !== family) continue;
      const owner = layer.owners.get(leadingBits(bits, layer.prefix));
      if (owner !== undefined) return owner;
    }
    return null;
  }
}

/** The bytes of a valid address literal. */
function bitsOf(address: string): Uint8Array {
  if (!address.includes(":")) return Uint8Array.from(address.split("."), Number);
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const first = groupsOf(head);
  const last = groupsOf(tail ?? "");
  const groups = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

function groupsOf(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** The first `prefix` bits as text: all that two addresses of one network have in common. */
function leadingBits(bytes: Uint8Array, prefix: number): string {
  const whole = prefix >> 3;
  const rest = prefix & 7;
  const text = bytes.subarray(0, whole).join(".");
  return rest === 0 ? text : `${text}.${bytes[whole]! >> (8 - rest)}`;
}
