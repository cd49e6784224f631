/**
 * A peer as the configuration has it: a trunk, a PBX or a carrier, its URIs and its limits. Never changed.
 */
import type { PeerKeys } from "../config/keys-peers.ts";
import { readPeerAddress } from "../config/route-forms.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri } from "../message/uri.ts";

/** One place where a peer takes calls. */
export interface PeerUri {
  /** Name of the peer and URI: the same URI of another peer is another place. */
  readonly key: string;
  readonly peer: Peer;
  readonly uri: SipUri;
  /** Lower ones first. */
  readonly priority: number;
  /** 0: only when the others of its priority cannot be had. */
  readonly weight: number;
}

/** `rules` are the keys of its `[[peer]]` as they stand in the file. */
export interface Peer {
  readonly name: string;
  readonly uris: readonly PeerUri[];
  readonly rules: Omit<PeerKeys, "name" | "uris">;
}

/** A peer from its `[[peer]]`, which the config schema let pass; a URI named twice is one. */
export function peerOf({ name, uris: written, ...rules }: PeerKeys): Peer {
  const uris: PeerUri[] = [];
  const peer: Peer = { name, uris, rules };
  for (const text of written) {
    const address = readPeerAddress(text);
    const uri = address === null ? null : parseUri(address.uri);
    if (address === null || uri === null || uri instanceof ParseError) continue;
    const key = `${name} ${uri.text}`;
    if (uris.every((other) => other.key !== key))
      uris.push({ key, peer, uri, priority: address.priority, weight: address.weight });
  }
  return peer;
}

/** Where a request to a peer goes: its Request-URI, and the Route that takes it there (null: none is needed). */
export interface PeerHop {
  readonly uri: SipUri;
  /** A whole name-addr, `<sip:gw.example.test;lr>`. */
  readonly route: string | null;
}

/**
 * The hop for a request to this place. `user` is the user part as routes rewrote it, `asked` the
 * Request-URI that came. Null: no URI can be made of them.
 */
export function hopTo({ peer, uri }: PeerUri, user: string | null, asked: SipUri): PeerHop | null {
  const keepsDomain = peer.rules.outbound_proxy;
  const target = user === null && !keepsDomain ? uri : parseUri(withUser(keepsDomain ? asked : uri, user));
  if (target instanceof ParseError) return null;
  return { uri: target, route: keepsDomain ? routeThrough(uri) : null };
}

/** The URI with another user part; a password does not belong to the new one. */
function withUser(uri: SipUri, user: string | null): string {
  if (user === null || user === uri.user) return uri.text;
  const at = uri.text.indexOf("@");
  const place = uri.text.slice((at < 0 ? uri.text.indexOf(":") : at) + 1);
  return `${uri.scheme}:${user}@${place}`;
}

/** The Route value that takes a request there. */
export function routeThrough({ text, params }: SipUri): string {
  return /;lr(?:[;=]|$)/i.test(params) ? `<${text}>` : `<${text};lr>`;
}
