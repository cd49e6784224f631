/** Requests that end with their answer: REGISTER, with and without digest, and OPTIONS for the server itself. */
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import type { Transport } from "./load-peer.ts";
import { answer, isRefusal, NOTHING, nextSerial, open, transportParam, Window } from "./load-peer.ts";
import { PASSWORD, PHONE_PORT, PORT, REALM, USERS } from "./servers.ts";

/** A prime: the users are asked for in no order that a cache would like. */
const STRIDE = 7919;

/** REGISTER refreshes of USERS accounts, each with the same Contact and Call-ID every time. */
export async function registers(count: number, digest: boolean, transport: Transport = "udp"): Promise<void> {
  const nonces = new Map<number, { nonce: string; count: number }>();
  const hashes = Array.from({ length: USERS }, (_, i) => ha1("MD5", `u${i}`, REALM, PASSWORD));
  const under = new Map<string, number>();
  const start = nextSerial();
  const peer = await open((text) => {
    const key = /^i:|Call-ID: (\S+)/m.exec(text)?.[1] ?? "";
    const cseq = /CSeq: (\d+)/.exec(text)?.[1] ?? "";
    const user = under.get(`${key} ${cseq}`);
    if (user === undefined) return;
    under.delete(`${key} ${cseq}`);
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (text.startsWith("SIP/2.0 401") && digest) {
      nonces.set(user, { nonce: /nonce="([^"]+)"/.exec(text)?.[1] ?? "", count: 0 });
      register(user);
    } else if (isRefusal(text)) window.refused(text);
  }, transport);
  const register = (user: number): void => {
    const n = nextSerial();
    under.set(`reg-${user} ${n}`, user);
    peer.send(
      `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/${peer.via} 127.0.0.1:${peer.port};branch=z9hG4bK${n}.${start}\r\nMax-Forwards: 70\r\nFrom: <sip:u${user}@${REALM}>;tag=t${user}\r\nTo: <sip:u${user}@${REALM}>\r\nCall-ID: reg-${user}\r\nCSeq: ${n} REGISTER\r\nContact: <sip:u${user}@127.0.0.1:${peer.port}${transportParam(peer)}>\r\n${digest ? credentials(user) : ""}Expires: 3600\r\nContent-Length: 0\r\n\r\n`,
    );
  };
  const credentials = (user: number): string => {
    const known = nonces.get(user);
    if (known === undefined) return "";
    known.count++;
    const nc = known.count.toString(16).padStart(8, "0");
    const uri = `sip:${REALM}`;
    const response = digestResponse("MD5", hashes[user]!, "REGISTER", uri, known.nonce, nc, "c0ffee");
    return `Authorization: Digest username="u${user}", realm="${REALM}", nonce="${known.nonce}", uri="${uri}", response="${response}", algorithm=MD5, cnonce="c0ffee", qop=auth, nc=${nc}\r\n`;
  };
  const window = new Window(count, (i) => register(i % USERS));
  await window.run();
  peer.close();
}

/** One binding for each of so many users, at ports of nobody. */
export async function registerMany(count: number): Promise<void> {
  const peer = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (isRefusal(text)) window.refused(text);
  });
  const window = new Window(count, (i) =>
    peer.send(
      `REGISTER sip:${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bK${nextSerial()}\r\nMax-Forwards: 70\r\nFrom: <sip:m${i}@${REALM}>;tag=t\r\nTo: <sip:m${i}@${REALM}>\r\nCall-ID: many-${i}\r\nCSeq: 1 REGISTER\r\nContact: <sip:m${i}@127.0.0.1:${PHONE_PORT}>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n`,
    ),
  );
  await window.run();
  peer.close();
}

/** OPTIONS for users that `registerMany` registered, each in turn, answered by their phone. */
export async function lookups(count: number, users: number): Promise<void> {
  const phone = await open(
    (text, peer) => {
      if (text.startsWith("OPTIONS")) answer(peer, text, "200 OK", NOTHING);
    },
    "udp",
    PHONE_PORT,
  );
  const peer = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (isRefusal(text)) window.refused(text);
  });
  const window = new Window(count, (i) =>
    peer.send(
      `OPTIONS sip:m${(i * STRIDE) % users}@${REALM} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKl${nextSerial()}\r\nMax-Forwards: 70\r\nFrom: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:m${i % users}@${REALM}>\r\nCall-ID: l${nextSerial()}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`,
    ),
  );
  await window.run();
  peer.close();
  phone.close();
}

/** OPTIONS for the server itself. */
export async function options(count: number, transport: Transport = "udp"): Promise<void> {
  const peer = await open((text) => {
    if (text.startsWith("SIP/2.0 200")) window.ended();
    else if (isRefusal(text)) window.refused(text);
  }, transport);
  const window = new Window(count, () => {
    const n = nextSerial();
    peer.send(
      `OPTIONS sip:127.0.0.1:${PORT} SIP/2.0\r\nVia: SIP/2.0/${peer.via} 127.0.0.1:${peer.port};branch=z9hG4bKo${n}\r\nMax-Forwards: 70\r\nFrom: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1:${PORT}>\r\nCall-ID: o${n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`,
    );
  });
  await window.run();
  peer.close();
}
