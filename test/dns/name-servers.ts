/** Name servers and files without sockets and disk, on a virtual clock. */
import type { Packet, Answer as PacketAnswer } from "dns-packet";
import { decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE } from "dns-packet";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Resolver } from "../../src/dns/resolver.ts";
import type { ResolverOptions } from "../../src/dns/resolver-options.ts";
import type {
  DnsSocket,
  DnsSockets,
  FileStamp,
  Files,
  ServerAddress,
  SocketEvents,
} from "../../src/dns/sockets.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export interface Asked {
  readonly protocol: "udp" | "tcp";
  readonly name: string;
  readonly type: string;
  readonly packet: Packet;
}

/** What a server does with a query: a reply, silence, or ICMP. */
export type Behaviour = (
  asked: Asked,
) => (Partial<Packet> & { rcode?: number }) | "silence" | "refuse" | Buffer[];

export type Zone = Record<string, readonly PacketAnswer[]>;

export const a = (name: string, address: string, ttl = 300): PacketAnswer => ({
  type: "A",
  name,
  data: address,
  ttl,
});
export const aaaa = (name: string, address: string, ttl = 300): PacketAnswer => ({
  type: "AAAA",
  name,
  data: address,
  ttl,
});
export const cname = (name: string, to: string, ttl = 300): PacketAnswer => ({
  type: "CNAME",
  name,
  data: to,
  ttl,
});
export const srv = (
  name: string,
  [priority, weight, port, target]: readonly [number, number, number, string],
  ttl = 300,
): PacketAnswer => ({ type: "SRV", name, data: { priority, weight, port, target }, ttl });
export const naptr = (
  name: string,
  [order, preference, services, replacement]: readonly [number, number, string, string],
  flags = "s",
  regexp = "",
): PacketAnswer => ({
  type: "NAPTR",
  name,
  data: { order, preference, flags, services, regexp, replacement },
  ttl: 300,
});
export const soa = (name: string, ttl: number, minimum: number): PacketAnswer => ({
  type: "SOA",
  name,
  ttl,
  data: { mname: "ns.test", rname: "op.test", serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});

/** Answers from a list of records: the type asked for, or the alias of the name; NXDOMAIN for unknown names. */
export function zoneOf(
  records: readonly PacketAnswer[],
  negative: PacketAnswer = soa("test", 300, 300),
): Behaviour {
  return ({ name, type }) => {
    const own = records.filter((record) => record.name === name);
    const answers = own.filter((record) => record.type === type || record.type === "CNAME");
    if (answers.length > 0) return { answers };
    return { answers: [], authorities: [negative], rcode: own.length > 0 ? 0 : 3 };
  };
}

/** Every reply as a server would send it, the question as it came. */
export function replyBytes(query: Packet, reply: Partial<Packet> & { rcode?: number }): Buffer {
  return encode({
    type: "response",
    id: query.id ?? 0,
    flags: RECURSION_AVAILABLE | (reply.flags ?? 0) | (reply.rcode ?? 0),
    questions: reply.questions ?? query.questions ?? [],
    answers: reply.answers ?? [],
    authorities: reply.authorities ?? [],
  });
}

export class NameServers implements DnsSockets {
  /** `udp 192.0.2.53 A gw.test`, in the order in which the queries left. */
  readonly log: string[] = [];
  /** The queries as they arrived, letters as they were. */
  readonly queries: Asked[] = [];
  readonly delay_ms: Record<string, number> = {};
  /** Sockets open now. */
  open = 0;
  opened = 0;
  readonly #clock: VirtualClock;
  readonly #servers = new Map<string, Behaviour>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  at(address: string, behaviour: Behaviour, port = 53): void {
    this.#servers.set(`${address}:${port}`, behaviour);
  }

  datagram(server: ServerAddress, events: SocketEvents): DnsSocket {
    return this.#socket("udp", server, events);
  }

  stream(server: ServerAddress, events: SocketEvents): DnsSocket {
    return this.#socket("tcp", server, events);
  }

  #socket(protocol: "udp" | "tcp", server: ServerAddress, events: SocketEvents): DnsSocket {
    let open = true;
    this.open++;
    this.opened++;
    return {
      send: (bytes) => {
        const packet = decode(protocol === "tcp" ? bytes.subarray(2) : bytes);
        const question = packet.questions?.[0];
        const name = question?.name.toLowerCase() ?? "";
        const type = question?.type ?? "";
        this.log.push(`${protocol} ${server.address} ${type} ${name}`);
        const asked = { protocol, name, type, packet };
        this.queries.push(asked);
        const behaviour = this.#servers.get(`${server.address}:${server.port}`);
        const result = behaviour?.(asked) ?? "silence";
        if (result === "silence") return;
        this.#clock.after(this.delay_ms[server.address] ?? 1, () => {
          if (!open) return;
          if (result === "refuse") return events.failed("ECONNREFUSED");
          const messages = Array.isArray(result) ? result : [replyBytes(packet, result)];
          for (const message of messages) {
            if (!open) return;
            const head = Buffer.alloc(2);
            head.writeUInt16BE(message.length);
            if (protocol === "udp") events.received(message, server);
            else
              for (const byte of Buffer.concat([head, message]))
                open && events.received(Buffer.from([byte]), server);
          }
        });
      },
      close: () => {
        if (open) this.open--;
        open = false;
      },
    };
  }
}

