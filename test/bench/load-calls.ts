/** Requests for u0, whose phones stand in this process as well: whole calls, forked ones among them, and MESSAGE. */
import type { OnMessage, Peer, Transport } from "./load-peer.ts";
import {
  answer,
  isFinal,
  isRefusal,
  lineOf,
  linesOf,
  NOTHING,
  nextSerial,
  OPERATION_MAX_MS,
  open,
  transportParam,
  Window,
} from "./load-peer.ts";
import { HOST, REALM } from "./servers.ts";

const CALLS_WINDOW = 40;
/** A fork of ten has ten times as much under way. */
const FORKS_WINDOW = 8;
const SDP =
  "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const OFFER = `Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`;

export interface CallsOptions {
  /** They are set up and left standing. */
  readonly hold?: boolean;
  /** Phones that ring; the first one answers, and each of the others has to be cancelled to its end. */
  readonly contacts?: number;
  /** Each phone, the caller's too, has one connection, unless it is UDP. */
  readonly transport?: Transport;
}

/** What becomes of a call, by its Call-ID line. */
interface CallerHears {
  /** 200 for its INVITE came; false leaves the call standing. */
  answered(id: string): boolean;
  /** 200 for its BYE came. */
  ended(id: string): void;
  refused(answer: string): void;
}

export interface Caller {
  readonly port: number;
  /** Sends the INVITE of call `n`, a number that no message had before. */
  invite(n: number): void;
  close(): void;
}

export const callIdLine = (n: number): string => `Call-ID: call-${n}`;

/** ACK and BYE follow the 200 at once. */
export async function openCaller(hears: CallerHears, transport: Transport = "udp"): Promise<Caller> {
  const peer = await open((text) => {
    if (isRefusal(text)) return hears.refused(text);
    if (!text.startsWith("SIP/2.0 200")) return;
    const id = lineOf(text, "Call-ID");
    if (/CSeq: \d+ BYE/.test(text)) return hears.ended(id);
    const target = /Contact: <([^>]+)>/.exec(text)?.[1] ?? "";
    const route = linesOf(text, "Record-Route")
      .reverse()
      .map((line) => line.replace("Record-", ""))
      .join("\r\n");
    const dialog = [lineOf(text, "From"), lineOf(text, "To"), id].join("\r\n");
    const inside = (method: string, cseq: number) =>
      peer.send(
        `${method} ${target} SIP/2.0\r\nVia: SIP/2.0/${peer.via} ${HOST}:${peer.port};branch=z9hG4bK${method}${nextSerial()}\r\n${route}\r\nMax-Forwards: 70\r\n${dialog}\r\nCSeq: ${cseq} ${method}\r\n${NOTHING}`,
      );
    inside("ACK", 1);
    if (hears.answered(id)) inside("BYE", 2);
  }, transport);
  const invite = (n: number): void =>
    peer.send(
      `INVITE sip:u0@${REALM} SIP/2.0\r\nVia: SIP/2.0/${peer.via} ${HOST}:${peer.port};branch=z9hG4bKi${n}\r\nMax-Forwards: 70\r\nFrom: <sip:caller@${HOST}>;tag=a${n}\r\nTo: <sip:u0@${REALM}>\r\n${callIdLine(n)}\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@${HOST}:${peer.port}${transportParam(peer)}>\r\n${OFFER}`,
    );
  return { port: peer.port, invite, close: peer.close };
}

/** A phone of u0 that answers at once; `acknowledged`: its 200 has been. */
export const takesCalls =
  (acknowledged: OnMessage = () => {}): OnMessage =>
  (text, peer) => {
    const contact = `Contact: <${contactOf(peer)}>\r\n`;
    if (text.startsWith("INVITE")) {
      answer(peer, text, "180 Ringing", `${contact}${NOTHING}`);
      answer(peer, text, "200 OK", `${contact}${OFFER}`);
    } else if (text.startsWith("BYE")) answer(peer, text, "200 OK", NOTHING);
    else if (text.startsWith("ACK")) acknowledged(text, peer);
  };

