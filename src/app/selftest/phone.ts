/**
 * A test phone: one link, one account, one call. It repeats what it sends over UDP (RFC 3261 §17.1), proves its
 * account when it is asked to (§22), and answers whatever it is asked.
 */
import { BoundedMap } from "../../base/bounded-map.ts";
import type { Alarm } from "../../base/clock.ts";
import type { Dice } from "../../base/dice.ts";
import { H } from "../../message/header-names.ts";
import { ParseError } from "../../message/parse-error.ts";
import { Scanner } from "../../message/scan.ts";
import type { SipMessage } from "../../message/sip-message.ts";
import type { ClientLink, LinkTarget } from "../../transport/client-link.ts";
import { openLink } from "../../transport/client-link.ts";
import { Failed, type Patience } from "./failed.ts";
import type { Draft, Secret } from "./sip-text.ts";
import { answerBytes, credentialsFor, requestBytes } from "./sip-text.ts";

const T1_MS = 500;
const T2_MS = 4000;
/** How long a final answer may take: both phones are beside the server. */
const ANSWER_MS = 8000;
const EXPIRES_S = 60;
/** Answers that are kept for repeated requests. */
const ANSWERS_MAX = 64;
/** Statuses that are remembered; a call has some five. */
const STATUSES_MAX = 32;
const NOT_RUNNING = "is sipedge running with this config (--config FILE)? sipedge doctor looks further";

export interface PhoneParts {
  readonly patience: Patience;
  readonly dice: Dice;
}

export interface PhoneAccount extends Secret {
  /** Where it registers, as a URI host: a domain of the appliance, or its address. */
  readonly domain: string;
}

interface Pending {
  readonly bytes: Buffer;
  readonly isInvite: boolean;
  readonly answered: (answer: SipMessage) => void;
  repeat: Alarm | null;
  wait_ms: number;
}

export class Phone {
  readonly link: ClientLink;
  readonly account: PhoneAccount;
  readonly tag: string;
  /** A new INVITE, an ACK or a BYE: whoever sets it answers. */
  onRequest: (request: SipMessage) => void = () => {};
  /** Statuses of what came, oldest first. */
  readonly statuses: number[] = [];
  /** Whether the server holds a binding of it, as far as it was told. */
  isRegistered = false;
  /** Whether it was asked for its password. */
  wasChallenged = false;
  readonly #parts: PhoneParts;
  readonly #scanner = new Scanner();
  readonly #pending = new Map<string, Pending>();
  readonly #answers = new BoundedMap<string, Buffer>(ANSWERS_MAX);
  readonly #instance: string;
  #ack: Buffer | null = null;
  #cseq = 0;
  #fail: (why: Failed) => void = () => {};
  readonly #gone: Promise<never>;

  private constructor(parts: PhoneParts, account: PhoneAccount, link: ClientLink) {
    this.#parts = parts;
    this.account = account;
    this.link = link;
    this.tag = parts.dice.token();
    this.#instance = uuidOf(parts.dice.bytes(16));
    this.#gone = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.#gone.catch(() => {}); // nobody may be waiting
  }

  static async open(parts: PhoneParts, account: PhoneAccount, target: LinkTarget): Promise<Phone> {
    let phone: Phone | null = null;
    const events = {
      message: (bytes: Buffer) => phone?.message(bytes),
      lost: (why: string) => phone?.lost(why),
    };
    const { transport, address, port } = target;
    const late = new Failed(`no connection to ${transport} ${address} port ${port}`, NOT_RUNNING);
    const opening = openLink(parts.patience.clock, target, events);
    let link: ClientLink;
    try {
      link = await parts.patience.wait(opening, ANSWER_MS, late);
    } catch (error) {
      void opening.then((unused) => unused.close()).catch(() => {}); // it may still come about
      if (error instanceof Failed) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new Failed(`no connection: ${why}`, NOT_RUNNING);
    }
    phone = new Phone(parts, account, link);
    return phone;
  }

  get aor(): string {
    return `sip:${this.account.name}@${this.account.domain}`;
  }

