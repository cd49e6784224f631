/**
 * User agents that do what RFC 3261 asks of them over a bad network: repeat what gets lost, acknowledge
 * each answer, and hang up.
 */
import { H } from "../../src/message/header-names.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { callerDialog, inside, Phone } from "../proxy/kit.ts";
import type { World } from "../support/world.ts";

const T1_MS = 500;
const T2_MS = 4000;
const LIFE_MS = 64 * T1_MS;

/** How one call ended for its caller. */
export interface Outcome {
  readonly callId: string;
  /** The final status; 0: none came. */
  status: number;
  /** Whether the BYE was answered. */
  hungUp: boolean;
}

interface Outgoing {
  readonly method: string;
  readonly done: (answer: SipMessage | null) => void;
  /** What answers a repeated final answer of an INVITE; by To tag. */
  readonly acks: Map<string, string>;
  stop: () => void;
  provisional: boolean;
  final: boolean;
}

interface Incoming {
  last: SipMessage;
  /** Sends the last answer once more; does nothing before the first. */
  repeat: () => void;
  final: boolean;
  stop: () => void;
}

export class Agent {
  readonly phone: Phone;
  /** Calls that rang here, by Call-ID: what became of them. */
  readonly rang = new Map<string, "ringing" | "answered" | "talking" | "cancelled" | "over" | "abandoned">();
  /** What to do with a call: answer after so many milliseconds, or refuse. */
  policy: (invite: SipMessage) => { after_ms: number; status: number } = () => ({
    after_ms: 1000,
    status: 200,
  });
  readonly #world: World;
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #incoming = new Map<string, Incoming>();
  #calls = 0;

  constructor(world: World, name: string, address: string, port = 5060) {
    this.#world = world;
    this.phone = new Phone(world, name, address, port);
    this.phone.on = (message) => {
      if (message.isRequest) this.#request(message);
      else this.#response(message);
    };
  }

  /** Forgets everything, like a phone that lost its power. */
  reboot(): void {
    for (const each of [...this.#outgoing.values(), ...this.#incoming.values()]) each.stop();
    this.#outgoing.clear();
    this.#incoming.clear();
    this.rang.clear();
  }

  register(callId: string): { status: number } {
    const result = { status: 0 };
    const options = { to: `<sip:${this.phone.name}@example.test>`, callId };
    this.send("REGISTER", "sip:example.test", options, (answer) => {
      result.status = answer?.status ?? 408;
    });
    return result;
  }

  /** Calls a user, talks for a while, hangs up. */
  call(user: string, talk_ms: number, hangUp = true): Outcome & { readonly sent: string } {
    const callId = `${this.phone.name}-${++this.#calls}`;
    const outcome = { callId, status: 0, hungUp: false, sent: "" };
    outcome.sent = this.send("INVITE", `sip:${user}@example.test`, { callId }, (answer) => {
      outcome.status = answer?.status ?? 408;
      if (answer === null || answer.status >= 300 || !hangUp) return;
      const dialog = callerDialog(answer);
      this.#world.clock.after(talk_ms, () =>
        this.send("BYE", dialog.target, inside(dialog, { cseq: 2 }), (bye) => {
          outcome.hungUp = bye !== null && bye.status < 300;
        }),
      );
    });
    return outcome;
  }

  /** Sends and repeats until an answer comes or 64*T1 have passed. Returns what was sent. */
  send(method: string, uri: string, options: RequestOptions, done: Outgoing["done"]): string {
    const branch = options.branch ?? this.phone.branch();
    const text = this.phone.write(method, uri, { ...options, branch });
    const invite = method === "INVITE";
    const outgoing: Outgoing = {
      method,
      done,
      acks: new Map(),
      stop: () => {},
      provisional: false,
      final: false,
    };
    this.#outgoing.set(`${branch} ${method}`, outgoing);
    this.phone.send(text);
    outgoing.stop = this.#repeat(
      () => this.phone.send(text),
      invite ? Number.POSITIVE_INFINITY : T2_MS,
      () => {
        if (!outgoing.final && !(invite && outgoing.provisional)) done(null);
      },
      () => invite && outgoing.provisional,
    );
    return text;
  }

  /** CANCEL of an INVITE sent before. */
  cancel(sent: string): void {
    const [line = "", ...rest] = sent.split("\r\n\r\n", 1)[0]!.split("\r\n");
    const headers = rest
      .filter((each) => /^(Via|Max-Forwards|From|To|Call-ID|CSeq):/.test(each))
      .map((each) => each.replace("INVITE", "CANCEL"));
    const text = [line.replace("INVITE", "CANCEL"), ...headers, "Content-Length: 0", "", ""].join("\r\n");
    const branch = /branch=([^;\r]+)/.exec(sent)![1]!;
    const outgoing: Outgoing = {
      method: "CANCEL",
      done: () => {},
      acks: new Map(),
      stop: () => {},
      provisional: false,
      final: false,
    };
    this.#outgoing.set(`${branch} CANCEL`, outgoing);
    this.phone.send(text);
    outgoing.stop = this.#repeat(() => this.phone.send(text), T2_MS);
  }

