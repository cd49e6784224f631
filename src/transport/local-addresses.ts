/**
 * The addresses of this machine that "any" stands for.
 */
import { networkInterfaces } from "node:os";
import { Networks } from "../base/networks.ts";

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

/** The networks of the interfaces this address belongs to, as `192.0.2.0/24`: all of 127.0.0.0/8 is loopback's. */
export function interfaceNetworks(address: string): string[] {
  const found = new Set<string>();
  for (const entries of Object.values(networkInterfaces()))
    for (const { cidr } of entries ?? [])
      if (cidr !== null && !cidr.includes("%") && new Networks([cidr]).has(address)) found.add(cidr);
  return [...found];
}
