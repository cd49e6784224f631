/**
 * Keys about name service: [dns].
 */
import * as v from "valibot";
import { isAddress, isHost } from "./hosts.ts";
import { integer, listOf, section, someOf, text, truth } from "./kinds.ts";

/** An address, with a port when it is not 53; IPv6 in brackets then. */
function isServer(text: string): boolean {
  if (isAddress(text)) return true;
  const [, inner, bare, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = Number(digits ?? 53);
  return isAddress(inner ?? bare ?? "") && port >= 1 && port <= 65535;
}

function isForwarder(text: string): boolean {
  const [suffix = "", ...servers] = text.trim().split(/\s+/);
  const host = suffix.startsWith(".") ? suffix.slice(1) : suffix;
  return (
    isHost(host) && !isAddress(host) && servers.length > 0 && servers.length <= 8 && servers.every(isServer)
  );
}

export const dns = section(
  {
    does: "How names are looked up (RFC 3263). /etc/hosts always comes first and is read again when it changes.",
  },
  {
    servers: v.optional(
      listOf(isServer, 'IP addresses, with a port when it is not 53 ("192.0.2.1", "[::1]:5353")', {
        does: "The name servers to ask, in this order.",
        without: "those of /etc/resolv.conf, which is read again when it changes",
        example: ["192.0.2.53", "[2001:db8::53]:5353"],
      }),
      [],
    ),
    forward: v.optional(
      listOf(isForwarder, 'a domain and the name servers for it, as "corp.test 192.0.2.53"', {
        does: "Other name servers for the names under a domain; the longest domain that fits counts.",
        without: "names that only an inner name server knows cannot be reached (split horizon)",
        example: ["corp.test 192.0.2.53"],
      }),
      [],
    ),
    timeout_ms: v.exactOptional(
      integer(100, 30_000, "milliseconds", {
        does: "How long one name server may stay silent before the next one is asked.",
        without: "what resolv.conf says (options timeout:n), else 2000; less when several share lookup_ms",
        example: 1000,
      }),
    ),
    attempts: v.exactOptional(
      integer(1, 5, "rounds", {
        does: "How often all name servers are asked before a look-up fails.",
        without: "what resolv.conf says (options attempts:n), else 2",
        example: 2,
      }),
    ),
    lookup_ms: v.optional(
      integer(500, 30_000, "milliseconds", {
        does: "How long finding the servers of one URI may take in all.",
        without: "longer: a caller waits in silence for a domain whose name servers are dead",
      }),
      4000,
    ),
    naptr: v.optional(
      truth({
        does: "Whether the domain is asked by NAPTR which transports it prefers (RFC 3263 §4.1). (Kamailio: dns_try_naptr)",
        without: "false: one query less for each new domain, and UDP is preferred to TLS",
      }),
      true,
    ),
    families: v.optional(
      someOf(["ipv4", "ipv6"], {
        does:
          "The address families to look up, the preferred one first; they are tried in turns (RFC 7984). " +
          "(Kamailio: dns_try_ipv6, dns_cache_flags)",
        without: "with one of them alone, hosts of the other cannot be reached",
      }),
      ["ipv4", "ipv6"],
    ),
    enum_suffix: v.optional(
      v.nullable(
        text((suffix) => isHost(suffix) && !isAddress(suffix), "a domain like e164.arpa", {
          does:
            "Where telephone numbers are looked up (ENUM, RFC 6116): +49 30 1 as 1.0.3.9.4.e164.arpa. Asked for numbers " +
            'with + that users dial and neither a user nor a route has, and where a route says "{enum}".',
          without: "no number is looked up; in a public tree, others decide where the numbers lead",
          example: "e164.arpa",
        }),
      ),
      null,
    ),
    ttl_max_s: v.optional(
      integer(0, 604_800, "seconds", {
        does: "The longest time an answer is kept, whatever its time to live. (Kamailio: dns_cache_max_ttl)",
        without: "0: nothing is kept; long: a server that moved is found late",
      }),
      86_400,
    ),
    negative_ttl_max_s: v.optional(
      integer(0, 10_800, "seconds", {
        does: 'The longest time "no such name" is kept (RFC 2308). (Kamailio: dns_cache_negative_ttl)',
        without: "long: a record that has just been added is found late",
      }),
      60,
    ),
    serve_stale_s: v.optional(
      integer(0, 604_800, "seconds", {
        does: "How long after its time an answer may still serve when no name server can be reached (RFC 8767).",
        without: "0: calls fail as soon as an answer has expired while the name servers are down",
      }),
      0,
    ),
    cache_entries_max: v.optional(
      integer(10, 1_000_000, "answers", {
        does: "How many answers are kept; the one not used for longest leaves first.",
        without: "whoever calls many domains would fill the memory",
      }),
      10_000,
    ),
    cache_bytes_max: v.optional(
      integer(65_536, 1_073_741_824, "bytes", {
        does: "How much memory they may take, estimated. (Kamailio: dns_cache_mem)",
        without: "a few domains with very long answers would fill the memory",
      }),
      8_388_608,
    ),
    dead_target_s: v.optional(
      integer(0, 3600, "seconds", {
        does: "How long a server that failed is tried after the others of its list.",
        without: "0: each call to a domain with a dead server tries that one first",
      }),
      30,
    ),
  },
);

export type DnsConfig = v.InferOutput<typeof dns>;
