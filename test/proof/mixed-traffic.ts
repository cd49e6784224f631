/**
 * Everything phones do, at so many a second each: registrations, calls, calls that are cancelled, refused or never
 * answered, OPTIONS over connections that come and go, and broken messages.
 */
import { Mutator } from "../fuzz/mutate.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { Ledger } from "./ledger.ts";
import type { Kind, MixedPhones } from "./mixed-phones.ts";
import { KINDS } from "./mixed-phones.ts";
import { answerTo, audio, headerOf, message, statusOf } from "./sip-lines.ts";

const USERS = 50;
const METHODS = ["REGISTER", "INVITE", "OPTIONS", "BYE", "CANCEL", "SUBSCRIBE", "ACK", "MESSAGE"];
const TICK_MS = 20;
const TALK_LEAST_MS = 1000;
const TALK_SPREAD_MS = 3000;
/** Open connections of the callers; one more is not begun. */
const CONNECTIONS_MAX = 100;

const DATAGRAM_BYTES_MAX = 65_507;

/** So many a second of each. */
export interface Rates extends Record<Kind, number> {
  readonly register: number;
  readonly options: number;
  readonly connection: number;
  readonly broken: number;
}

/** A call that is up: when it is hung up, and how. */
interface Talk {
  readonly end_ms: number;
  readonly bye: () => void;
}

export class MixedTraffic {
  readonly ledger = new Ledger();
  /** Where datagrams are sent: the appliance, or a line to it. */
  way: readonly [address: string, port: number];
  readonly #edge: readonly [address: string, port: number];
  readonly #phones: MixedPhones;
  readonly #dice: SeededDice;
  /** What broken messages are made of. */
  readonly #originals: readonly string[];
  readonly #mutator: Mutator;
  readonly #callers: Bun.udp.Socket<"buffer">;
  readonly #talks = new Map<string, Talk>();
  #connections = 0;
  #serial = 0;
  #running = false;
  broken = 0;

  private constructor(
    edge: readonly [address: string, port: number],
    callers: Bun.udp.Socket<"buffer">,
    phones: MixedPhones,
    seed: number,
  ) {
    this.#edge = edge;
    this.way = edge;
    this.#callers = callers;
    this.#phones = phones;
    this.#dice = new SeededDice(seed);
    const uri = `sip:nobody@${this.#hostPort}`;
    this.#originals = METHODS.map((method) => this.#message(method, uri, "broken").toString("latin1"));
    this.#mutator = new Mutator(this.#dice, this.#originals);
  }

  get place(): readonly [address: string, port: number] {
    return [this.#callers.hostname, this.#callers.port];
  }

  static async open(
    edge: readonly [address: string, port: number],
    address: string,
    phones: MixedPhones,
    seed: number,
  ): Promise<MixedTraffic> {
    let take: (text: string) => void = () => {};
    const data = (_: unknown, bytes: Buffer) => take(bytes.toString("latin1"));
    const socket = await Bun.udpSocket({ hostname: address, socket: { data, error() {} } });
    const traffic = new MixedTraffic(edge, socket, phones, seed);
    take = (text) => traffic.#take(text);
    return traffic;
  }

  /** Sends until told to halt. Then calls are hung up, and it waits until nothing is open any more. */
  async run(rates: Rates): Promise<void> {
    this.#running = true;
    for (let user = 0; user < USERS; user++) for (const kind of KINDS) this.#register(`${kind}-${user}`);
    while (this.ledger.open > 0) await this.#tick();
    const begin = performance.now();
    const done = new Map<string, number>();
    while (this.#running || this.ledger.open > 0 || this.#talks.size > 0) {
      const now = performance.now();
      for (const [what, rate] of Object.entries(this.#running ? rates : {})) {
        const due = Math.floor(((now - begin) / 1000) * rate);
        for (let n = done.get(what) ?? 0; n < due; n++) this.#begin(what as keyof Rates);
        done.set(what, due);
      }
      await this.#tick();
    }
  }

  /** Repeats and hangs up what is due; the ledger gives up what is late, so that every wait has an end. */
  async #tick(): Promise<void> {
    this.ledger.tick(performance.now());
    this.#hangUp(performance.now());
    await Bun.sleep(TICK_MS);
  }

  halt(): void {
    this.#running = false;
  }

  close(): void {
    this.#callers.close();
  }

  #begin(what: keyof Rates): void {
    const user = this.#below(USERS);
    switch (what) {
      case "register":
        return this.#register(`${KINDS[this.#below(KINDS.length)]}-${user}`);
      case "options":
        return this.#ask(what, "OPTIONS", `sip:${this.#hostPort}`);
      case "connection":
        return void this.#askByConnection();
      case "broken":
        return this.#sendBroken();
      default:
        return this.#call(`${what}-${user}`);
    }
  }

