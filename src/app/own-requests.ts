/**
 * Requests that end at the appliance itself: REGISTER for our domains, OPTIONS and PUBLISH of call quality.
 */
import type { Flow } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import { METHODS } from "../message/methods.ts";
import { splitList } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { ResponseContext } from "../proxy/response-context.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import type { Answers } from "./answers.ts";
import { NO_INVITE } from "./answers.ts";
import type { ChainRooms, Passage } from "./request-chain.ts";

/** Extensions we understand in requests that end here. */
const EXTENSIONS = new Set(["path", "outbound", "gruu"]);

export function register(
  rooms: ChainRooms,
  { request, source, transaction, routing }: Passage,
): Refusal | "next" | "done" {
  if (request.method !== "REGISTER" || transaction === null || routing === null) return "next";
  if (routing.next !== null || !rooms.domains.isOurs(routing.uri)) return "next"; // step 1: for another domain
  const unsupported = requireRefusal(request, "RFC 3261 §10.3 step 2");
  if (unsupported !== null) return unsupported;
  let user: string | null = null;
  if (!rooms.trusted.has(source.remoteAddress)) {
    const verdict = rooms.authenticator.asServer(request, source.remoteAddress); // step 3
    if ("challenge" in verdict)
      return { status: 401, reason: verdict.cause, section: "RFC 3261 §22.2", headers: verdict.challenge };
    user = verdict.user;
  }
  rooms.registrar.register(request, source, user, {
    ok: (headers) => rooms.answers.send(transaction, 200, headers),
    refused: (refusal) => rooms.answers.refuse(transaction, refusal),
  });
  return "done";
}

/** 420 when a Require names an extension that we do not have as a user agent server. */
function requireRefusal(request: SipMessage, section: string): Refusal | null {
  const values = request.texts(H.Require);
  if (values.length === 0) return null;
  const tags = splitList(values.join(","));
  const unknown =
    tags instanceof ParseError ? values : tags.filter((tag) => !EXTENSIONS.has(tag.toLowerCase()));
  if (unknown.length === 0) return null;
  const headers = [`Unsupported: ${unknown.join(", ")}`];
  return { status: 420, reason: "Require names an extension that is not here", section, headers };
}

const ALLOW = `Allow: ${METHODS.join(", ")}`;
const CAPABILITIES = ["Accept: application/sdp", ALLOW, "Supported: path, outbound, gruu"];
/** Methods that exist; to any other we say 501, to these, addressed to a server, 405 (§21.4.6, §21.5.2). */
const KNOWN: ReadonlySet<string> = new Set(METHODS);

/** Requests for the appliance itself: no user part, our own host. */
export function answerForOurselves(rooms: ChainRooms, passage: Passage): Refusal | "next" | "done" {
  const { request, transaction, routing } = passage;
  if (transaction === null || routing === null) return "next";
  const forUs = routing.next === null && routing.uri.user === null && rooms.domains.isOurs(routing.uri);
  if (!forUs) return "next";
  const unsupported = requireRefusal(request, "RFC 3261 §8.2.2.3");
  if (unsupported !== null) return unsupported;
  if (request.method === "OPTIONS") {
    rooms.answers.send(transaction, 200, CAPABILITIES);
    return "done";
  }
  if (request.method === "PUBLISH") return takeReport(rooms, request, passage.source, transaction);
  return KNOWN.has(request.method)
    ? { status: 405, reason: "Not for a server", section: "RFC 3261 §8.2.1", headers: [ALLOW] }
    : { status: 501, reason: "Unknown method", section: "RFC 3261 §21.5.2" };
}

/** RFC 6035: from whoever has an account here, for anybody could make a line look bad. */
function takeReport(
  rooms: ChainRooms,
  request: SipMessage,
  { remoteAddress }: Flow,
  transaction: ServerTransaction,
): Refusal | "done" {
  let user: string | null = null;
  if (!rooms.trusted.has(remoteAddress)) {
    const verdict = rooms.authenticator.asServer(request, remoteAddress);
    if ("challenge" in verdict)
      return { status: 401, reason: verdict.cause, section: "RFC 3261 §22.2", headers: verdict.challenge };
    user = verdict.user;
  }
  const taken = rooms.reports.take(request, remoteAddress, user);
  if ("status" in taken) return taken;
  rooms.answers.send(transaction, 200, taken);
  return "done";
}

/** §9.2, §16.10: 200 to the CANCEL itself; what it cancels answers for itself. */
export function answerCancel(
  answers: Answers,
  transaction: ServerTransaction,
  request: SipMessage,
  invite: ServerTransaction | null,
): void {
  if (invite === null) {
    // Departs from §16.10: not passed on without state. We are always stateful, so there is nothing behind it.
    answers.refuse(transaction, NO_INVITE);
    return;
  }
  answers.send(transaction, 200, []);
  if (invite.user instanceof ResponseContext) invite.user.cancel(request);
}