  /** Runs `again` at T1, doubling up to `most`, for 64*T1. Returns what ends it. */
  #repeat(again: () => void, most: number, over = () => {}, paused = () => false): () => void {
    const end = this.#world.clock.now() + LIFE_MS;
    let alive = true;
    const next = (interval: number): void => {
      const { clock } = this.#world;
      const left = end - clock.now();
      clock.after(Math.min(interval, left), () => {
        if (!alive) return;
        if (interval >= left) {
          alive = false;
          over();
          return;
        }
        if (!paused()) again();
        next(Math.min(interval * 2, most));
      });
    };
    next(T1_MS);
    return () => {
      alive = false;
    };
  }

  #response(answer: SipMessage): void {
    const { via, cseq } = answer;
    if (via === null || via instanceof ParseError || cseq instanceof ParseError) return;
    const outgoing = this.#outgoing.get(`${via.branch} ${cseq.method}`);
    if (outgoing === undefined) return;
    if (answer.status < 200) {
      outgoing.provisional = true;
      return;
    }
    if (cseq.method === "INVITE") this.#acknowledge(outgoing, answer);
    const first = !outgoing.final;
    outgoing.final = true;
    outgoing.stop();
    if (first) outgoing.done(answer);
  }

  #acknowledge(outgoing: Outgoing, answer: SipMessage): void {
    const tag = answer.toTag ?? "";
    let ack = outgoing.acks.get(tag);
    if (ack === undefined) {
      ack = this.#ackFor(answer);
      outgoing.acks.set(tag, ack);
    }
    this.phone.send(ack);
  }

  #ackFor(answer: SipMessage): string {
    const { via, cseq } = answer;
    const number = cseq instanceof ParseError ? 0 : cseq.number;
    if (answer.status < 300) {
      const dialog = callerDialog(answer);
      return this.phone.write("ACK", dialog.target, inside(dialog, { cseq: number }));
    }
    const branch = via === null || via instanceof ParseError ? "" : (via.branch ?? "");
    const to = answer.text(H.To) ?? "";
    const uri = /<([^>]+)>/.exec(to)?.[1] ?? "";
    return this.phone.write("ACK", uri, {
      branch,
      to,
      callId: answer.callId ?? "",
      fromTag: answer.fromTag ?? "",
      cseq: number,
      headers: [],
    });
  }

  #request(request: SipMessage): void {
    const { via } = request;
    const branch = via === null || via instanceof ParseError ? "" : via.branch;
    if (request.method === "ACK") {
      this.#acknowledged(request);
      return;
    }
    const key = `${branch} ${request.method}`;
    const known = this.#incoming.get(key);
    if (known !== undefined) {
      known.repeat();
      return;
    }
    const incoming: Incoming = { last: request, repeat: () => {}, final: false, stop: () => {} };
    this.#incoming.set(key, incoming);
    if (request.method === "INVITE") this.#ring(request, incoming);
    else if (request.method === "CANCEL") this.#cancelled(request, incoming, `${branch} INVITE`);
    else this.#plain(request, incoming);
  }

  #plain(request: SipMessage, incoming: Incoming): void {
    const callId = request.callId ?? "";
    const known = this.rang.has(callId);
    if (request.method === "BYE" && known) this.rang.set(callId, "over");
    this.#reply(incoming, request.toTag !== null && !known ? 481 : 200);
  }

  #ring(request: SipMessage, incoming: Incoming): void {
    const callId = request.callId ?? "";
    if (request.toTag !== null) {
      this.#final(incoming, this.rang.has(callId) ? 200 : 481, callId);
      return;
    }
    this.rang.set(callId, "ringing");
    this.#reply(incoming, 180);
    const { after_ms, status } = this.policy(request);
    this.#world.clock.after(after_ms, () => {
      if (!incoming.final) this.#final(incoming, status, callId);
    });
  }

  #cancelled(cancel: SipMessage, own: Incoming, key: string): void {
    const invite = this.#incoming.get(key);
    this.#reply(own, invite === undefined ? 481 : 200);
    if (invite === undefined || invite.final) return;
    this.rang.set(cancel.callId ?? "", "cancelled");
    this.#final(invite, 487, cancel.callId ?? "");
  }

  /** A final answer to an INVITE, repeated until its ACK comes. */
  #final(incoming: Incoming, status: number, callId: string): void {
    if (status < 300) this.rang.set(callId, "answered");
    else if (status !== 487) this.rang.set(callId, "over");
    this.#reply(incoming, status);
    incoming.stop = this.#repeat(
      () => incoming.repeat(),
      T2_MS,
      () => {
        if (this.rang.get(callId) === "answered") this.rang.set(callId, "abandoned");
      },
    );
  }

  #reply(incoming: Incoming, status: number): void {
    incoming.final = status >= 200;
    const { last } = incoming;
    const send = () => void this.phone.reply(last, status);
    incoming.repeat = send;
    send();
  }

  #acknowledged(ack: SipMessage): void {
    const callId = ack.callId ?? "";
    for (const incoming of this.#incoming.values())
      if (incoming.last.method === "INVITE" && incoming.last.callId === callId && incoming.final)
        incoming.stop();
    if (this.rang.get(callId) === "answered") this.rang.set(callId, "talking");
  }
}
