/**
 * Addresses that mean something only inside a network, or nothing at all: what a phone behind a NAT tells of
 * itself (IANA special-purpose registries; RFC 1918, 6598, 6890, 3927, 4193, 4291).
 */
import { Networks } from "../base/networks.ts";

const PRIVATE = new Networks([
  "0.0.0.0/8", // "this" network (RFC 6890)
  "10.0.0.0/8",
  "100.64.0.0/10", // shared, carrier-grade NAT (RFC 6598)
  "127.0.0.0/8",
  "169.254.0.0/16", // link-local (RFC 3927)
  "172.16.0.0/12",
  "192.0.0.0/24", // protocol assignments, DS-Lite among them (RFC 6333, 7335)
  "192.168.0.0/16",
  "198.18.0.0/15", // benchmarks, and tunnels that borrow it (RFC 2544)
  "240.0.0.0/4", // reserved (RFC 1112)
  "::/128",
  "::1/128",
  "::ffff:0:0/96", // IPv4 as a program writes it, never on a wire (RFC 4291 §2.5.5.2)
  "64:ff9b:1::/48", // translation inside a network (RFC 8215)
  "fc00::/7", // unique-local (RFC 4193)
  "fe80::/10",
  "fec0::/10", // site-local once (RFC 3879)
]);

/** Whether the text is an address (no brackets, no zone) that cannot be reached from another network. */
export function isPrivate(address: string): boolean {
  return PRIVATE.has(address);
}
