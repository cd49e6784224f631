/**
 * One question put to name servers until one of them answers: datagram, stream when the answer does not
 * fit (RFC 7766 §5), the next server when one stays silent or refuses. Earlier tries stay open, so a late
 * answer still counts. Forged answers are kept out as RFC 5452 §9 asks.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { DnsMetrics } from "./dns-metrics.ts";
import type { Failure } from "./records.ts";
import type { Server, ServerGroup } from "./servers.ts";
import type { DnsSocket, DnsSockets, ServerAddress, SocketEvents } from "./sockets.ts";
import type { Query, Question, Reply } from "./wire.ts";
import { encodeQuery, readReply, spell } from "./wire.ts";

export interface ExchangeParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly sockets: DnsSockets;
  readonly metrics: DnsMetrics;
}

export interface ExchangeLimits {
  /** How long one server may stay silent before the next one is asked. */
  readonly timeout_ms: number;
  /** How often the list of servers is gone through. */
  readonly attempts: number;
  /** The whole exchange. */
  readonly total_ms: number;
}

/** A reply that says something about the name, or why there is none. */
export type Exchanged =
  | Exclude<Reply, { kind: "refused" } | { kind: "alias-loop" }>
  | { kind: "failed"; reason: Failure };

/** A server is given at least this long, however many share the time. */
const STEP_MS_MIN = 200;
/** Queries of one question that wait for an answer at once; the oldest is given up for the next. */
const TRIES_MAX = 3;
const STREAM_BYTES_MAX = 65_535;

export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #question: Question;
  readonly #plan: Server[];
  readonly #stepMs: number;
  readonly #tries = new Set<Try>();
  readonly #done: (result: Exchanged) => void;
  #current: Try | null = null;
  #alarm: Alarm | null = null;
  #failure: Failure = "timeout";
  #over = false;

  constructor(
    parts: ExchangeParts,
    question: Question,
    limits: ExchangeLimits,
    done: (result: Exchanged) => void,
    group: ServerGroup,
  ) {
    this.#parts = parts;
    this.#question = question;
    this.#done = done;
    const order = group.inOrder();
    this.#plan = Array.from({ length: limits.attempts }, () => order).flat();
    const share = limits.total_ms / Math.max(1, this.#plan.length);
    this.#stepMs = Math.min(limits.timeout_ms, Math.max(STEP_MS_MIN, share));
  }

  /** Sends the first query. `done` is called once, never from inside this call. */
  start(): void {
    const now = this.#parts.clock.now();
    const first = this.#plan[0];
    for (const server of new Set(this.#plan)) {
      // A dead server whose time has come gets the query too: nobody waits for its answer.
      if (server !== first && server.takeProbe(now)) this.#open(server, "udp");
    }
    this.#next();
  }

  /** Ends it without a result. */
  close(): void {
    this.#over = true;
    this.#alarm?.cancel();
    for (const each of this.#tries) each.close();
    this.#tries.clear();
  }

  /** A try has an answer to the question, or a refusal. */
  answered(by: Try, reply: Reply): void {
    if (reply.kind === "refused") return this.#refused(by, reply.rcode);
    if (reply.kind === "alias-loop") return this.#end({ kind: "failed", reason: "alias-loop" });
    this.#end(reply);
  }

  /** The answer did not fit, or came with its letters changed: a stream cannot be forged that easily. */
  needsStream(by: Try): void {
    this.#drop(by);
    this.#replace(by, this.#open(by.server, "tcp"));
  }

  /** The machine says that this server cannot be reached. */
  unreachable(by: Try): void {
    this.#drop(by);
    if (this.#failure === "timeout") this.#failure = "unreachable";
    this.#giveUp(by);
  }

  #refused(by: Try, rcode: string): void {
    this.#drop(by);
    if ((rcode === "FORMERR" || rcode === "NOTIMP") && by.edns) {
      by.server.edns = false; // RFC 6891 §6.2.2: it may know the query without it
      this.#replace(by, this.#open(by.server, "udp"));
      return;
    }
    this.#failure = rcode === "REFUSED" ? "REFUSED" : "SERVFAIL";
    this.#giveUp(by);
  }

  /** This server is not asked again; when it was its turn the next one is asked at once. */
  #giveUp(by: Try): void {
    for (let i = this.#plan.length - 1; i >= 0; i--) {
      if (this.#plan[i] === by.server) this.#plan.splice(i, 1);
    }
    if (by === this.#current) this.#next();
  }

  #replace(old: Try, by: Try): void {
    if (old !== this.#current) return;
    this.#current = by;
    this.#waitFor(by);
  }

  #next(): void {
    this.#alarm?.cancel();
    this.#alarm = null;
    const server = this.#plan.shift();
    if (server === undefined) return this.#end({ kind: "failed", reason: this.#failure });
    this.#current = this.#open(server, "udp");
    this.#waitFor(this.#current);
  }

  #waitFor(current: Try): void {
    this.#alarm?.cancel();
    this.#alarm = this.#parts.clock.after(this.#stepMs, () => {
      current.server.staySilent(this.#parts.clock.now());
      this.#parts.metrics.timeouts.inc();
      this.#next();
    });
  }

  #open(server: Server, protocol: "udp" | "tcp"): Try {
    for (const oldest of this.#tries) {
      if (this.#tries.size < TRIES_MAX) break;
      this.#drop(oldest);
    }
    const opened = new Try(this, this.#parts, server, { question: this.#question, protocol });
    this.#tries.add(opened);
    opened.start();
    return opened;
  }

  #drop(gone: Try): void {
    gone.close();
    this.#tries.delete(gone);
  }

  #end(result: Exchanged): void {
    if (this.#over) return;
    this.close();
    this.#done(result);
  }
}

