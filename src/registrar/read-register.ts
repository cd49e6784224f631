/**
 * Reads a REGISTER into what it asks for (RFC 3261 §10.2, §10.3 steps 5 to 7; RFC 3327; RFC 5626 §4.2),
 * or says what is wrong with it.
 */
import type { Flow } from "../base/flow.ts";
import { H } from "../message/header-names.ts";
import type { NameAddr } from "../message/name-addr.ts";
import { parseNameAddr, parseNameAddrs, splitList } from "../message/name-addr.ts";
import { hasOption } from "../message/option-tags.ts";
import { paramName, splitParams } from "../message/params.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { uriParam } from "../message/uri.ts";
import type { NatJudge } from "../nat/judge.ts";
import { cameDirectly } from "../nat/judge.ts";
import type { ContactUpdate, RegisterUpdate } from "./bindings.ts";

export interface ExpiryLimits {
  readonly min_expires_s: number;
  readonly max_expires_s: number;
  readonly default_expires_s: number;
}

/** The most seconds an Expires can say (RFC 3261 §20.19). */
const EXPIRES_MAX_S = 2 ** 32 - 1;
const USER_AGENT_CHARS_MAX = 200;
/** Proxies between a phone and us: each becomes a Route line of every request to it (RFC 3327 §5.1). */
export const PATH_ENTRIES_MAX = 8;

/** `user`: whom its To names, which was checked before. */
export function readRegister(
  request: SipMessage,
  flow: Flow,
  user: string,
  limits: ExpiryLimits,
  judge: NatJudge,
): RegisterUpdate | Refusal {
  const cseq = request.cseq;
  if (cseq instanceof ParseError) return bad("CSeq", cseq);
  const path = readPath(request);
  if (!Array.isArray(path)) return path as Refusal;
  const header = readExpires(request.text(H.Expires));
  const values = request.texts(H.Contact);
  const removeAll = values.includes("*");
  if (removeAll && (values.length > 1 || header !== 0)) return WILDCARD_MISUSED;
  const contacts = removeAll ? NO_CONTACTS : readContacts(values, header, limits);
  if ("status" in contacts) return contacts as Refusal;
  const outbound = readOutbound(request, contacts, path);
  if (typeof outbound !== "boolean") return outbound;
  return {
    user,
    removeAll,
    contacts,
    call_id: request.callId ?? "",
    cseq: cseq.number,
    path,
    user_agent: request.text(H.UserAgent)?.slice(0, USER_AGENT_CHARS_MAX) ?? null,
    outbound,
    flow: {
      transport: flow.transport,
      local_address: flow.local.address,
      local_port: flow.local.port,
      remote_address: flow.remoteAddress,
      remote_port: flow.remotePort,
      nat: judge.reasons(request, flow, contacts[0]?.uri ?? null),
      alg: judge.algSigns(request, flow),
      id: flow.id,
    },
  };
}

const NO_CONTACTS: readonly ContactUpdate[] = [];

/** Whether it registers flows to be kept to, or why it cannot (RFC 5626 §6). */
function readOutbound(
  request: SipMessage,
  contacts: readonly ContactUpdate[],
  path: readonly string[],
): boolean | Refusal {
  const flows = contacts.filter(({ reg_id }) => reg_id !== null);
  if (flows.length === 0 || !hasOption(request, H.Supported, "outbound")) return false;
  if (flows.filter(({ expires_s }) => expires_s > 0).length > 1) return FLOWS_MIXED;
  return cameDirectly(request) || firstHopKnowsOutbound(path) || FIRST_HOP_LACKS_OUTBOUND;
}

/** The first hop put the last Path entry there, with "ob" when it keeps to flows. */
function firstHopKnowsOutbound(path: readonly string[]): boolean {
  const first = parseNameAddr(path.at(-1) ?? "");
  return !(first instanceof ParseError) && uriParam(first.uri, "ob") !== null;
}