  #sendBroken(): void {
    this.broken++;
    const text = this.#mutator.spoil(this.#mutator.renew(this.#mutator.pick(this.#originals)));
    this.#send(Buffer.from(text, "latin1").subarray(0, DATAGRAM_BYTES_MAX));
  }

  #call(user: string): void {
    const { hostname, port } = this.#callers;
    const head = [`Contact: <sip:caller@${hostname}:${port}>`, "Content-Type: application/sdp"];
    const body = audio(hostname, 4000 + 2 * this.#below(1000));
    this.#ask(user, "INVITE", this.#uriOf(user), head, body);
  }

  #register(user: string): void {
    this.#ask("register", "REGISTER", this.#uriOf(user), [
      `Contact: ${this.#phones.contact(user)};expires=600`,
    ]);
  }

  /** A request that must get a final answer; its Call-ID begins with `name`, as whom it calls. */
  #ask(name: string, method: string, uri: string, more: readonly string[] = [], body = ""): void {
    const id = `${name}.${this.#serial++}`;
    this.#ledge(name.split("-", 1)[0]!, `${id} ${method}`, this.#message(method, uri, id, more, body));
  }

  #ledge(kind: string, key: string, bytes: Buffer): void {
    const isInvite = key.endsWith(" INVITE");
    this.ledger.begin(key, kind, isInvite, () => this.#send(bytes), performance.now());
  }

  #message(method: string, uri: string, id: string, more: readonly string[] = [], body = ""): Buffer {
    return message([...this.#head(method, uri, id, 1), `To: <${uri}>`, ...more], body);
  }

  #head(method: string, uri: string, id: string, cseq: number, transport = "UDP"): string[] {
    const { hostname, port } = this.#callers;
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${transport} ${hostname}:${port};branch=z9hG4bK${id}-${cseq};rport`,
      "Max-Forwards: 70",
      `From: <sip:caller@${this.#hostPort}>;tag=c`,
      `Call-ID: ${id}`,
      `CSeq: ${cseq} ${method}`,
    ];
  }

  #take(text: string): void {
    const status = statusOf(text);
    const id = headerOf(text, "Call-ID");
    const method = headerOf(text, "CSeq").split(" ")[1] ?? "";
    if (status === 0) {
      if (text.startsWith("BYE ") && this.#talks.delete(id)) this.#send(answerTo(text, "200 OK"));
      return;
    }
    const isFirst = this.ledger.answer(`${id} ${method}`, status);
    if (method !== "INVITE") return;
    const uri = this.#uriOf(id.split(".", 1)[0]!);
    const isRinging = this.ledger.isOpen(`${id} INVITE`) && !this.ledger.isOpen(`${id} CANCEL`);
    if (status === 180 && id.startsWith("ring-") && isRinging)
      this.#ledge("cancel", `${id} CANCEL`, this.#message("CANCEL", uri, id));
    if (status >= 300) this.#send(message([...this.#head("ACK", uri, id, 1), `To: ${headerOf(text, "To")}`]));
    else if (status >= 200) this.#pickedUp(text, id, isFirst);
  }

  /** §13.2.2.4: each 2xx is acknowledged, also those that come again. */
  #pickedUp(answer: string, id: string, isFirst: boolean): void {
    const target = /<([^>]+)>/.exec(headerOf(answer, "Contact"))?.[1] ?? "";
    const inside = (method: string, cseq: number) =>
      message([
        ...this.#head(method, target, id, cseq),
        `To: ${headerOf(answer, "To")}`,
        `Route: ${headerOf(answer, "Record-Route")}`,
      ]);
    const ack = inside("ACK", 1).toString("latin1").replace(`${id}-1`, `${id}-ack`);
    this.#send(Buffer.from(ack, "latin1"));
    if (!isFirst) return;
    const bye = inside("BYE", 2);
    const end_ms = performance.now() + TALK_LEAST_MS + this.#below(TALK_SPREAD_MS);
    this.#talks.set(id, { end_ms, bye: () => this.#ledge("bye", `${id} BYE`, bye) });
  }

  #hangUp(now: number): void {
    for (const [id, { end_ms, bye }] of this.#talks) {
      if (now < end_ms) continue;
      this.#talks.delete(id);
      bye();
    }
  }

  /** OPTIONS over a connection of its own, which the caller closes when the answer is there. */
  async #askByConnection(): Promise<void> {
    if (this.#connections === CONNECTIONS_MAX) return;
    this.#connections++;
    const id = `connection.${this.#serial++}`;
    const [hostname, port] = this.#edge;
    const uri = `sip:${this.#hostPort}`;
    const text = message([...this.#head("OPTIONS", uri, id, 1, "TCP"), `To: <${uri}>`]);
    const key = `${id} OPTIONS`;
    const ledger = this.ledger;
    const gone = () => void this.#connections--;
    try {
      const socket = await Bun.connect({
        hostname,
        port,
        socket: {
          data(it, bytes) {
            if (ledger.answer(key, statusOf(bytes.toString("latin1")))) it.end();
          },
          close: gone,
          error() {},
        },
      });
      let isSent = false;
      // A stream loses nothing: it is not sent again.
      const once = (): void => {
        if (!isSent) socket.write(text);
        isSent = true;
      };
      ledger.begin(key, "connection", false, once, performance.now());
    } catch {
      gone();
      ledger.forgotten.push(`connection ${id}: refused`);
    }
  }

  #send(bytes: Buffer): void {
    const [address, port] = this.way;
    this.#callers.send(bytes, port, address);
  }

  #uriOf(user: string): string {
    return `sip:${user}@${this.#hostPort}`;
  }

  get #hostPort(): string {
    return this.#edge.join(":");
  }

  #below(n: number): number {
    return Math.floor(this.#dice.fraction() * n);
  }
}
