/**
 * Host names and addresses as an operator writes them.
 */
import { isIP } from "node:net";

/** Labels of letters, digits and inner hyphens, the last beginning with a letter (RFC 3261 §25.1 hostname). */
const HOST_NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\.?$/i;
const HOST_NAME_CHARS_MAX = 253;

/** A host name or an IP address; IPv6 with or without brackets. */
export function isHost(text: string): boolean {
  if (isAddress(text)) return true;
  if (text.startsWith("[") && text.endsWith("]")) return isIP(text.slice(1, -1)) === 6 && !text.includes("%");
  return text.length <= HOST_NAME_CHARS_MAX && HOST_NAME.test(text);
}

/** `host` or `host:port`, as Via and Record-Route carry it: IPv6 in brackets. */
export function isHostPort(text: string): boolean {
  const parts = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const [, host = "", port = "5060"] = parts ?? [];
  return isHost(host) && Number(port) >= 1 && Number(port) <= 65535;
}

/** An IP address without brackets and zone. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes("%");
}

/** One spelling per address: IPv6 in lower case with its longest run of zeros left out. */
export function canonicalAddress(address: string): string {
  return isIP(address) === 6 && !address.includes("%")
    ? new URL(`http://[${address}]/`).hostname.slice(1, -1)
    : address;
}

/** Whether only this machine can reach a listener there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host.startsWith("127.") || canonicalAddress(host) === "::1";
}

/**
 * "any", or an address that a socket can have and a SIP message can name: not a wildcard (a reply
 * would leave from an address of the kernel's choice), not link-local, not IPv4 in IPv6 clothes.
 */
export function isListenAddress(text: string): boolean {
  return text === "any" || (isAddress(text) && betterListenAddress(text) === null && !isLinkLocal(text));
}

/** What to write in place of a wildcard, a name for this machine, or IPv4 mapped into IPv6. */
export function betterListenAddress(text: string): string | null {
  const bare = text.replace(/^\[(.*)\]$/, "$1");
  const address = canonicalAddress(bare);
  if (address === "0.0.0.0" || address === "::" || address === "*" || address === "") return "any";
  if (address.toLowerCase() === "any") return text === "any" ? null : "any";
  if (address === "localhost") return "127.0.0.1";
  if (address.startsWith("::ffff:")) return ipv4Of(address);
  return bare !== text && isAddress(bare) && !isLinkLocal(bare) ? bare : null;
}

const isLinkLocal = (address: string) => /^fe[89ab]/i.test(address);

/** `::ffff:c000:201` is 192.0.2.1. */
function ipv4Of(mapped: string): string {
  const [high = 0, low = 0] = mapped
    .slice("::ffff:".length)
    .split(":")
    .map((group) => Number.parseInt(group, 16));
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

const SIP_URI =
  /^sips?:(?:(?:[A-Za-z0-9_.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2})+@)?([^@;?<>" ]+)((?:;[A-Za-z0-9_.!~*'%+-]+(?:=[A-Za-z0-9_.!~*'%+:[\]/-]+)?)*)$/i;
const SIP_URI_CHARS_MAX = 256;

/** Whether it is a sip: or sips: URI that can be called: no headers, no method (RFC 3261 §19.1.1, Table 1). */
export function isSipUri(text: string): boolean {
  const parts = SIP_URI.exec(text);
  if (parts === null || text.length > SIP_URI_CHARS_MAX || /;method(=|;|$)/i.test(parts[2] ?? ""))
    return false;
  return isHostPort(parts[1] ?? "");
}
