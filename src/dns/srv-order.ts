/**
 * The order in which the servers of a service are tried (RFC 2782), and which transports a domain offers
 * (RFC 3263 §4.1). Pure: the dice are an argument, and one draw serves all messages of a transaction.
 */
import type { TransportName } from "../base/flow.ts";
import { SERVICE } from "./place.ts";
import type { Naptr, Service } from "./records.ts";

/** A service to ask for: its transport and the owner name of its SRV records. */
export interface ServiceName {
  readonly transport: TransportName;
  readonly name: string;
}

/**
 * RFC 2782: lowest priority first; within a priority, drawn by weight again and again. `fraction` gives
 * numbers in [0, 1).
 */
export function orderServices(records: readonly Service[], fraction: () => number): Service[] {
  const priorities = [...new Set(records.map((record) => record.priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    drawByWeight(
      records.filter((record) => record.priority === priority),
      fraction,
    ),
  );
}

/**
 * RFC 2782, "Weight": those with weight 0 stand at the beginning, a number from 0 to the sum of the
 * weights is drawn, and the first record whose running sum reaches it is next.
 */
function drawByWeight(records: readonly Service[], fraction: () => number): Service[] {
  const left = [...records].sort((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
  const drawn: Service[] = [];
  while (left.length > 1) {
    const sum = left.reduce((total, { weight }) => total + weight, 0);
    // The number 0 is there to give those of weight 0 their small chance; without one it would only favour the first.
    const least = left[0]?.weight === 0 ? 0 : 1;
    const at =
      sum === 0 // all of weight 0: the RFC leaves the choice open; each is given the same chance
        ? Math.floor(fraction() * left.length)
        : reaching(left, least + Math.floor(fraction() * (sum + 1 - least)));
    drawn.push(...left.splice(at, 1));
  }
  return [...drawn, ...left];
}

function reaching(records: readonly Service[], number: number): number {
  let running = 0;
  for (let i = 0; i < records.length; i++) {
    running += records[i]?.weight ?? 0;
    if (running >= number) return i;
  }
  return records.length - 1;
}

/** RFC 3263 §4.1 and RFC 7118 §8: the services that name a transport of ours. */
const NAPTR_SERVICES: ReadonlyMap<string, TransportName> = new Map([
  ["sip+d2u", "udp"],
  ["sip+d2t", "tcp"],
  ["sips+d2t", "tls"],
  ["sip+d2w", "ws"],
  ["sips+d2w", "wss"],
]);

const isSecure = (transport: TransportName): boolean => transport === "tls" || transport === "wss";

/**
 * The services that a domain's NAPTR records offer over transports of ours, best first; for a sips URI
 * only the secure ones (§4.1). Only the lowest order with such a record counts (RFC 3403 §4.1).
 */
export function offeredServices(
  records: readonly Naptr[],
  supported: readonly TransportName[],
  secure: boolean,
): ServiceName[] {
  const usable: { readonly record: Naptr; readonly transport: TransportName }[] = [];
  for (const record of records) {
    const transport = NAPTR_SERVICES.get(record.services.toLowerCase());
    if (transport === undefined || !supported.includes(transport)) continue;
    if (secure && !isSecure(transport)) continue;
    // §4.1: the flag is "s", the regular expression empty.
    if (record.flags.toLowerCase() !== "s" || record.regexp !== "" || record.replacement === "") continue;
    usable.push({ record, transport });
  }
  const lowest = Math.min(...usable.map(({ record }) => record.order));
  return usable
    .filter(({ record }) => record.order === lowest)
    .sort((a, b) => a.record.preference - b.record.preference)
    .map(({ record, transport }) => ({ transport, name: record.replacement }));
}

/** §4.1, §4.2: what to ask for when there is no NAPTR record: each transport of ours, or the one wanted. */
export function assumedServices(
  host: string,
  wanted: TransportName | null,
  supported: readonly TransportName[],
  secure: boolean,
): ServiceName[] {
  const named = (transport: TransportName) => ({ transport, name: `${SERVICE[transport]}.${host}` });
  if (wanted !== null) return [named(wanted)];
  if (secure) return [named("tls")];
  return supported.filter((transport) => transport === "udp" || transport === "tcp").map(named);
}
