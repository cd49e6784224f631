/** Addresses that mean something only inside a network (RFC 1918, 6598, 3927, 4193, 4291). */
import { Networks } from "../base/networks.ts";

const PRIVATE = new Networks([
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
]);

export function isPrivate(address: string): boolean {
  return PRIVATE.has(address);
}
