/** IP literals in text, without the regular expressions of `net.isIP`: they are looked at for each hop. */
import { isIPv6 } from "node:net";

/** 4 or 6 for an address literal (no brackets), 0 for anything else. */
export function ipFamily(text: string): 0 | 4 | 6 {
  const first = text.charCodeAt(0);
  if (first >= 48 && first <= 57 && isIPv4(text)) return 4;
  return text.includes(":") && isIPv6(text) ? 6 : 0;
}

/** IPv4address = 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT "." 1*3DIGIT, each below 256, without leading zeros. */
function isIPv4(text: string): boolean {
  let dots = 0;
  let byte = -1;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      if (byte < 0) return false;
      dots++;
      byte = -1;
    } else {
      if (c < 48 || c > 57 || byte === 0) return false;
      byte = (byte < 0 ? 0 : byte * 10) + c - 48;
      if (byte > 255) return false;
    }
  }
  return dots === 3 && byte >= 0;
}

/** An IPv4 address as a dual-stack socket writes it, `::ffff:192.0.2.1`, is 192.0.2.1. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=[0-9.]+$)/, "");
}

/** Whether two literals name one address; IPv6 may be written in several ways. A host name is only itself. */
export function sameAddress(a: string, b: string): boolean {
  if (a === b) return true;
  if (ipFamily(a) !== 6 || ipFamily(b) !== 6) return false;
  return canonicalIpv6(a) === canonicalIpv6(b);
}

function canonicalIpv6(address: string): string {
  return new URL(`http://[${address.split("%", 1)[0]}]`).hostname;
}
