/**
 * Why a sender counts as behind a NAT: what it tells of itself, beside where its packet came from. Every reason is
 * a pure function; which of them count is configuration.
 */
import { ipFamily, sameAddress } from "../base/address.ts";
import type { TransportName } from "../base/flow.ts";
import { isPrivate } from "./private-address.ts";

export const NAT_REASONS = [
  "private_contact",
  "contact_mismatch",
  "contact_port_mismatch",
  "private_via",
  "via_mismatch",
  "via_port_mismatch",
  "private_sdp",
  "sdp_mismatch",
  "private_source",
  "websocket",
] as const;

export type NatReason = (typeof NAT_REASONS)[number];

/** What is seen of a request that came straight from its sender. Hosts without brackets, in lower case. */
export interface Observation {
  readonly transport: TransportName;
  readonly source_address: string;
  readonly source_port: number;
  readonly via_host: string;
  /** Null: none was told. */
  readonly via_port: number | null;
  /** Null: there is no Contact. */
  readonly contact_host: string | null;
  readonly contact_port: number | null;
  /** Of the first c= line; null: there is none. */
  readonly sdp_address: string | null;
}

type Test = (seen: Observation, isLocal: (address: string) => boolean) => boolean;

/** By name; `isLocal` says whether an address is in one of the networks we stand in. */
export const NAT_TESTS: Readonly<Record<NatReason, Test>> = {
  private_contact: (seen, isLocal) =>
    seen.contact_host !== null && isPrivateElsewhere(seen.contact_host, seen, isLocal),
  contact_mismatch: (seen) =>
    seen.contact_host !== null && (isInvalid(seen.contact_host) || isOther(seen.contact_host, seen)),
  contact_port_mismatch: (seen) =>
    seen.contact_host !== null && isLiteral(seen.contact_host) && isOtherPort(seen.contact_port, seen),
  private_via: (seen, isLocal) => isPrivateElsewhere(seen.via_host, seen, isLocal),
  via_mismatch: (seen) => isOther(seen.via_host, seen),
  via_port_mismatch: (seen) => isLiteral(seen.via_host) && isOtherPort(seen.via_port, seen),
  private_sdp: (seen, isLocal) =>
    seen.sdp_address !== null &&
    !isHold(seen.sdp_address) &&
    isPrivateElsewhere(seen.sdp_address, seen, isLocal),
  sdp_mismatch: (seen) =>
    seen.sdp_address !== null && !isHold(seen.sdp_address) && isOther(seen.sdp_address, seen),
  private_source: ({ source_address }, isLocal) => isPrivate(source_address) && !isLocal(source_address),
  websocket: ({ transport }) => transport === "ws" || transport === "wss",
};

const NONE: readonly NatReason[] = [];
/** What holds for a sender that knows its address, too: nobody can connect to a browser. */
const EVEN_THEN: readonly NatReason[] = ["websocket"];

/**
 * The reasons that hold, in the order of NAT_REASONS. None but `websocket` for a sender whose Contact is where its
 * packet came from: it is not translated, or has learned its address by itself (STUN), and is left alone.
 */
export function natReasons(
  seen: Observation,
  counted: ReadonlySet<NatReason>,
  isLocal: (address: string) => boolean,
): readonly NatReason[] {
  let found: NatReason[] | null = null;
  for (const reason of knowsItself(seen) ? EVEN_THEN : NAT_REASONS) {
    if (!counted.has(reason) || !NAT_TESTS[reason](seen, isLocal)) continue;
    found ??= [];
    found.push(reason);
  }
  return found ?? NONE;
}

function knowsItself(seen: Observation): boolean {
  const { contact_host, contact_port, source_address } = seen;
  return contact_host !== null && isSame(contact_host, source_address) && !isOtherPort(contact_port, seen);
}

/**
 * A private address that is not the source itself. Where both are in a network we stand in, no NAT is between: a
 * gateway registers the phones beside it.
 */
function isPrivateElsewhere(
  host: string,
  { source_address }: Observation,
  isLocal: (address: string) => boolean,
): boolean {
  if (!isPrivate(host) || isSame(host, source_address)) return false;
  return !(isLocal(source_address) && isLocal(host));
}

/** A name may well mean the source: only literals tell. */
function isOther(host: string, { source_address }: Observation): boolean {
  return isLiteral(host) && !isSame(host, source_address);
}

/** Over a stream the source port is the connection's and means nothing. */
function isOtherPort(port: number | null, { source_port, transport }: Observation): boolean {
  return transport === "udp" && (port ?? SIP_PORT) !== source_port;
}

const SIP_PORT = 5060;

const isLiteral = (host: string): boolean => ipFamily(host) !== 0;

function isSame(host: string, address: string): boolean {
  return host === address || (isLiteral(host) && sameAddress(host, address));
}

/** What browsers tell in place of an address (RFC 7118 §5, RFC 2606). */
const isInvalid = (host: string): boolean => host.endsWith(".invalid");

/** RFC 3264 §8.4 and its past: nobody's address, on purpose. */
const isHold = (address: string): boolean => address === "0.0.0.0" || address === "::";

/** The longest c= line that is looked at: 28 up to the address, and more than the 45 of the longest literal. */
const CONNECTION_CHARS_MAX = 80;
/** The literal ends where the word does: a name may begin like one. */
const CONNECTION = /^c=IN IP[46][ \t]{1,20}([0-9A-Fa-f:.]+)(?![\w.:-])/;

/** The address in the first c= line of an SDP body (RFC 8866 §5.7); null: there is none, or a name. Never throws. */
export function sdpAddress(bytes: Buffer, from: number, to: number): string | null {
  for (let at = bytes.indexOf("c=IN IP", from, "latin1"); at >= 0 && at < to; ) {
    if (at === from || bytes[at - 1] === 10 || bytes[at - 1] === 13) {
      const line = bytes.latin1Slice(at, Math.min(to, bytes.length, at + CONNECTION_CHARS_MAX));
      const address = CONNECTION.exec(line)?.[1] ?? "";
      return isLiteral(address) ? address : null;
    }
    at = bytes.indexOf("c=IN IP", at + 1, "latin1");
  }
  return null;
}