/** One query to one server over a socket of its own. */
class Try implements SocketEvents {
  readonly server: Server;
  readonly edns: boolean;
  readonly #exchange: Exchange;
  readonly #parts: ExchangeParts;
  readonly #query: Query;
  readonly #protocol: "udp" | "tcp";
  #socket: DnsSocket | null = null;
  #stream: Buffer = Buffer.alloc(0);

  constructor(
    exchange: Exchange,
    parts: ExchangeParts,
    server: Server,
    { question, protocol }: { question: Question; protocol: "udp" | "tcp" },
  ) {
    this.#exchange = exchange;
    this.#parts = parts;
    this.server = server;
    this.edns = server.edns;
    this.#protocol = protocol;
    const { dice } = parts;
    const [high = 0, low = 0] = dice.bytes(2);
    // A stream is safe from forgers; a server that does not keep the case is asked in plain letters there.
    const spelled =
      protocol === "udp" ? spell(question.name, dice.bytes((question.name.length >> 3) + 1)) : question.name;
    this.#query = { ...question, id: (high << 8) | low, spelled };
  }

  start(): void {
    const { sockets, metrics } = this.#parts;
    const bytes = encodeQuery(this.#query, this.edns);
    this.server.sent++;
    metrics.queries[this.#protocol].inc();
    if (this.#protocol === "udp") {
      this.#socket = sockets.datagram(this.server.at, this);
      this.#socket.send(bytes);
      return;
    }
    const framed = Buffer.alloc(2 + bytes.length);
    framed.writeUInt16BE(bytes.length);
    framed.set(bytes, 2);
    this.#socket = sockets.stream(this.server.at, this);
    this.#socket.send(framed);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  received(bytes: Buffer, from: ServerAddress): void {
    if (this.#socket === null) return;
    if (from.address !== this.server.at.address || from.port !== this.server.at.port) {
      this.#parts.metrics.ignored.source.inc();
      return;
    }
    if (this.#protocol === "udp") return this.#read(bytes);
    // RFC 1035 §4.2.2: two bytes of length before the message.
    this.#stream = this.#stream.length === 0 ? bytes : Buffer.concat([this.#stream, bytes]);
    if (this.#stream.length < 2) return;
    const length = this.#stream.readUInt16BE();
    if (this.#stream.length >= 2 + length) this.#read(this.#stream.subarray(2, 2 + length));
    else if (this.#stream.length > STREAM_BYTES_MAX + 2) this.failed("too_long");
  }

  failed(_reason: string): void {
    if (this.#socket === null) return;
    this.#parts.metrics.unreachable.inc();
    this.server.die(this.#parts.clock.now());
    this.#exchange.unreachable(this);
  }

  #read(bytes: Buffer): void {
    const arrived = readReply(bytes, this.#query);
    const { ignored, caseChanged, truncated } = this.#parts.metrics;
    if (arrived.kind === "ignored") {
      ignored[arrived.reason].inc();
      if (this.#protocol === "tcp") this.failed("garbage"); // nothing else will come on it
      return;
    }
    this.server.spoke();
    if (arrived.kind === "reply") return this.#exchange.answered(this, arrived.reply);
    (arrived.kind === "case" ? caseChanged : truncated).inc();
    if (this.#protocol === "udp") this.#exchange.needsStream(this);
    else this.#exchange.answered(this, { kind: "refused", rcode: "SERVFAIL" }); // a stream has room for all
  }
}
