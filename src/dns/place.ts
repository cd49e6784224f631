/**
 * A place a message can be sent to, and what a URI says about it by itself (RFC 3263 §4): host, port and
 * transport wanted. No look-up happens here.
 */
import { hostPort, type TransportName } from "../base/flow.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";

/** One place to try. */
export interface Place {
  readonly transport: TransportName;
  /** An IP literal without brackets. */
  readonly address: string;
  readonly port: number;
  /** The domain that led here, for which a TLS peer must have a certificate; absent: the address itself. */
  readonly name?: string;
}

/** What is to be located. */
export interface Wanted {
  /** Lower case: a name or an IP literal without brackets. */
  readonly host: string;
  readonly port: number | null;
  /** The transport asked for; null leaves it to name service. */
  readonly transport: TransportName | null;
  /** A sips URI: nothing but TLS will do (RFC 3261 §19.1). */
  readonly secure: boolean;
}

/** The SRV labels of each transport (RFC 3263 §4.1: TLS is asked for as _sips._tcp; RFC 7118 §8 for ws). */
export const SERVICE: Readonly<Record<TransportName, string>> = {
  udp: "_sip._udp",
  tcp: "_sip._tcp",
  tls: "_sips._tcp",
  ws: "_sip._ws",
  wss: "_sips._ws",
};

const TRANSPORT_PARAM: Readonly<Record<string, TransportName>> = {
  udp: "udp",
  tcp: "tcp",
  tls: "tls",
  ws: "ws",
  wss: "wss",
};

/** The port of a transport when nobody names one (RFC 3261 §19.1.2, RFC 7118 §5). */
export function defaultPort(transport: TransportName): number {
  return transport === "tls" ? 5061 : transport === "ws" ? 80 : transport === "wss" ? 443 : 5060;
}

/** Whether its peers prove their names by certificates. */
export const isSecure = (transport: TransportName): boolean => transport === "tls" || transport === "wss";

/** The transport when neither the URI nor name service names one (§4.1). */
export const defaultTransport = (secure: boolean): TransportName => (secure ? "tls" : "udp");

/** What the URI asks for; null when it names a transport that we do not have. */
export function wantedOf(uri: SipUri): Wanted | null {
  const transport = wantedTransport(uri);
  if (transport === "unknown") return null;
  return { host: hostOf(uri), port: uri.port, transport, secure: uri.scheme === "sips" };
}

/** §4: maddr, when present, is the TARGET. */
function hostOf(uri: SipUri): string {
  const host = uri.params === "" ? uri.host : (uriParam(uri, "maddr") ?? uri.host).toLowerCase();
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

/** The transport the URI asks for; null when it does not say. sips means TLS on every hop (RFC 5630 §3.1.3). */
function wantedTransport(uri: SipUri): TransportName | null | "unknown" {
  const param = uriParam(uri, "transport")?.toLowerCase() ?? null;
  if (uri.scheme === "sips") {
    if (param === null || param === "tcp" || param === "tls") return param === null ? null : "tls";
    return param === "ws" || param === "wss" ? "wss" : "unknown";
  }
  if (param === null) return null;
  return Object.hasOwn(TRANSPORT_PARAM, param) ? (TRANSPORT_PARAM[param] ?? "unknown") : "unknown";
}

/** Names a place in maps, logs and the status API: `udp 192.0.2.1:5060`. */
export const placeKey = ({ transport, address, port }: Place): string =>
  `${transport} ${hostPort(address, port)}`;
