/**
 * Whether somebody may open a WebSocket for SIP (RFC 7118 §4.1, RFC 6455 §4.2), and what he is told when not. Pure.
 */
import { isIP } from "node:net";
import { asSockets } from "./proxy-header.ts";

export interface WsRules {
  /** Origins (`https://phone.example.test`) whose pages may connect; `*`: any page. */
  readonly origins: readonly string[];
  /** `host:port` of the listener itself, by every name it has: its own pages may connect. */
  readonly own: readonly string[];
}

export interface WsRefusal {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Null: he may. */
export function handshakeRefusal(
  method: string,
  headers: { get(name: string): string | null },
  { origins, own }: WsRules,
): WsRefusal | null {
  if (method !== "GET" || headers.get("upgrade")?.toLowerCase() !== "websocket") return NO_WEBSOCKET;
  if (headers.get("sec-websocket-version") !== "13") return OLD_VERSION;
  const offered = (headers.get("sec-websocket-protocol") ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase());
  if (!offered.includes("sip")) return NO_SIP;
  return mayConnect(headers.get("origin"), origins, own) ? null : FOREIGN_ORIGIN;
}

/**
 * Whom a balancer names as its own peer: the last address in X-Forwarded-For, for what stands before it anybody can
 * have written. Null: there is none.
 */
export function forwardedFor(headers: { get(name: string): string | null }): string | null {
  const last = (headers.get("x-forwarded-for") ?? "").split(",").at(-1)!.trim();
  const host = /^\[([^\]]+)\](?::\d+)?$/.exec(last)?.[1] ?? /^([\d.]+):\d+$/.exec(last)?.[1] ?? last;
  if (isIP(host) === 0 || host.includes("%")) return null;
  return isIP(host) === 6 ? asSockets(host) : host;
}

/** What a balancer is told that names nobody. */
export const NOBODY_NAMED: WsRefusal = {
  status: 400,
  text: "The balancer must say whose connection it is (X-Forwarded-For)",
};

/**
 * Browsers always say whose page asks. What the Host header says proves nothing: whoever makes a name of his own point
 * here (DNS rebinding) writes both.
 */
function mayConnect(origin: string | null, origins: readonly string[], own: readonly string[]): boolean {
  if (origin === null || origins.includes("*")) return true;
  if (origins.some((allowed) => allowed.toLowerCase() === origin.toLowerCase())) return true;
  return URL.canParse(origin) && own.includes(new URL(origin).host);
}

const NO_WEBSOCKET: WsRefusal = {
  status: 426,
  text: "SIP over WebSocket (RFC 7118) is spoken here",
  headers: { upgrade: "websocket", connection: "upgrade" },
};
const OLD_VERSION: WsRefusal = {
  status: 426,
  text: "WebSocket version 13 is spoken here",
  headers: { "sec-websocket-version": "13" },
};
const NO_SIP: WsRefusal = { status: 400, text: 'The sub-protocol "sip" must be offered (RFC 7118 §4.1)' };
const FOREIGN_ORIGIN: WsRefusal = {
  status: 403,
  text: "Pages of this origin may not connect: the listener's key origins lists those that may",
};
