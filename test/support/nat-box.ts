/**
 * A NAT of the virtual network: hosts stand behind it with addresses of their own, and others see ports of it.
 */
import type { TransportName } from "../../src/base/flow.ts";
import { hostPort, isReliable } from "../../src/base/flow.ts";
import type { VirtualNetwork, VirtualTransports } from "./virtual-network.ts";

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** The name of a socket. */
export const nameOf = (transport: TransportName, address: string, port: number) =>
  `${isReliable(transport) ? "stream" : "udp"} ${hostPort(address, port)}`;

export interface NatOptions {
  /** Another port for each place a host speaks with, as symmetric NATs have it. */
  readonly symmetric?: boolean;
}

interface Mapping {
  readonly key: string;
  readonly host: VirtualTransports;
  readonly local: Place;
  readonly port: number;
  /** Whom the host spoke with over it. */
  readonly peers: Set<string>;
}

/** A port-restricted NAT: only whom a host spoke with from a port may answer to it. */
export class NatBox {
  readonly address: string;
  readonly hosts = new Map<string, VirtualTransports>();
  readonly #network: VirtualNetwork;
  readonly #options: NatOptions;
  readonly #mappings = new Map<string, Mapping>();
  #nextPort = 30_000;

  constructor(network: VirtualNetwork, address: string, options: NatOptions) {
    this.#network = network;
    this.address = address;
    this.#options = options;
  }

  /** Hosts that `make` makes stand behind it. */
  place<T>(make: () => T): T {
    this.#network.placing = this;
    try {
      return make();
    } finally {
      this.#network.placing = null;
    }
  }

  /** Forgets everything: hosts get new ports with their next packet. */
  flush(): void {
    this.#mappings.clear();
  }

  /** The next host that speaks gets this port: NATs use ports again. */
  reuse(port: number): void {
    this.flush();
    this.#nextPort = port;
  }

  outward(transport: TransportName, host: VirtualTransports, local: Place, to: Place): Place {
    const inner = `${nameOf(transport, local.address, local.port)}`;
    const key = this.#options.symmetric ? `${inner}>${hostPort(to.address, to.port)}` : inner;
    let mapping = this.#mappings.get(key);
    if (mapping === undefined) {
      mapping = { key, host, local, port: this.#nextPort++, peers: new Set() };
      this.#mappings.set(key, mapping);
    }
    mapping.peers.add(hostPort(to.address, to.port));
    return { address: this.address, port: mapping.port };
  }

  inward(transport: TransportName, port: number, from: Place): Pick<Mapping, "host" | "local"> | undefined {
    const kind = isReliable(transport) ? "stream " : "udp ";
    for (const mapping of this.#mappings.values())
      if (
        mapping.port === port &&
        mapping.key.startsWith(kind) &&
        mapping.peers.has(hostPort(from.address, from.port))
      )
        return mapping;
    return undefined;
  }
}
