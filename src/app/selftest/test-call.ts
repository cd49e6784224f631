/**
 * One call of the test phones, from INVITE to BYE (RFC 3261 §13, §15), with an offer of G.711 and media both ways
 * (RFC 3264).
 */
import type { Dice } from "../../base/dice.ts";
import { bunSockets } from "../../media/bun-sockets.ts";
import type { MediaSocket } from "../../media/port-stock.ts";
import { sdpPart } from "../../message/body-parts.ts";
import { H } from "../../message/header-names.ts";
import { parseNameAddr, splitList } from "../../message/name-addr.ts";
import { ParseError } from "../../message/parse-error.ts";
import { readSdp } from "../../message/sdp.ts";
import type { SipMessage } from "../../message/sip-message.ts";
import type { Patience } from "./failed.ts";
import { Failed } from "./failed.ts";
import { type Phone, refused } from "./phone.ts";
import type { Draft } from "./sip-text.ts";
import type { Heard } from "./tone.ts";
import { CALLEE_HZ, CALLER_HZ, PCMA, PCMU, Tone } from "./tone.ts";

export interface CallParts {
  readonly patience: Patience;
  readonly dice: Dice;
}

/** How long both talk. */
const TALK_MS = 2000;
/** For the last packets to arrive. */
const TAIL_MS = 200;
const RING_MS = 100;
/** Dynamic ports (RFC 6335 §6), of which one is tried after the other. */
const PORT_MIN = 49_152;
const PORT_TRIES_MAX = 50;
const T1_MS = 500;
const REPEATS_MAX = 5;

export interface MediaResult {
  readonly sent: number;
  readonly caller: Heard;
  readonly callee: Heard;
  /** Whether the phones were told another place than the other phone's own. */
  readonly isRelayed: boolean;
}

/** Where media is to go, and as what. */
interface Place {
  readonly address: string;
  readonly port: number;
  readonly type: number;
}

interface End {
  readonly phone: Phone;
  readonly tone: Tone;
  readonly socket: MediaSocket;
  readonly port: number;
}

export class TestCall {
  readonly callId: string;
  readonly #parts: CallParts;
  readonly #caller: End;
  readonly #callee: End;
  #invite: Draft;
  #calleeTo: Place | null = null;
  #callerTo: Place | null = null;
  #isUp = false;
  readonly #acked = Promise.withResolvers<void>();
  readonly #refusedBy = Promise.withResolvers<never>();

