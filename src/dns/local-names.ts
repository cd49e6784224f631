/**
 * Names that no name server is asked for: those of /etc/hosts and the special ones of RFC 6761. Pure.
 */
import { ipFamily } from "../base/address.ts";
import type { Answer, RecordType } from "./records.ts";
import type { HostsTable } from "./system-files.ts";

const NONE: Answer = { kind: "none", exists: true };
const NO_SUCH_NAME: Answer = { kind: "none", exists: false };

/**
 * The answer for a name that is known here; null: ask. A host of the hosts file has the addresses written
 * there and nothing else, neither the other family nor SRV or NAPTR records: the file is the last word.
 */
export function localAnswer(name: string, type: RecordType, hosts: HostsTable): Answer | null {
  const host = withoutService(name);
  const addresses = hosts.get(host);
  if (addresses !== undefined) return host === name ? addressesOf(addresses, type) : NO_SUCH_NAME;
  if (isUnder(host, "localhost")) return addressesOf(["127.0.0.1", "::1"], type); // RFC 6761 §6.3
  return isUnder(host, "invalid") ? NO_SUCH_NAME : null; // RFC 6761 §6.4
}

function addressesOf(addresses: readonly string[], type: RecordType): Answer {
  const family = type === "A" ? 4 : type === "AAAA" ? 6 : 0;
  const records = addresses.filter((address) => ipFamily(address) === family);
  return records.length === 0 ? NONE : { kind: "records", records, authentic: false, stale: false };
}

/** `_sip._udp.gw.test` is a service of gw.test (RFC 2782). */
const withoutService = (name: string): string =>
  name.startsWith("_") ? name.replace(/^(?:_[^.]*\.)+/, "") : name;

const isUnder = (name: string, suffix: string): boolean => name === suffix || name.endsWith(`.${suffix}`);