/** A phone of u0 that rings until it is cancelled; `over`: its 487 was acknowledged. */
const rings =
  (over: OnMessage): OnMessage =>
  (text, peer) => {
    if (text.startsWith("INVITE"))
      answer(peer, text, "180 Ringing", `Contact: <${contactOf(peer)}>\r\n${NOTHING}`);
    else if (text.startsWith("CANCEL")) {
      answer(peer, text, "200 OK", NOTHING);
      answer(peer, text, "487 Request Terminated", NOTHING, "INVITE");
    } else if (text.startsWith("ACK")) over(text, peer);
  };

/** INVITE 100 180 200 ACK BYE 200 through Record-Route, to one phone or to several. */
export async function calls(count: number, options: CallsOptions = {}): Promise<void> {
  const { hold = false, contacts = 1, transport = "udp" } = options;
  /** For each call the ports whose end is still to come: the caller's, and of each phone that only rang. */
  const left = new Map<string, Set<number>>();
  const over = (id: string, port: number): void => {
    const waiting = left.get(id);
    if (!waiting?.delete(port) || waiting.size > 0) return; // a repeated message ends nothing twice
    left.delete(id);
    window.ended();
  };
  const cancelled: OnMessage = (text, peer) => over(lineOf(text, "Call-ID"), peer.port);
  const acknowledged: OnMessage = (text) => hold && over(lineOf(text, "Call-ID"), caller.port);
  const phones = await openPhones(
    [takesCalls(acknowledged), ...Array.from({ length: contacts - 1 }, () => rings(cancelled))],
    transport,
  );
  const hears: CallerHears = {
    answered: () => !hold,
    ended: (id) => over(id, caller.port),
    refused: (text) => window.refused(text),
  };
  const caller = await openCaller(hears, transport);
  const begin = (): void => {
    const n = nextSerial();
    left.set(callIdLine(n), new Set([caller.port, ...phones.slice(1).map(({ port }) => port)]));
    caller.invite(n);
  };
  const window = new Window(count, begin, contacts === 1 ? CALLS_WINDOW : FORKS_WINDOW);
  await window.run();
  for (const peer of [caller, ...phones]) peer.close();
}

/** MESSAGE for u0, answered by its phone. */
export async function messages(count: number): Promise<void> {
  const takes: OnMessage = (text, peer) => {
    if (text.startsWith("MESSAGE")) answer(peer, text, "200 OK", NOTHING);
  };
  const [phone] = await openPhones([takes]);
  const sender = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (isRefusal(text)) window.refused(text);
  });
  const begin = (): void => {
    const n = nextSerial();
    sender.send(
      `MESSAGE sip:u0@${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP ${HOST}:${sender.port};branch=z9hG4bKm${n}\r\nMax-Forwards: 70\r\nFrom: <sip:caller@${HOST}>;tag=a${n}\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: message-${n}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
    );
  };
  const window = new Window(count, begin);
  await window.run();
  sender.close();
  phone?.close();
}

const contactOf = (peer: Peer): string => `sip:u0@${HOST}:${peer.port}${transportParam(peer)}`;

/** Phones of u0, which is registered at them, each over its own flow, and nowhere else. */
export async function openPhones(kinds: readonly OnMessage[], transport: Transport = "udp"): Promise<Peer[]> {
  const registering = new Map<Peer, (answer: string) => void>();
  const hear =
    (takes: OnMessage): OnMessage =>
    (text, peer) =>
      isFinal(text) ? registering.get(peer)?.(text) : takes(text, peer);
  const phones = await Promise.all(kinds.map((takes) => open(hear(takes), transport)));
  const register = async (peer: Peer, contact: string, expires: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const late = setTimeout(() => reject(new Error("the callee cannot register")), OPERATION_MAX_MS);
    registering.set(peer, resolve);
    const n = nextSerial();
    peer.send(
      `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/${peer.via} ${HOST}:${peer.port};branch=z9hG4bKb${n}\r\nMax-Forwards: 70\r\nFrom: <sip:u0@${REALM}>;tag=x\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: bind-${n}\r\nCSeq: ${n} REGISTER\r\nContact: ${contact}\r\nExpires: ${expires}\r\n${NOTHING}`,
    );
    const text = await promise.finally(() => clearTimeout(late));
    if (isRefusal(text))
      throw new Error(`the callee cannot register: ${text.slice(0, text.indexOf("\r\n"))}`);
  };
  await register(phones[0]!, "*", 0);
  for (const peer of phones) await register(peer, `<${contactOf(peer)}>`, 3600);
  return phones;
}