  private constructor(parts: CallParts, caller: End, callee: End) {
    this.#parts = parts;
    this.#caller = caller;
    this.#callee = callee;
    this.callId = caller.phone.callId("call");
    this.#refusedBy.promise.catch(() => {}); // nobody may be waiting
    const { aor } = callee.phone;
    this.#invite = {
      ...{ method: "INVITE", uri: aor, callId: this.callId, routes: [], to: `<${aor}>` },
      from: `"sipedge selftest" <${caller.phone.aor}>;tag=${caller.phone.tag}`,
      lines: [`Contact: ${caller.phone.contact}`, "Supported: outbound", "Allow: INVITE, ACK, BYE, CANCEL"],
      body: describe(caller, [PCMA, PCMU]),
    };
    callee.phone.onRequest = (request) => this.#called(request);
  }

  /** Opens the media ports of both. Rejects with Failed. */
  static async make(parts: CallParts, caller: Phone, callee: Phone): Promise<TestCall> {
    const first = await openEnd(parts, caller, CALLER_HZ, CALLEE_HZ);
    try {
      return new TestCall(parts, first, await openEnd(parts, callee, CALLEE_HZ, CALLER_HZ));
    } catch (error) {
      first.socket.close();
      throw error;
    }
  }

  /** INVITE, 180, 200, ACK. Rejects with Failed. */
  async begin(): Promise<void> {
    const { phone } = this.#caller;
    const answer = await Promise.race([phone.ask(this.#invite), this.#refusedBy.promise]);
    if (answer.status !== 200) throw refused("INVITE", answer);
    const contact = parseNameAddr(answer.text(H.Contact) ?? "");
    const routes = splitList(answer.texts(H.RecordRoute).join(","));
    if (contact instanceof ParseError) throw new Failed("the 200 has no Contact", BUG);
    this.#invite = {
      ...this.#invite,
      ...{ uri: contact.uri.text, to: answer.text(H.To) ?? "", lines: [], body: "" },
      routes: routes instanceof ParseError ? [] : routes.toReversed(),
    };
    this.#isUp = true;
    this.#callerTo = placeIn(answer);
    phone.acknowledge(this.#invite);
    await phone.expect(this.#acked.promise, "the ACK did not come to the callee", TRACE);
  }

  /** Both tones for two seconds. Rejects with Failed where the descriptions agree on nothing. */
  async talk(): Promise<MediaResult> {
    const [from, to] = [this.#caller, this.#callee];
    if (this.#callerTo === null || this.#calleeTo === null)
      throw new Failed("offer and answer agree on no G.711", "media.codecs may have taken PCMA and PCMU out");
    // The callee first: a relay that waits for a phone behind a NAT to speak knows then where it is.
    const playing = [
      to.tone.play(to.socket, this.#calleeTo, TALK_MS),
      from.tone.play(from.socket, this.#callerTo, TALK_MS),
    ];
    try {
      const both = Promise.all(playing.map(({ done }) => done)).then(() => {});
      await from.phone.expect(both, "the tones were not over", "this machine is overloaded");
      await this.#parts.patience.pause(TAIL_MS);
    } finally {
      for (const { stop } of playing) stop();
    }
    const isRelayed = this.#callerTo.port !== to.port && this.#calleeTo.port !== from.port;
    return { sent: from.tone.sent, caller: from.tone.report(), callee: to.tone.report(), isRelayed };
  }

  /** BYE, and its 200. Rejects with Failed. */
  async end(): Promise<void> {
    if (!this.#isUp) return;
    this.#isUp = false;
    const answer = await this.#caller.phone.ask({ ...this.#invite, method: "BYE" });
    if (answer.status !== 200) throw refused("BYE", answer);
  }

  close(): void {
    this.#caller.socket.close();
    this.#callee.socket.close();
  }

  /** What the callee is asked. */
  #called(request: SipMessage): void {
    const { phone } = this.#callee;
    if (request.method === "ACK") this.#acked.resolve();
    else if (request.method === "BYE") phone.answer(request, "200 OK");
    else if (request.callId !== this.callId) phone.answer(request, "486 Busy Here");
    else this.#ring(request);
  }

  #ring(invite: SipMessage): void {
    const { phone } = this.#callee;
    this.#calleeTo = placeIn(invite);
    const contact = `Contact: ${phone.contact}`;
    if (this.#calleeTo === null) {
      phone.answer(invite, "488 Not Acceptable Here");
      this.#refusedBy.reject(
        new Failed("the offer that came has no G.711", "media.codecs may have taken PCMA and PCMU out"),
      );
      return;
    }
    const { clock } = this.#parts.patience;
    phone.answer(invite, "180 Ringing", [contact]);
    const body = describe(this.#callee, [this.#calleeTo.type]);
    let isAcked = false;
    void this.#acked.promise.then(() => {
      isAcked = true;
    });
    const pickUp = (wait_ms: number, left: number): void => {
      if (isAcked || left === 0) return;
      phone.answer(invite, "200 OK", [contact, "Supported: outbound"], body);
      if (!phone.link.reliable) clock.after(wait_ms, () => pickUp(2 * wait_ms, left - 1)); // §13.3.1.4
    };
    clock.after(RING_MS, () => pickUp(T1_MS, REPEATS_MAX));
  }
}

const BUG = "this is a bug: please report it with sipedge trace --messages";
const TRACE = "sipedge trace shows how far it came";

async function openEnd(parts: CallParts, phone: Phone, own_hz: number, other_hz: number): Promise<End> {
  const { patience, dice } = parts;
  const tone = new Tone({ clock: patience.clock, dice }, own_hz, other_hz);
  const open = bunSockets(() => {});
  let why = "";
  for (let tries = 0; tries < PORT_TRIES_MAX; tries++) {
    const port = PORT_MIN + 2 * Math.floor(dice.fraction() * ((65_536 - PORT_MIN) / 2));
    const socket = await open(phone.link.address, port, (bytes) => tone.heard(bytes));
    if (typeof socket !== "string") return { phone, tone, socket, port };
    why = socket;
  }
  throw new Failed(`no media port at ${phone.link.address}: ${why}`, "look at ss -lun and ulimit -n");
}

function describe({ phone, port }: End, types: readonly number[]): string {
  const { address } = phone.link;
  const version = address.includes(":") ? 6 : 4;
  return [
    "v=0",
    `o=- ${port} 1 IN IP${version} ${address}`,
    "s=sipedge selftest",
    `c=IN IP${version} ${address}`,
    "t=0 0",
    `m=audio ${port} RTP/AVP ${types.join(" ")}`,
    "a=ptime:20",
    "",
  ].join("\r\n");
}

/** Where the other side wants G.711; null: nowhere. */
function placeIn(message: SipMessage): Place | null {
  const part = sdpPart(message);
  const sdp = part === null ? null : readSdp(message.bytes, part.from, part.to);
  if (sdp === null || sdp instanceof ParseError) return null;
  const audio = sdp.media.find(({ kind, port }) => kind === "audio" && port > 0);
  const type = audio?.payloads.find((payload) => payload.type === PCMA || payload.type === PCMU)?.type;
  const address = audio?.connection?.address;
  if (audio === undefined || type === undefined || address === undefined) return null;
  return { address, port: audio.port, type };
}
