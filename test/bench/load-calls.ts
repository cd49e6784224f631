/** Requests for u0, whose phones stand in this process as well: whole calls, forked ones among them, and MESSAGE. */
import type { Peer } from "./load-peer.ts";
import { answer, lineOf, linesOf, NOTHING, nextSerial, OPERATION_MAX_MS, open, Window } from "./load-peer.ts";
import { REALM } from "./servers.ts";

const CALLS_WINDOW = 40;
/** A fork of ten has ten times as much under way. */
const FORKS_WINDOW = 8;
const SDP =
  "v=0\r\no=u 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

export interface CallsOptions {
  /** They are set up and left standing. */
  readonly hold?: boolean;
  /** Phones that ring; the first one answers, and each of the others has to be cancelled to its end. */
  readonly contacts?: number;
}

/** INVITE 100 180 200 ACK BYE 200 through Record-Route, to one phone or to several. */
export async function calls(count: number, { hold = false, contacts = 1 }: CallsOptions = {}): Promise<void> {
  /** For each Call-ID the ports whose end is still to come: the caller's, and of each phone that only rang. */
  const left = new Map<string, Set<number>>();
  const over = (text: string, peer: Peer): void => {
    const id = lineOf(text, "Call-ID");
    const waiting = left.get(id);
    if (!waiting?.delete(peer.port) || waiting.size > 0) return; // a repeated message ends nothing twice
    left.delete(id);
    window.ended();
  };
  const phones: Peer[] = [];
  for (let i = 0; i < contacts; i++)
    phones.push(await open((text, peer) => (i === 0 ? takes(text, peer) : rings(text, peer))));
  const takes = (text: string, peer: Peer): void => {
    const contact = `Contact: <sip:u0@127.0.0.1:${peer.port}>\r\n`;
    if (text.startsWith("INVITE")) {
      answer(peer, text, "180 Ringing", `${contact}${NOTHING}`);
      const body = `Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`;
      answer(peer, text, "200 OK", `${contact}${body}`);
    } else if (text.startsWith("BYE")) answer(peer, text, "200 OK", NOTHING);
    else if (text.startsWith("ACK") && hold) over(text, caller);
  };
  const rings = (text: string, peer: Peer): void => {
    const contact = `Contact: <sip:u0@127.0.0.1:${peer.port}>\r\n`;
    if (text.startsWith("INVITE")) answer(peer, text, "180 Ringing", `${contact}${NOTHING}`);
    else if (text.startsWith("CANCEL")) {
      answer(peer, text, "200 OK", NOTHING);
      answer(peer, text, "487 Request Terminated", NOTHING, "INVITE");
    } else if (text.startsWith("ACK")) over(text, peer);
  };
  await bind(phones.map(({ port }) => port));
  const caller = await open((text) => {
    if (!text.startsWith("SIP/2.0 200")) return;
    if (/CSeq: \d+ BYE/.test(text)) return over(text, caller);
    const target = /Contact: <([^>]+)>/.exec(text)?.[1] ?? "";
    const route = linesOf(text, "Record-Route")
      .reverse()
      .map((line) => line.replace("Record-", ""))
      .join("\r\n");
    const dialog = [lineOf(text, "From"), lineOf(text, "To"), lineOf(text, "Call-ID")].join("\r\n");
    const inside = (method: string, cseq: number) =>
      caller.send(
        `${method} ${target} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${caller.port};branch=z9hG4bK${method}${nextSerial()}\r\n${route}\r\nMax-Forwards: 70\r\n${dialog}\r\nCSeq: ${cseq} ${method}\r\n${NOTHING}`,
      );
    inside("ACK", 1);
    if (!hold) inside("BYE", 2);
  });
  const begin = (): void => {
    const n = nextSerial();
    left.set(`Call-ID: call-${n}`, new Set([caller.port, ...phones.slice(1).map(({ port }) => port)]));
    caller.send(
      `INVITE sip:u0@${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${caller.port};branch=z9hG4bKi${n}\r\nMax-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1>;tag=a${n}\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: call-${n}\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@127.0.0.1:${caller.port}>\r\nContent-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
    );
  };
  const window = new Window(count, begin, contacts === 1 ? CALLS_WINDOW : FORKS_WINDOW);
  await window.run();
  for (const peer of [caller, ...phones]) peer.close();
}

/** MESSAGE for u0, answered by its phone. */
export async function messages(count: number): Promise<void> {
  const phone = await open((text, peer) => {
    if (text.startsWith("MESSAGE")) answer(peer, text, "200 OK", NOTHING);
  });
  await bind([phone.port]);
  const sender = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
  });
  const begin = (): void => {
    const n = nextSerial();
    sender.send(
      `MESSAGE sip:u0@${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${sender.port};branch=z9hG4bKm${n}\r\nMax-Forwards: 70\r\nFrom: <sip:caller@127.0.0.1>;tag=a${n}\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: message-${n}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello`,
    );
  };
  const window = new Window(count, begin);
  await window.run();
  sender.close();
  phone.close();
}

/** Registers u0 at these ports and nowhere else. */
async function bind(ports: readonly number[]): Promise<void> {
  const contacts = ports.map((port) => [`<sip:u0@127.0.0.1:${port}>`, 3600] as const);
  for (const [contact, expires] of [["*", 0] as const, ...contacts]) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => reject(new Error("the callee cannot register")), OPERATION_MAX_MS);
    const peer = await open((text) => {
      if (!text.startsWith("SIP/2.0 100")) resolve();
    });
    const n = nextSerial();
    peer.send(
      `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKb${n}\r\nMax-Forwards: 70\r\nFrom: <sip:u0@${REALM}>;tag=x\r\nTo: <sip:u0@${REALM}>\r\nCall-ID: bind-${n}\r\nCSeq: ${n} REGISTER\r\nContact: ${contact}\r\nExpires: ${expires}\r\n${NOTHING}`,
    );
    await promise.finally(() => clearTimeout(late));
    peer.close();
  }
}
