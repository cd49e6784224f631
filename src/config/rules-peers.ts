/**
 * Rules between [[peer]], [[route]] and the names of users and groups, in the manner of rules.ts.
 */
import { parseNetwork } from "../base/networks.ts";
import { canonicalAddress } from "./hosts.ts";
import type { KeyPath } from "./key-path.ts";
import { BY_ENUM, readCaller, readDestination } from "./route-forms.ts";

/** The keys these rules look at; a mistaken value is undefined. */
export interface PeersDraft {
  readonly domains?: readonly (string | undefined)[] | undefined;
  readonly peer?:
    | readonly (
        | {
            readonly name?: string | undefined;
            readonly networks?: readonly (string | undefined)[] | undefined;
            readonly certificate_name?: string | null | undefined;
            readonly serves?: readonly (string | undefined)[] | undefined;
          }
        | undefined
      )[]
    | undefined;
  readonly route?: readonly (RouteDraft | undefined)[] | undefined;
  readonly listen?: readonly ({ readonly transport?: string | undefined } | undefined)[] | undefined;
  readonly tls?: { readonly client_certificate?: string | undefined } | undefined;
  readonly dns?: { readonly enum_suffix?: string | null | undefined } | undefined;
}

interface RouteDraft {
  readonly name?: string | undefined;
  readonly callers?: readonly (string | undefined)[] | undefined;
  readonly to?: readonly (string | undefined)[] | undefined;
}

type Tell = (path: KeyPath, found: string | number, allowed: string) => void;

/** Names of peers and of routes are told apart by nothing else. */
export function peerAndRouteNamesOnce({ peer = [], route = [] }: PeersDraft, tell: Tell): void {
  for (const [key, entries] of Object.entries({ peer, route })) {
    const first = new Map<string, number>();
    for (const [index, entry] of entries.entries()) {
      const name = entry?.name;
      if (name === undefined) continue;
      const other = first.get(name);
      if (other === undefined) first.set(name, index);
      else
        tell([key, index, "name"], JSON.stringify(name), `each name once: ${key}[${other}] has it already`);
    }
  }
}

/** A request comes from one peer; a network inside another peer's is fine, the smaller one counts. */
export function peerNetworksOnce({ peer = [] }: PeersDraft, tell: Tell): void {
  const first = new Map<string, number>();
  for (const [index, entry] of peer.entries())
    for (const [at, text] of (entry?.networks ?? []).entries()) {
      const network = text === undefined ? null : parseNetwork(text);
      if (network === null) continue;
      const key = `${canonicalAddress(network.address)}/${network.prefix}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, index);
      else if (other !== index)
        tell(
          ["peer", index, "networks", at],
          text!,
          `each network for one peer: peer[${other}] has it already`,
        );
    }
}

/** A certificate names one peer, and whoever connects has to be asked for one. */
export function certificateNamesOnce({ peer = [], listen = [], tls }: PeersDraft, tell: Tell): void {
  const first = new Map<string, number>();
  const isNobodyAsked =
    tls?.client_certificate === "none" && listen.some((entry) => entry?.transport === "tls");
  for (const [index, entry] of peer.entries()) {
    const name = entry?.certificate_name?.toLowerCase();
    if (name === undefined) continue;
    const path: KeyPath = ["peer", index, "certificate_name"];
    const other = first.get(name);
    if (other === undefined) first.set(name, index);
    else tell(path, JSON.stringify(name), `each name for one peer: peer[${other}] has it already`);
    if (isNobodyAsked)
      tell(path, JSON.stringify(name), 'with tls.client_certificate = "request" or "require"');
  }
}

/** The accounts of a domain are kept in one place: here, or at one peer. */
export function domainsServedOnce({ domains = [], peer = [] }: PeersDraft, tell: Tell): void {
  const kept = new Map(domains.map((name) => [name?.toLowerCase(), "domains"]));
  for (const [index, entry] of peer.entries())
    for (const [at, text] of (entry?.serves ?? []).entries()) {
      if (text === undefined) continue;
      const key = text.toLowerCase();
      const other = kept.get(key);
      if (other === undefined) kept.set(key, `peer[${index}]`);
      else if (other !== `peer[${index}]`)
        tell(
          ["peer", index, "serves", at],
          JSON.stringify(text),
          `each domain in one place: ${other} has it already`,
        );
    }
}

/** What a route names is there. Users may also be in the data directory, so their names are not looked for. */
export function routesNamePeersThatAre({ peer = [], route = [] }: PeersDraft, tell: Tell): void {
  const names = new Set(peer.map((entry) => entry?.name));
  const allowed = names.size === 0 ? "there is no [[peer]]" : `one of ${[...names].join(", ")}`;
  for (const [index, entry] of route.entries()) {
    for (const [at, text] of (entry?.to ?? []).entries()) {
      const to = text === undefined ? null : readDestination(text);
      if (to?.kind === "peer" && !names.has(to.peer)) tell(["route", index, "to", at], text!, allowed);
    }
    for (const [at, text] of (entry?.callers ?? []).entries()) {
      const caller = text === undefined ? null : readCaller(text);
      if (caller?.kind === "peer" && !names.has(caller.name))
        tell(["route", index, "callers", at], text!, allowed);
    }
  }
}

/** "{enum}" without a suffix would never lead anywhere. */
export function enumHasItsSuffix({ route = [], dns }: PeersDraft, tell: Tell): void {
  if (dns === undefined || dns.enum_suffix !== null) return; // a mistaken suffix is told already
  for (const [index, entry] of route.entries())
    for (const [at, text] of (entry?.to ?? []).entries())
      if (text === BY_ENUM)
        tell(["route", index, "to", at], JSON.stringify(text), "nothing by ENUM without dns.enum_suffix");
}

export const PEER_RULES = [
  peerAndRouteNamesOnce,
  peerNetworksOnce,
  certificateNamesOnce,
  domainsServedOnce,
  routesNamePeersThatAre,
  enumHasItsSuffix,
] as const;