  /** Reached over its link only (RFC 5626 §4.2): whatever is between it and the server. */
  get contact(): string {
    const { transport, sentBy } = this.link;
    const by = transport === "udp" ? "" : `;transport=${transport === "wss" ? "ws" : transport}`;
    return `<sip:${this.account.name}@${sentBy}${by}>`;
  }

  /** REGISTER with that lifetime; 0 ends it. Rejects with Failed. */
  async register(expires_s = EXPIRES_S): Promise<void> {
    const contact = `Contact: ${this.contact};reg-id=1;+sip.instance="<urn:uuid:${this.#instance}>"`;
    const answer = await this.ask({
      ...{ method: "REGISTER", uri: `sip:${this.account.domain}`, callId: this.callId("reg") },
      ...{ from: `<${this.aor}>;tag=${this.tag}`, to: `<${this.aor}>`, routes: [], body: "" },
      lines: [contact, `Expires: ${expires_s}`, "Supported: path, outbound"],
    });
    if (answer.status !== 200) throw refused("REGISTER", answer);
    this.isRegistered = expires_s > 0;
  }

  callId(what: string): string {
    return `selftest-${what}-${this.tag}-${this.#parts.dice.token()}`;
  }

  /** The final answer; a first 401 or 407 is answered with a proof. Rejects with Failed. */
  async ask(draft: Draft): Promise<SipMessage> {
    const first = await this.#transact(draft, []);
    if (first.status !== 401 && first.status !== 407) return first;
    this.wasChallenged = true;
    const proof = credentialsFor(first, draft, this.account, this.#parts.dice.token());
    if (proof === null)
      throw new Failed("the challenge offers no algorithm and qop that phones know", "see [auth]");
    return this.#transact(draft, [proof]);
  }

  /** The ACK of a 2xx (RFC 3261 §13.2.2.4): a request of its own, sent again for each repetition of the 2xx. */
  acknowledge(draft: Draft): void {
    this.#ack = this.#text({ ...draft, method: "ACK" }, this.#cseq, []).bytes;
    this.link.send(this.#ack);
  }

  answer(request: SipMessage, status: string, lines: readonly string[] = [], body = ""): void {
    const bytes = answerBytes(request, { status, tag: this.tag, lines, body });
    const key = keyOf(request);
    if (key !== null) this.#answers.set(key, bytes);
    this.link.send(bytes);
  }

  /** What comes first: the promise, or the end of the link. Rejects with Failed. */
  expect<T>(given: Promise<T>, what: string, cure: string, ms = ANSWER_MS): Promise<T> {
    const late = new Failed(`${what}: nothing within ${ms / 1000} s`, cure);
    return this.#parts.patience.wait(Promise.race([given, this.#gone]), ms, late);
  }

  close(): void {
    for (const { repeat } of this.#pending.values()) repeat?.cancel();
    this.#pending.clear();
    this.link.close();
  }

  message(bytes: Buffer): void {
    const message = this.#scanner.scan(bytes);
    if (message === null || message.fault !== null) return;
    if (message.isRequest) this.#request(message);
    else this.#response(message);
  }

  lost(why: string): void {
    this.#fail(new Failed(`the connection is gone: ${why}`, "the log says why: journalctl -u sipedge"));
  }

  async #transact(draft: Draft, credentials: readonly string[]): Promise<SipMessage> {
    const { bytes, branch } = this.#text(draft, ++this.#cseq, credentials);
    const { promise, resolve } = Promise.withResolvers<SipMessage>();
    const isInvite = draft.method === "INVITE";
    const pending: Pending = { bytes, isInvite, answered: resolve, repeat: null, wait_ms: T1_MS };
    this.#pending.set(branch, pending);
    this.link.send(bytes);
    if (!this.link.reliable) this.#repeat(pending);
    try {
      const { transport } = this.link;
      return await this.expect(promise, `${draft.method} over ${transport}`, NOT_RUNNING);
    } catch (error) {
      if (isInvite) this.link.send(behind(bytes, "CANCEL", null)); // §9.1: nobody shall go on ringing
      throw error;
    } finally {
      pending.repeat?.cancel();
      this.#pending.delete(branch);
    }
  }

  /** Timers A and E (§17.1.1.2, §17.1.2.2). */
  #repeat(pending: Pending): void {
    pending.repeat = this.#parts.patience.clock.after(pending.wait_ms, () => {
      this.link.send(pending.bytes);
      pending.wait_ms = pending.isInvite ? 2 * pending.wait_ms : Math.min(T2_MS, 2 * pending.wait_ms);
      this.#repeat(pending);
    });
  }

  #text(draft: Draft, cseq: number, credentials: readonly string[]): { bytes: Buffer; branch: string } {
    const branch = `z9hG4bK${this.#parts.dice.token()}`;
    const { transport, sentBy } = this.link;
    return { branch, bytes: requestBytes(draft, { transport, sentBy, branch, cseq, credentials }) };
  }

  #response(answer: SipMessage): void {
    if (this.statuses.length < STATUSES_MAX) this.statuses.push(answer.status);
    const { via } = answer;
    const branch = via === null || via instanceof ParseError ? "" : (via.branch ?? "");
    const pending = this.#pending.get(branch);
    const isFinal = answer.status >= 200;
    if (pending === undefined) {
      if (answer.status === 200 && isOf(answer, "INVITE") && this.#ack !== null) this.link.send(this.#ack);
      return;
    }
    if (pending.isInvite || isFinal) pending.repeat?.cancel();
    if (!isFinal) return;
    if (pending.isInvite && answer.status >= 300) this.link.send(behind(pending.bytes, "ACK", answer));
    pending.answered(answer);
  }

  #request(request: SipMessage): void {
    const key = keyOf(request);
    const before = key === null ? undefined : this.#answers.get(key);
    if (before !== undefined && request.method !== "ACK") this.link.send(before);
    else if (request.method === "INVITE" || request.method === "ACK" || request.method === "BYE")
      this.onRequest(request);
    else this.answer(request, "200 OK"); // OPTIONS: a ping
  }
}