export const truncated: Partial<Packet> = { flags: TRUNCATED_RESPONSE };

export class VirtualFiles implements Files {
  looks = 0;
  readonly #texts = new Map<string, { text: string; stamp: FileStamp }>();
  #version = 0;

  write(path: string, text: string): void {
    this.#version++;
    this.#texts.set(path, { text, stamp: { modified_ms: this.#version, bytes: text.length, inode: 1 } });
  }

  stamp(path: string): FileStamp | null {
    this.looks++;
    return this.#texts.get(path)?.stamp ?? null;
  }

  read(path: string): string | null {
    return this.#texts.get(path)?.text ?? null;
  }
}

export const SERVER = "192.0.2.53";
export const OTHER_SERVER = "192.0.2.54";

export const OPTIONS: ResolverOptions = {
  servers: [{ address: SERVER, port: 53 }],
  forwarders: [],
  timeout_ms: null,
  attempts: null,
  total_ms: 4000,
  ttl_max_s: 86_400,
  negative_ttl_max_s: 60,
  cache: { entries_max: 1000, bytes_max: 1_000_000, stale_ms: 0 },
  hosts_path: "/etc/hosts",
  resolv_conf_path: "/etc/resolv.conf",
};

/** A resolver with virtual servers around it. */
export function rig(options: Partial<ResolverOptions> = {}) {
  const clock = new VirtualClock();
  const servers = new NameServers(clock);
  const files = new VirtualFiles();
  const metrics = new Metrics();
  const dice = new SeededDice(7);
  const resolver = new Resolver(
    { clock, dice, log: silentLog, metrics, sockets: servers, files },
    { ...OPTIONS, ...options },
  );
  /** What the answer is, as text; "…" while it is not there. Runs the clock for `ms`. */
  const ask = (name: string, type: "A" | "AAAA" | "SRV" | "NAPTR" = "A", ms = 10): string => {
    let shown = "…";
    resolver.ask(name, type, (answer) => {
      shown =
        answer.kind === "records"
          ? `${answer.stale ? "stale " : ""}${answer.records.map((r) => (typeof r === "string" ? r : JSON.stringify(r))).join(" ")}`
          : answer.kind === "none"
            ? answer.exists
              ? "no record"
              : "no name"
            : `failed: ${answer.reason}`;
    });
    if (ms > 0) clock.advance(ms);
    return shown;
  };
  const value = (name: string, labels: Record<string, string> = {}): number => {
    const family = metrics.collect().find((each) => each.name === name);
    const wanted = JSON.stringify(labels);
    return family?.samples.find((sample) => JSON.stringify(sample.labels) === wanted)?.value ?? Number.NaN;
  };
  return { clock, servers, files, metrics, dice, resolver, ask, value };
}
