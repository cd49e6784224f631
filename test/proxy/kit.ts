/**
 * Phones for the virtual world: they write requests, answer what arrives, and keep dialogs.
 */
import type { Flow, TransportName } from "../../src/base/flow.ts";
import { hostPort } from "../../src/base/flow.ts";
import type { HeaderId } from "../../src/message/header-names.ts";
import { H } from "../../src/message/header-names.ts";
import { splitList } from "../../src/message/name-addr.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import type { Host, WorldOptions } from "../support/world.ts";
import { EDGE, World } from "../support/world.ts";

export { EDGE, World };

/** Sources in these networks are not challenged. */
export const LAB = '[auth]\ntrusted_networks = ["198.51.100.0/24", "2001:db8:7::/48"]\n';

export const lab = (toml = "", options: WorldOptions = {}): World =>
  new World({ ...options, toml: `${LAB}${toml}` });

export interface RequestOptions {
  readonly from?: string;
  readonly fromTag?: string;
  readonly to?: string;
  readonly toTag?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  /** Parameters behind the branch; the default asks for rport. */
  readonly viaParams?: string;
  /** Header lines after the mandatory ones. */
  readonly headers?: readonly string[];
  /** Null: no Max-Forwards. */
  readonly maxForwards?: number | string | null;
  readonly body?: string;
}

export interface AnswerOptions {
  readonly toTag?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

const VIA_NAME: Record<TransportName, string> = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" };

export class Phone {
  readonly world: World;
  readonly name: string;
  readonly host: Host;
  readonly transport: TransportName;
  readonly contact: string;
  /** Everything that arrived, oldest first. */
  readonly got: SipMessage[];
  readonly #flows = new Map<SipMessage, Flow>();
  #branches = 0;
  /** Called with each message, after it was kept. */
  on: (message: SipMessage, phone: Phone) => void = () => {};

  constructor(world: World, name: string, address: string, port = 5060, transport: TransportName = "udp") {
    this.world = world;
    this.name = name;
    this.transport = transport;
    this.host = world.host(address, port, transport);
    this.got = this.host.received;
    this.contact = `sip:${name}@${hostPort(address, port)}${transport === "udp" ? "" : `;transport=${transport}`}`;
    this.host.on = (message, flow) => {
      this.#flows.set(message, flow);
      this.on(message, this);
    };
  }

  get sentBy(): string {
    return this.host.endpoint.sentBy;
  }

  branch(): string {
    return `z9hG4bK${this.name}${++this.#branches}`;
  }

  /** A request as text, with a fresh branch unless one is given. */
  write(method: string, uri: string, options: RequestOptions = {}): string {
    const { branch = this.branch(), viaParams = ";rport", cseq = 1, body = "", maxForwards = 70 } = options;
    const { fromTag = `${this.name}-tag`, callId = `call-${this.name}` } = options;
    const to = options.to ?? `<${uri}>`;
    const lines = [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${VIA_NAME[this.transport]} ${this.sentBy};branch=${branch}${viaParams}`,
      ...(maxForwards === null ? [] : [`Max-Forwards: ${maxForwards}`]),
      `From: ${options.from ?? `<sip:${this.name}@example.test>`};tag=${fromTag}`,
      `To: ${to}${options.toTag === undefined ? "" : `;tag=${options.toTag}`}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      ...(options.headers ?? [`Contact: <${this.contact}>`]),
      `Content-Length: ${body.length}`,
      "",
      body,
    ];
    return lines.join("\r\n");
  }

  send(text: string, to: string = EDGE): void {
    this.host.send(text, to);
  }

  /** Writes, sends, lets it arrive. Returns what was sent. */
  request(method: string, uri: string, options: RequestOptions = {}): string {
    const text = this.write(method, uri, options);
    this.send(text);
    this.world.run(20);
    return text;
  }

  register(expires = 3600, headers: readonly string[] = [], callId = `reg-${this.name}`, cseq = 1): void {
    this.request("REGISTER", "sip:example.test", {
      to: `<sip:${this.name}@example.test>`,
      callId,
      cseq,
      headers: [`Contact: <${this.contact}>`, `Expires: ${expires}`, ...headers],
    });
    if (this.last().status !== 200) throw new Error(`${this.name} could not register: ${this.last().status}`);
  }

  last(): SipMessage {
    const message = this.got.at(-1);
    if (message === undefined) throw new Error(`${this.name} got nothing`);
    return message;
  }

  /** The newest request of that method. */
  incoming(method: string): SipMessage {
    return this.host.request(method);
  }

  count(method: string): number {
    return this.got.filter((message) => message.method === method).length;
  }

  /** Statuses of the answers to requests of that method, 100 left out. */
  statuses(method: string): number[] {
    return this.answers(method).map((message) => message.status);
  }

  answers(method: string): SipMessage[] {
    const fits = (message: SipMessage) => {
      const { cseq } = message;
      return (
        !message.isRequest && message.status > 100 && !(cseq instanceof ParseError) && cseq.method === method
      );
    };
    return this.got.filter(fits);
  }

  flowOf(message: SipMessage): Flow {
    return this.#flows.get(message)!;
  }

  /** Answers a request the way it came and lets the answer travel. */
  answer(request: SipMessage, status: number, options: AnswerOptions = {}): string {
    const text = this.reply(request, status, options);
    this.world.run(20);
    return text;
  }

