/**
 * The forwarded copy of a request (RFC 3261 §16.6): the bytes that came, with the few edits a proxy
 * must make. Everything else leaves as it was.
 */
import type { Flow } from "../base/flow.ts";
import { sentByFor } from "../base/flow.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { stampVia } from "../message/stamp.ts";
import type { SipUri } from "../message/uri.ts";
import type { End, RouteTokens } from "../nat/route-token.ts";
import { serialMark, tagMark } from "../nat/route-token.ts";
import { editIdentity, removeAll } from "./identity.ts";
import { recordRouteLines, routeUriFor } from "./own-routes.ts";
import type { Retarget } from "./retarget.ts";
import type { Routing } from "./route.ts";
import { editRoute } from "./route.ts";

/** What all copies of one request share. */
export interface Forwarding {
  readonly request: SipMessage;
  /** The flow it came on. */
  readonly source: Flow;
  readonly routing: Routing;
  readonly callId: string;
  /** The account the caller proved; null: none. */
  readonly callerUser: string | null;
  /** The URI of that account, for those we trust (RFC 3325 §5); null: none. */
  readonly assertedUri: string | null;
  /** Whether it may be believed whom the request names as caller: it comes from a trusted network or a peer. */
  readonly senderIsTrusted: boolean;
  readonly loopHash: string;
  /** Whether its sender may send requests of the dialog anywhere (proved an account, or is trusted). */
  readonly callerIsOurs: boolean;
  /** Whether its messages of the dialog go back over the flow it came on, whatever its Contact says. */
  readonly callerIsBound: boolean;
  /** Whether its sender stands behind a NAT; asked only where its Contact would be hidden for that. */
  readonly senderIsNatted: boolean;
  /** The user part and parameters of our Path, for a registration elsewhere (RFC 3327); null: none is wanted. */
  readonly path: OwnPath | null;
  /** Whether it may be believed what the request says of its own past; what a stranger says there does not go on. */
  readonly callerIsVouched: boolean;
  /** Credentials lines used up here, which nobody else must see. */
  readonly spentLines: readonly number[];
}

export interface OwnPath {
  /** Names the flow it came on. */
  readonly token: string;
  /** It came straight from the phone: "ob" (RFC 5626 §5.1). */
  readonly outbound: boolean;
}

/** What this copy alone has. */
export interface Copy {
  readonly target: SipUri;
  /** What stands in its request line: the target, or a strict router's URI. */
  readonly requestUri: string;
  readonly path: readonly string[];
  readonly flow: Flow;
  readonly branch: string;
  /** Its share of Max-Breadth (RFC 5393 §5.3.3). */
  readonly breadth: number;
  /** Whether the target is one of our own phones or trusted peers. */
  readonly calleeIsOurs: boolean;
  /** Whether the target is reached over this flow only, whatever its Contact says. */
  readonly calleeIsBound: boolean;
  /** What it tells of forwards; null: nothing. */
  readonly retarget: Retarget | null;
  /** Whose phone it goes to, and which peer; null: it goes to none. */
  readonly calleeUser: string | null;
  readonly peer: string | null;
  /** Whether the target is in our trust and may know who calls; asked only where that matters. */
  readonly mayKnowCaller: boolean;
  /** Lines that name the caller to a peer, in place of those that came; null: it is for no peer. */
  readonly identity: readonly string[] | null;
}

/** What else changes in the copy of a request: its session description, when we relay its media. */
export interface RequestEditor {
  /** Returns the bytes of the body as it leaves; null: it cannot leave, because there are no ports for its media. */
  editRequest(edits: Edits, forwarding: Forwarding, copy: Copy): number | null;
}

/** Methods that begin a dialog: we stay in its path (§16.6 step 4). */
const DIALOG_FORMING = new Set(["INVITE", "SUBSCRIBE", "REFER", "NOTIFY"]);

/** Whether the request asks for a new dialog, in whose path we stay. */
export function formsDialog(request: SipMessage): boolean {
  return DIALOG_FORMING.has(request.method) && !request.hasToTag;
}

const MAX_FORWARDS_DEFAULT = 70;
/** Max-Forwards = 0 to 255 (§20.22). */
const MAX_FORWARDS_MAX = 255;