const FLOWS_MIXED: Refusal = {
  status: 400,
  reason: "One REGISTER registers one flow: more than one Contact has a reg-id",
  section: "RFC 5626 §6",
};

const FIRST_HOP_LACKS_OUTBOUND: Refusal = {
  status: 439,
  reason: "First Hop Lacks Outbound Support",
  section: "RFC 5626 §6",
};

const WILDCARD_MISUSED: Refusal = {
  status: 400,
  reason: "Contact * must stand alone, with Expires 0",
  section: "RFC 3261 §10.3 step 6",
};

function bad(header: string, error: ParseError): Refusal {
  return { status: 400, reason: `Malformed ${header} (${error.code})`, section: "RFC 3261 §10.3 step 7" };
}

function readContacts(
  values: readonly string[],
  header: number | null,
  limits: ExpiryLimits,
): ContactUpdate[] | Refusal {
  const contacts: ContactUpdate[] = [];
  for (const value of values) {
    const addresses = parseNameAddrs(value);
    if (addresses instanceof ParseError) return bad("Contact", addresses);
    for (const address of addresses) {
      const contact = readContact(address, header, limits);
      if ("status" in contact) return contact;
      contacts.push(contact);
    }
  }
  return contacts;
}

function readContact(
  address: NameAddr,
  header: number | null,
  limits: ExpiryLimits,
): ContactUpdate | Refusal {
  const { uri, params } = address;
  const wanted = params.has("expires") ? readExpires(params.get("expires") ?? "") : header;
  const asked = wanted ?? limits.default_expires_s;
  if (asked > 0 && asked < limits.min_expires_s)
    return {
      status: 423,
      reason: "Interval too brief",
      section: "RFC 3261 §10.3 step 7",
      headers: [`Min-Expires: ${limits.min_expires_s}`],
    };
  const q = readQ(params.get("q"));
  if (q === null) return { status: 400, reason: "Malformed q in Contact", section: "RFC 3261 §20.10" };
  const instance = instanceOf(params.get("+sip.instance"));
  const regId = instance === null ? undefined : params.get("reg-id");
  return {
    uri,
    params: otherParams(address.paramsText),
    q,
    expires_s: Math.min(asked, limits.max_expires_s),
    instance,
    reg_id: regId !== undefined && /^[1-9]\d{0,9}$/.test(regId) ? Number(regId) : null,
  };
}

/** delta-seconds; null when absent; what is no number counts as one hour (§10.2.1.1). */
function readExpires(text: string | null): number | null {
  if (text === null) return null;
  if (!/^\d+$/.test(text)) return 3600;
  return Math.min(Number(text), EXPIRES_MAX_S);
}

/** qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) in thousandths; absent counts as 1. */
function readQ(text: string | undefined): number | null {
  if (text === undefined) return 1000;
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Math.round(Number(text) * 1000) : null;
}

/** +sip.instance="<urn:…>" without quotes and brackets (RFC 5626 §4.1). */
function instanceOf(text: string | undefined): string | null {
  if (text === undefined || text === "") return null;
  return text.replace(/^"?<?|>?"?$/g, "");
}

const OURS = new Set(["q", "expires", "pub-gruu", "temp-gruu"]);

/** The parameters that are echoed as they came: all but those we write ourselves. */
function otherParams(text: string): string {
  return splitParams(text)
    .filter((param) => !OURS.has(paramName(param)))
    .join("");
}

function readPath(request: SipMessage): string[] | Refusal {
  const path: string[] = [];
  for (const value of request.texts(H.Path)) {
    const addresses = parseNameAddrs(value);
    if (addresses instanceof ParseError) return bad("Path", addresses);
    const entries = splitList(value);
    if (entries instanceof ParseError) return bad("Path", entries);
    path.push(...entries);
  }
  if (path.length > PATH_ENTRIES_MAX)
    return {
      status: 513,
      reason: `A Path of more than ${PATH_ENTRIES_MAX} entries`,
      section: "RFC 3327 §5.3",
    };
  return path;
}