  /** The same without moving the clock: for use from inside `on`. Record-Route is mirrored as in a dialog. */
  reply(request: SipMessage, status: number, options: AnswerOptions = {}): string {
    const { toTag = `${this.name}-tag` } = options;
    const to = request.text(H.To) ?? "";
    const { cseq } = request;
    const lines = [
      `SIP/2.0 ${status} Answer`,
      ...request.texts(H.Via).map((value) => `Via: ${value}`),
      ...request.texts(H.RecordRoute).map((value) => `Record-Route: ${value}`),
      `From: ${request.text(H.From)}`,
      `To: ${request.toTag === null && status > 100 ? `${to};tag=${toTag}` : to}`,
      `Call-ID: ${request.callId}`,
      `CSeq: ${cseq instanceof ParseError ? 0 : cseq.number} ${request.method}`,
      ...(options.headers ?? (status < 300 ? [`Contact: <${this.contact}>`] : [])),
      `Content-Length: ${options.body?.length ?? 0}`,
      "",
      options.body ?? "",
    ];
    const text = lines.join("\r\n");
    this.flowOf(request).send(Buffer.from(text, "latin1"));
    return text;
  }

  /** The ACK of a refusal: hop by hop, with the request's own branch. */
  ackRefusal(sent: string, answer: SipMessage): void {
    const text = sent
      .replace(/^INVITE/, "ACK")
      .replace(/(CSeq: \d+) INVITE/, "$1 ACK")
      .replace(/\r\nTo: [^\r]*/, `\r\nTo: ${answer.text(H.To)}`);
    this.send(text);
    this.world.run(20);
  }

  /** The CANCEL of a request sent before. */
  cancel(sent: string, headers: readonly string[] = []): void {
    const keep = sent
      .split("\r\n\r\n", 1)[0]!
      .split("\r\n")
      .filter((line) => /^(Via|Max-Forwards|From|To|Call-ID|CSeq|Route):/.test(line))
      .map((line) => line.replace(/^(CSeq: \d+) .*/, "$1 CANCEL"));
    const uri = sent.split(" ", 2)[1]!;
    this.send([`CANCEL ${uri} SIP/2.0`, ...keep, ...headers, "Content-Length: 0", "", ""].join("\r\n"));
    this.world.run(20);
  }
}

/** Entries of a header that may hold lists, in order. */
export function entries(message: SipMessage, header: HeaderId): string[] {
  const all = splitList(message.texts(header).join(","));
  return all instanceof ParseError ? [] : all;
}

export interface Dialog {
  readonly callId: string;
  readonly route: readonly string[];
  readonly target: string;
  readonly from: string;
  readonly fromTag: string;
  readonly to: string;
  readonly toTag: string;
}

const bare = (value: string | null) => (value ?? "").replace(/;tag=.*$/, "");
const uriIn = (value: string | null) => /<([^>]+)>/.exec(value ?? "")?.[1] ?? "";

/** The dialog as the caller sees it after this 2xx (§12.1.2): route set reversed. */
export function callerDialog(answer: SipMessage): Dialog {
  return {
    callId: answer.callId!,
    route: entries(answer, H.RecordRoute).toReversed(),
    target: uriIn(answer.text(H.Contact)),
    from: bare(answer.text(H.From)),
    fromTag: answer.fromTag!,
    to: bare(answer.text(H.To)),
    toTag: answer.toTag!,
  };
}

/** The dialog as the callee sees it (§12.1.1): route set in order. */
export function calleeDialog(invite: SipMessage, toTag: string): Dialog {
  return {
    callId: invite.callId!,
    route: entries(invite, H.RecordRoute),
    target: uriIn(invite.text(H.Contact)),
    from: bare(invite.text(H.To)),
    fromTag: toTag,
    to: bare(invite.text(H.From)),
    toTag: invite.fromTag!,
  };
}

/** Options for a request inside a dialog; its Request-URI is `dialog.target`. */
export function inside(dialog: Dialog, more: RequestOptions = {}): RequestOptions {
  const { callId, route, from, fromTag, to, toTag } = dialog;
  const headers = [...route.map((entry) => `Route: ${entry}`), ...(more.headers ?? [])];
  return { callId, from, fromTag, to, toTag, ...more, headers };
}

export interface Call {
  readonly invite: string;
  readonly arrived: SipMessage;
  readonly caller: Dialog;
  readonly callee: Dialog;
}

/** A call set up to the end: INVITE, 180, 200, ACK. */
export function setUp(caller: Phone, callee: Phone, options: RequestOptions = {}): Call {
  const invite = caller.request("INVITE", `sip:${callee.name}@example.test`, options);
  const arrived = callee.incoming("INVITE");
  callee.answer(arrived, 180);
  callee.answer(arrived, 200);
  const answer = caller.answers("INVITE").findLast((message) => message.status === 200)!;
  const dialog = callerDialog(answer);
  caller.request("ACK", dialog.target, inside(dialog, { cseq: options.cseq ?? 1 }));
  return { invite, arrived, caller: dialog, callee: calleeDialog(arrived, answer.toTag!) };
}

/** The header lines of a message, without start line and body. */
export function lines(message: SipMessage): string[] {
  return message.bytes.latin1Slice(message.start, message.bodyStart).split("\r\n").slice(1, -2);
}

export const text = (message: SipMessage) => message.bytes.latin1Slice(message.start, message.bodyEnd);

/** What must be left when every transaction has run out: nothing. */
export function leftovers(world: World): Record<string, number> {
  const { server, client, timers } = world.core.layer.snapshot(0);
  return { server, client, timers };
}

export const NOTHING_LEFT = { server: 0, client: 0, timers: 0 };

/** Long enough for every timer of a finished transaction. */
export const SETTLE_MS = 70_000;
