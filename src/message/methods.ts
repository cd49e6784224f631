/** The methods of RFC 3261 and its extensions (3262, 3311, 3428, 3515, 3903, 6086, 6665), each one shared string. */

/** Those known by name; any other method is passed on all the same. */
export const METHODS = [
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "REGISTER",
  "OPTIONS",
  "PRACK",
  "SUBSCRIBE",
  "NOTIFY",
  "PUBLISH",
  "INFO",
  "REFER",
  "MESSAGE",
  "UPDATE",
] as const;

const KNOWN = METHODS.map((name) => ({ name, bytes: Buffer.from(name) }));

/** The method in bytes[start, end): the one shared string for known methods, so that comparing is cheap. */
export function methodName(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  next: for (let m = 0; m < KNOWN.length; m++) {
    const known = KNOWN[m]!;
    if (known.bytes.length !== length) continue;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== known.bytes[i]) continue next;
    return known.name;
  }
  return bytes.latin1Slice(start, end);
}
