/**
 * The addresses of this machine that "any" stands for.
 */
import { networkInterfaces } from "node:os";

/**
 * Each address of each interface that is up, loopback included, once. Link-local IPv6 is left out: a
 * SIP message cannot name the interface such an address needs.
 */
export function localAddresses(): string[] {
  const found = new Set<string>();
  for (const entries of Object.values(networkInterfaces())) {
    for (const { address } of entries ?? []) {
      if (!/^fe[89ab]/i.test(address)) found.add(address);
    }
  }
  return [...found];
}

/** The networks of the interfaces that have this address, as `192.0.2.0/24`. */
export function interfaceNetworks(address: string): string[] {
  const found: string[] = [];
  for (const entries of Object.values(networkInterfaces()))
    for (const entry of entries ?? []) if (entry.address === address && entry.cidr) found.push(entry.cidr);
  return found;
}
