/**
 * Our own listening points, and how flows are named after them: `udp:local>remote`, `tcp:local>remote#n`.
 */
import { isIP } from "node:net";
import type { Inside, LocalEndpoint, TransportName } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import { Networks } from "../base/networks.ts";

/** What peers are told of an endpoint. */
export interface EndpointNames {
  /** `host:port` for peers outside `local_networks`; null: the bound address for all. */
  readonly advertise: string | null;
  /** Networks whose hosts reach the bound address itself. */
  readonly local_networks: readonly string[];
}

export class Endpoint implements LocalEndpoint {
  readonly transport: TransportName;
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  #sentBy = "";
  #inside: Inside;
  #networks = "";

  constructor(transport: TransportName, address: string, port: number, names: EndpointNames) {
    this.transport = transport;
    this.address = address;
    this.port = port;
    this.family = address.includes(":") ? 6 : 4;
    this.#inside = { networks: new Networks([]), sentBy: hostPort(address, port) };
    this.rename(names);
  }

  get sentBy(): string {
    return this.#sentBy;
  }

  get inside(): Inside {
    return this.#inside;
  }

  /** Sets the names that messages carry. Flows that exist show them at once. */
  rename({ advertise, local_networks }: EndpointNames): void {
    const { sentBy } = this.#inside;
    this.#sentBy = advertise === null ? sentBy : withPort(advertise, this.port);
    const networks = local_networks.join(" ");
    if (networks === this.#networks) return;
    this.#networks = networks;
    this.#inside = { networks: new Networks(local_networks), sentBy };
  }
}

const SIP_PORT = 5060;

/** A name without a port means 5060 (RFC 3261 §19.1.2): a listener elsewhere has to say where. */
function withPort(name: string, port: number): string {
  return port === SIP_PORT || /:\d+$/.test(name.replace(/^\[.*\]/, "")) ? name : `${name}:${port}`;
}

export const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

export const familyOf = (address: string): 4 | 6 => (address.includes(":") ? 6 : 4);

/** IPv6 as peers and the kernel write it: lower case, the longest run of zeros left out. */
export const canonicalIpv6 = (address: string): string =>
  new URL(`http://[${address}]/`).hostname.slice(1, -1);

/** The eight groups of a canonical IPv6 address, in hex. */
export function ipv6Groups(address: string): string[] {
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail === undefined) return groups;
  const behind = tail === "" ? [] : tail.split(":");
  while (groups.length + behind.length < 8) groups.push("0");
  return [...groups, ...behind];
}

export function flowId(local: LocalEndpoint, remoteAddress: string, remotePort: number): string {
  return `${local.transport}:${hostPort(local.address, local.port)}>${hostPort(remoteAddress, remotePort)}`;
}

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/** The two ends of a UDP flow's id; null when the text is none. */
export function parseUdpFlowId(id: string): { local: HostPort; remote: HostPort } | null {
  const arrow = id.indexOf(">");
  if (!id.startsWith("udp:") || arrow < 0) return null;
  const local = parseHostPort(id.slice(4, arrow));
  const remote = parseHostPort(id.slice(arrow + 1));
  return local && remote ? { local, remote } : null;
}

function parseHostPort(text: string): HostPort | null {
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (!parts) return null;
  const address = parts[1] ?? parts[2] ?? "";
  const port = Number(parts[3]);
  const family = parts[1] === undefined ? 4 : 6;
  return isIP(address) === family && port > 0 && port < 65536 ? { address, port } : null;
}
