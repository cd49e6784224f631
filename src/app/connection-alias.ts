/**
 * Connection reuse (RFC 5923): a server that opened a TLS connection to us, proved its domain by certificate and asks for
 * it with "alias" in its Via gets our own requests over that connection, instead of another one that its firewall or NAT
 * may not let in. Without a certificate nobody can ask: the requests of others would be theirs.
 */
import { ParseError } from "../message/parse-error.ts";
import { provesName } from "../transport/certificate-names.ts";
import type { ChainRooms, Passage } from "./request-chain.ts";

/** RFC 3261 §19.1.2. */
const SIPS_PORT = 5061;
const ALIAS = /;\s*alias\s*(?:;|$)/i;

/** A step of the chain. §8.2: the name in the Via must be proved too, or be the address that it came from. */
export function noteAlias(rooms: ChainRooms, { request, source }: Passage): "next" {
  const { names } = source;
  const { via } = request;
  if (names === undefined || names === null || via === null || via instanceof ParseError) return "next";
  const { host, port, start, end } = via;
  if (!ALIAS.test(request.bytes.latin1Slice(start, end))) return "next";
  if (host === source.remoteAddress || provesName(names, host))
    rooms.transports.alias(source, port ?? SIPS_PORT);
  return "next";
}
