/**
 * Phones behind NATs on the virtual network, and how they register: with flows of RFC 5626, and with passwords.
 */
import type { TransportName } from "../../src/base/flow.ts";
import type { HeaderId } from "../../src/message/header-names.ts";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { credentials } from "../auth/credentials.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { entries, Phone } from "../proxy/kit.ts";
import type { NatBox, NatOptions } from "./nat-box.ts";
import type { World } from "./world.ts";

/** Where every one of them stands in its own private network. */
export const INNER = "192.168.1.10";
export const URN = "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF";

export interface Natted {
  readonly box: NatBox;
  readonly phone: Phone;
}

export interface NattedOptions extends NatOptions {
  readonly inner?: string;
  readonly port?: number;
  readonly transport?: TransportName;
}

/** A phone behind a NAT of its own. */
export function behindNat(world: World, outer: string, name: string, options: NattedOptions = {}): Natted {
  const { inner = INNER, port = 5060, transport = "udp" } = options;
  const box = world.network.nat(outer, options);
  return { box, phone: box.place(() => new Phone(world, name, inner, port, transport)) };
}

export interface FlowRegistration {
  readonly user?: string;
  readonly instance?: string | null;
  readonly reg_id?: number | null;
  readonly supported?: string;
  readonly contact?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly headers?: readonly string[];
  readonly viaParams?: string;
  readonly domain?: string;
}

let branches = 0;

/** A REGISTER as RFC 5626 §4.2 has it; returns the answer. */
export function registerFlow(phone: Phone, options: FlowRegistration = {}): SipMessage {
  const { user = phone.name, instance = URN, reg_id = 1, supported = "outbound, path, gruu" } = options;
  const { contact = phone.contact, callId = `reg-${phone.name}-${reg_id}`, cseq = 1 } = options;
  const { domain = "example.test", viaParams = ";rport" } = options;
  const named = instance === null ? "" : `;+sip.instance="<${instance}>"`;
  const flow = reg_id === null ? "" : `;reg-id=${reg_id}`;
  phone.request("REGISTER", `sip:${domain}`, {
    from: `<sip:${user}@${domain}>`,
    to: `<sip:${user}@${domain}>`,
    callId,
    cseq,
    viaParams,
    branch: `z9hG4bKreg${++branches}`,
    headers: [
      `Contact: <${contact}>${named}${flow}`,
      ...(supported === "" ? [] : [`Supported: ${supported}`]),
      "Expires: 3600",
      ...(options.headers ?? []),
    ],
  });
  return phone.last();
}

/** Sends a request, answers its challenge with the password "secret", and gives what came in the end. */
export function proving(phone: Phone, method: string, uri: string, options: RequestOptions = {}): SipMessage {
  phone.request(method, uri, options);
  const challenge = phone.last();
  if (challenge.status !== 401 && challenge.status !== 407) return challenge;
  if (method === "INVITE")
    phone.ackRefusal(phone.write(method, uri, { ...options, branch: branchOf(challenge) }), challenge);
  const server = challenge.status === 401;
  const asked = server ? H.WwwAuthenticate : H.ProxyAuthenticate;
  const value = credentials(challenge.texts(asked)[0]!, {
    username: phone.name,
    password: "secret",
    method,
    uri,
  });
  const line = `${server ? "Authorization" : "Proxy-Authorization"}: ${value}`;
  const headers = [...(options.headers ?? [`Contact: <${phone.contact}>`]), line];
  phone.request(method, uri, { ...options, cseq: (options.cseq ?? 1) + 1, headers });
  return phone.last();
}

/** The URIs of a header's entries, in order. */
export function urisOf(message: SipMessage, header: HeaderId): string[] {
  return entries(message, header).map((entry) => /<([^>]+)>/.exec(entry)?.[1] ?? entry);
}

/** `address:port` of everybody the appliance has sent to, beginning with the given message of the log. */
export function sentTo(world: World, from: number, edge: readonly string[]): string[] {
  return world.network.log.slice(from).flatMap((each) => (edge.includes(each.from) ? [each.to] : []));
}

function branchOf(message: SipMessage): string {
  return /branch=([^;,\s]+)/.exec(message.text(H.Via) ?? "")?.[1] ?? "";
}
