/**
 * The BYEs that end a call from here: one to each side, as if the other had sent it (RFC 3261 §15.1.1, §12.2.1.1). A
 * proxy has no dialog of its own, so everything in them is read from the INVITE and the 2xx that made the call.
 */
import type { Flow } from "../base/flow.ts";
import { sentByFor } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr, parseNameAddrs } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import type { Call } from "./call.ts";

/** A request to send. */
export interface Bye {
  readonly bytes: Buffer;
  readonly branch: string;
  readonly flow: Flow;
}

const VIA_TRANSPORT = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" } as const;
/** Where the callee's numbers begin when it has sent no request yet: above what it may soon send. */
const CSEQ_FIRST = 1_000_000;

/**
 * Both BYEs, the one to the caller first; null for a side that cannot be told. `isOurs` says whether a route names
 * this appliance; `reason` is why, for the phones' displays (RFC 3326).
 */
export function byesOf(
  call: Call,
  scanner: Scanner,
  isOurs: (uri: SipUri) => boolean,
  token: () => string,
  reason: string,
): readonly (Bye | null)[] {
  const answerBytes = call.answer;
  if (answerBytes === null || call.callee === null) return [];
  const invite = scanner.scan(call.facts.invite);
  const from = invite?.text(H.From) ?? "";
  const inviteContact = invite === null ? null : contactOf(invite);
  const callerRoutes = invite === null ? [] : routesToCaller(invite);
  const answer = scanner.scan(answerBytes);
  const to = answer?.text(H.To) ?? "";
  const answerContact = answer === null ? null : contactOf(answer);
  const calleeRoutes = answer === null ? [] : routesToCallee(answer, isOurs);
  const shared = { callId: call.facts.call_id, reason, token };
  const { source } = call.facts;
  return [
    inviteContact === null
      ? null
      : bye({
          ...shared,
          flow: source,
          uri: inviteContact,
          routes: callerRoutes,
          from: to,
          to: from,
          cseq: call.callee_cseq === 0 ? CSEQ_FIRST : call.callee_cseq + 1,
        }),
    answerContact === null
      ? null
      : bye({
          ...shared,
          flow: call.callee,
          uri: answerContact,
          routes: calleeRoutes,
          from,
          to,
          cseq: call.caller_cseq + 1,
        }),
  ];
}

interface ByeParts {
  readonly flow: Flow;
  readonly uri: string;
  readonly routes: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly reason: string;
  readonly token: () => string;
}

function bye({ flow, uri, routes, from, to, callId, cseq, reason, token }: ByeParts): Bye {
  const branch = `z9hG4bKh${token()}`;
  const us = sentByFor(flow.local, flow.remoteAddress);
  const lines = [
    `BYE ${uri} SIP/2.0`,
    `Via: SIP/2.0/${VIA_TRANSPORT[flow.transport]} ${us};branch=${branch};rport`,
    "Max-Forwards: 70",
    ...routes.map((route) => `Route: ${route}`),
    `From: ${from}`,
    `To: ${to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} BYE`,
    `Reason: SIP;cause=200;text="${reason.replace(/["\\\r\n]/g, "")}"`,
    "Content-Length: 0",
  ];
  return { bytes: Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), branch, flow };
}

function contactOf(message: SipMessage): string | null {
  const contact = parseNameAddr(message.text(H.Contact) ?? "");
  return contact instanceof ParseError ? null : contact.uri.text;
}

/** One Record-Route entry, to be written as a Route. */
interface Entry {
  readonly text: string;
  readonly uri: SipUri;
}

/** Topmost first. */
function entriesOf(message: SipMessage): Entry[] {
  const found: Entry[] = [];
  for (const value of message.texts(H.RecordRoute)) {
    const entries = parseNameAddrs(value);
    if (entries instanceof ParseError) continue;
    for (const { uri, paramsText } of entries) found.push({ text: `<${uri.text}>${paramsText}`, uri });
  }
  return found;
}

/** What the INVITE had gathered on its way to us is the way back to the caller, in the same order. */
const routesToCaller = (invite: SipMessage): string[] => entriesOf(invite).map(({ text }) => text);

/** What was added behind us stands above our own entries: the way to the callee is that, turned round. */
function routesToCallee(answer: SipMessage, isOurs: (uri: SipUri) => boolean): string[] {
  const entries = entriesOf(answer);
  const own = entries.findIndex(({ uri }) => isOurs(uri));
  const behind = own < 0 ? [] : entries.slice(0, own);
  return behind.map(({ text }) => text).toReversed();
}