/** RFC 3261 §9.1, §17.1.1.3: with the Via of the INVITE; the ACK has the To of the answer. */
function behind(invite: Buffer, method: "ACK" | "CANCEL", answer: SipMessage | null): Buffer {
  const [head = ""] = invite.latin1Slice().split("\r\n\r\n", 1);
  const lines = head
    .split("\r\n")
    .filter((line) => /^(INVITE |Via:|Max-Forwards:|Route:|From:|To:|Call-ID:|CSeq:)/.test(line))
    .map((line) => line.replace(/^INVITE /, `${method} `).replace(/^(CSeq: \d+) INVITE$/, `$1 ${method}`))
    .map((line) => (answer !== null && line.startsWith("To:") ? `To: ${answer.text(H.To) ?? ""}` : line));
  return Buffer.from(`${[...lines, "Content-Length: 0"].join("\r\n")}\r\n\r\n`, "latin1");
}

function isOf(message: SipMessage, method: string): boolean {
  const { cseq } = message;
  return !(cseq instanceof ParseError) && cseq.method === method;
}

/** Names the transaction of a request (§17.2.3). */
function keyOf({ via, method }: SipMessage): string | null {
  return via === null || via instanceof ParseError || via.branch === null ? null : `${via.branch} ${method}`;
}

/** What an answer says, and in whose words. */
export function refused(method: string, answer: SipMessage): Failed {
  const why = /^Warning:[ \t]*\d+ \S+ "(.*)"\r?$/im.exec(answer.bytes.latin1Slice())?.[1];
  const said = `${method} was answered ${answer.status} ${answer.reason}${why === undefined ? "" : `: ${why}`}`;
  return new Failed(said, cureFor(answer.status, why ?? ""));
}

function cureFor(status: number, why: string): string {
  if (/\((screen|calls_)/.test(why))
    return "a fraud rule stops the test as it would a user: see docs/fraud.md, or take it as proof that the rule works";
  if (status === 401 || status === 407)
    return "the account is not known there: the running sipedge uses another data_dir or realm than this config";
  if (status === 503) return "the appliance takes nothing new now: sipedge status says why";
  return "sipedge trace shows what was decided; the log has the same in a line";
}

/** RFC 9562 §5.4. */
function uuidOf(bytes: Uint8Array): string {
  const copy = Buffer.from(bytes);
  copy[6] = (copy[6]! & 0x0f) | 0x40;
  copy[8] = (copy[8]! & 0x3f) | 0x80;
  return copy.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