/** The whole copy, ready to send on `copy.flow`; null: its media cannot be relayed, so it must not leave. */
export function buildCopy(
  edits: Edits,
  tokens: RouteTokens,
  editor: RequestEditor,
  forwarding: Forwarding,
  copy: Copy,
): Buffer | null {
  const { request, source } = forwarding;
  edits.clear();
  const via = request.via;
  if (via === null || via instanceof ParseError) throw new TypeError("a request without Via came this far");
  const viaLine = request.find(H.Via);
  const top = request.lineStart(viaLine);
  edits.insert(top, viaText(copy.flow, copy.branch)); // step 8
  stampVia(edits, via, source.remoteAddress, source.remotePort);
  if (formsDialog(request)) {
    const at = request.find(H.RecordRoute);
    edits.insert(at < 0 ? afterVias(request) : request.lineStart(at), recordRoute(tokens, forwarding, copy));
  }
  if (forwarding.path !== null) {
    const at = request.find(H.Path);
    edits.insert(at < 0 ? afterVias(request) : request.lineStart(at), pathLine(forwarding.path, copy.flow));
  }
  editRoute(edits, request, forwarding.routing, copy.target, copy.path); // step 6
  if (copy.requestUri !== request.uriText) edits.replace(request.uriStart, request.uriEnd, copy.requestUri); // step 2
  editMaxForwards(edits, request);
  editMaxBreadth(edits, request, copy.breadth);
  if (!forwarding.callerIsVouched && request.method === "INVITE" && !request.hasToTag)
    for (const id of FORWARDS) removeAll(edits, request, id);
  editIdentity(edits, forwarding, copy);
  if (copy.retarget !== null) editRetarget(edits, request, copy.retarget);
  for (const line of forwarding.spentLines) edits.remove(request.lineStart(line), request.lineEnd(line));
  const length = editor.editRequest(edits, forwarding, copy);
  if (length === null) {
    edits.clear();
    return null;
  }
  if (copy.flow.reliable && request.find(H.ContentLength) < 0)
    edits.insert(endOfHeaders(request), `Content-Length: ${length}\r\n`); // step 9
  return edits.apply(request.bytes, request.start, request.bodyEnd);
}

/** Behind the Vias at the top, so that they stand together. */
function afterVias(request: SipMessage): number {
  let line = request.find(H.Via);
  while (line + 1 < request.count && request.idOf(line + 1) === H.Via) line++;
  return request.lineEnd(line);
}

/** The Via line of a request of ours that leaves on this flow, with CRLF (step 8). */
export function viaText(flow: Flow, branch: string): string {
  const alias = flow.outgoing === true && flow.transport === "tls" ? ";alias" : ""; // RFC 5923 §8.1
  return `Via: SIP/2.0/${VIA_TRANSPORT[flow.transport]} ${sentByFor(flow.local, flow.remoteAddress)};branch=${branch};rport${alias}\r\n`;
}

const VIA_TRANSPORT = { udp: "UDP", tcp: "TCP", tls: "TLS", ws: "WS", wss: "WSS" } as const;

/** Step 3: one less; a request without the field gets one. */
function editMaxForwards(edits: Edits, request: SipMessage): void {
  const line = request.find(H.MaxForwards);
  if (line < 0) edits.insert(endOfHeaders(request), `Max-Forwards: ${MAX_FORWARDS_DEFAULT}\r\n`);
  else {
    const value = Math.min(request.numberOf(H.MaxForwards) ?? 0, MAX_FORWARDS_MAX);
    edits.replace(request.valueStart(line), request.valueEnd(line), String(value - 1));
  }
}

/** RFC 5393 §5.3.3: each copy carries its share. An ACK is never forked. */
function editMaxBreadth(edits: Edits, request: SipMessage, share: number): void {
  const line = request.find(H.MaxBreadth);
  if (line >= 0) edits.replace(request.valueStart(line), request.valueEnd(line), String(share));
  else if (request.method !== "ACK") edits.insert(endOfHeaders(request), `Max-Breadth: ${share}\r\n`);
}

/** By these a mailbox is opened (RFC 5806 §11). */
const FORWARDS = [H.Diversion, H.HistoryInfo] as const;

/** The newest Diversion stands first (RFC 5806 §4), the newest History-Info last (RFC 7044 §9.1). */
function editRetarget(edits: Edits, request: SipMessage, retarget: Retarget): void {
  const { history, diversion, keepsEarlier } = retarget;
  const top = keepsEarlier ? request.find(H.Diversion) : -1;
  if (diversion !== "") edits.insert(top < 0 ? endOfHeaders(request) : request.lineStart(top), diversion);
  if (history !== "") edits.insert(endOfHeaders(request), history);
}

/** Where a header line goes that has no neighbour: before the empty line. */
function endOfHeaders(request: SipMessage): number {
  return request.lineEnd(request.count - 1);
}

/** Step 4. */
function recordRoute(tokens: RouteTokens, forwarding: Forwarding, copy: Copy): string {
  const token = tokens.sign(
    {
      caller: endOf(forwarding.source, forwarding.callerIsOurs, forwarding.callerIsBound),
      callee: endOf(copy.flow, copy.calleeIsOurs, copy.calleeIsBound),
      callerMark: tagMark(forwarding.request.fromTag),
    },
    forwarding.callId,
  );
  const isSips = forwarding.routing.uri.scheme === "sips" || copy.target.scheme === "sips";
  return recordRouteLines(token, forwarding.source, copy.flow, isSips);
}

function endOf(flow: Flow, ours: boolean, bound: boolean): End {
  const { transport, remoteAddress: address, remotePort: port } = flow;
  return { transport, address, port, ours, bound, serial: serialMark(flow) };
}

/** RFC 3327 §5.2: what comes back with it goes out on the flow its token names. */
function pathLine({ token, outbound }: OwnPath, flow: Flow): string {
  return `Path: <${routeUriFor(token, flow)}${outbound ? ";ob" : ""}>\r\n`;
}
