/**
 * A NAT box: a namespace between an inner network and an outer one, with nftables rules in between. In the
 * words of RFC 4787 §4 and §5, for UDP:
 *
 *     kind             mapping                      filtering
 *     full_cone        endpoint-independent         endpoint-independent
 *     restricted       endpoint-independent         address-dependent
 *     port_restricted  endpoint-independent         address and port-dependent
 *     symmetric        address and port-dependent   address and port-dependent
 *
 * The first three keep the port numbers of their hosts, as long as two hosts do not want the same. For TCP
 * all are alike but for the port. `one_to_one` gives all that comes from outside to one host.
 */
import type { Namespace, Segment } from "./namespace.ts";

export const NAT_KINDS = ["full_cone", "restricted", "port_restricted", "symmetric"] as const;
export type NatKind = (typeof NAT_KINDS)[number];

/** How long a mapping lives without a packet. */
export interface Timeouts {
  /** UDP with packets in one direction only. */
  readonly udp_s: number;
  /** UDP with packets both ways. */
  readonly stream_s: number;
  readonly tcp_s: number;
}

/** What Linux takes when nobody says (nf_conntrack-sysctl). */
const PATIENT: Timeouts = { udp_s: 30, stream_s: 120, tcp_s: 7440 };
/** A hurried router: what nobody refreshes is gone within seconds. */
export const FORGETFUL: Timeouts = { udp_s: 7, stream_s: 9, tcp_s: 9 };

const OUTSIDE = "outside";
const INSIDE = "inside";

export interface NatOptions {
  readonly kind: NatKind | "one_to_one";
  /** Its address in the outer network. */
  readonly outside: string;
  /** Its address in the inner one, a /24. */
  readonly inside: string;
  readonly timeouts?: Timeouts;
  /** Whether the kernel's SIP helper (nf_nat_sip) rewrites what passes. */
  readonly alg?: boolean;
  /** The host of a `one_to_one`. */
  readonly host?: string;
}

export class NatBox {
  readonly space: Namespace;
  readonly options: NatOptions;
  /** Its inner network. */
  readonly inner: Segment;

  constructor(space: Namespace, outer: Segment, options: NatOptions) {
    this.space = space;
    this.options = options;
    this.inner = space.bridge(INSIDE, options.inside, 24);
    space.plug(OUTSIDE, options.outside, outer);
    space.set("net.ipv4.ip_forward", 1);
    space.nft(rulesOf(options));
    this.#remember(options.timeouts ?? PATIENT);
  }

  /** It forgets all its mappings, as after a restart; connections included. */
  forget(): void {
    this.space.run("conntrack", "-F");
    if (coneOf(this.options.kind) !== null) this.space.run("nft", "flush", "map", "ip", "nat", "cone");
  }

  /** The outer ports that a host has now over UDP, one of each flow. */
  mappedPorts(address: string): readonly number[] {
    const flows = this.space.run("conntrack", "-L", "-p", "udp", "-s", address);
    return flows.split("\n").flatMap((line) => {
      const ports = [...line.matchAll(/ dport=(\d+)/g)].map((match) => Number(match[1]));
      return ports.length === 2 ? [ports[1]!] : [];
    });
  }

  /** Whether it holds mappings of UDP at all. */
  get mapsUdp(): boolean {
    return this.space.run("conntrack", "-L", "-p", "udp").includes("udp");
  }

  /** Loses everything that passes, until `heal`. */
  loseAll(): void {
    this.#trouble("drop");
  }

  /** Loses so many of a hundred packets, until `heal`. */
  lose(percent: number): void {
    this.#trouble(`numgen random mod 100 < ${percent} counter drop`);
  }

  /** How many packets it has lost since then. */
  get lost(): number {
    return Number(/counter packets (\d+)/.exec(this.space.run("nft", "list", "table", "ip", "trouble"))?.[1]);
  }

  /** Lets nobody inside open a connection, until `heal`. */
  refuseConnections(): void {
    this.#trouble("tcp flags & (syn | ack) == syn drop");
  }

  heal(): void {
    this.space.nft("table ip trouble\ndelete table ip trouble\n");
  }

  #trouble(rule: string): void {
    this.heal();
    this.space.nft(
      `table ip trouble { chain passing { type filter hook forward priority -10; ${rule}; }\n}\n`,
    );
  }

  #remember({ udp_s, stream_s, tcp_s }: Timeouts): void {
    this.space.set("net.netfilter.nf_conntrack_udp_timeout", udp_s);
    this.space.set("net.netfilter.nf_conntrack_udp_timeout_stream", stream_s);
    this.space.set("net.netfilter.nf_conntrack_tcp_timeout_established", tcp_s);
  }
}

/** What decides whether a stranger's packet comes in; null where only conntrack does. */
function coneOf(kind: NatOptions["kind"]): { key: string; seen: string; asked: string } | null {
  if (kind === "full_cone") return { key: "inet_service", seen: "udp sport", asked: "udp dport" };
  if (kind === "restricted") {
    const key = "ipv4_addr . inet_service";
    return { key, seen: "ip daddr . udp sport", asked: "ip saddr . udp dport" };
  }
  return null;
}

function rulesOf({ kind, host, alg = false, timeouts = PATIENT }: NatOptions): string {
  const random = kind === "symmetric" ? " fully-random" : "";
  // Unasked datagrams vanish, as at any router; unasked segments are answered with a reset by the kernel.
  const chains = [
    `chain input { type filter hook input priority 0; iifname "${OUTSIDE}" meta l4proto udp drop; }`,
    `chain leaving { type nat hook postrouting priority 100; oifname "${OUTSIDE}" masquerade${random}; }`,
  ];
  if (host !== undefined)
    chains.push(
      `chain coming { type nat hook prerouting priority -100; iifname "${OUTSIDE}" dnat to ${host}; }`,
    );
  const cone = coneOf(kind);
  if (cone !== null)
    chains.push(
      `map cone { type ${cone.key} : ipv4_addr . inet_service; flags dynamic,timeout;`,
      `  timeout ${timeouts.stream_s}s; size 1000; }`,
      "chain learning { type filter hook forward priority 0;",
      `  iifname "${INSIDE}" meta l4proto udp update @cone { ${cone.seen} : ip saddr . udp sport }; }`,
      "chain coming { type nat hook prerouting priority -100;",
      `  iifname "${OUTSIDE}" meta l4proto udp dnat ip to ${cone.asked} map @cone; }`,
    );
  if (alg)
    chains.push(
      'ct helper sip { type "sip" protocol udp; l3proto ip; }',
      'chain watching { type filter hook prerouting priority -150; udp dport 5060 ct helper set "sip"; }',
    );
  return `table ip nat {\n${chains.join("\n")}\n}\n`;
}
