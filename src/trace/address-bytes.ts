/** Addresses as packets carry them. */

export const ipv4Bytes = (address: string): Buffer => Buffer.from(address.split(".").map(Number));

/** Of an address without brackets; its zone is left out. */
export function ipv6Bytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  const [head = "", tail] = address.split("%", 1)[0]!.split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const write = (groups: readonly string[], from: number): void => {
    for (const [i, group] of groups.entries())
      bytes.writeUInt16BE(Number.parseInt(group, 16) || 0, from + 2 * i);
  };
  write(first, 0);
  write(last, bytes.length - 2 * last.length);
  return bytes;
}
