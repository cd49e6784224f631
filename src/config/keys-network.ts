/**
 * Keys about sockets: [[listen]], [http], [tcp] and [udp].
 */
import * as v from "valibot";
import { parseNetwork } from "../base/networks.ts";
import { betterListenAddress, isAddress, isHostPort, isListenAddress } from "./hosts.ts";
import { integer, listOf, oneOf, SECRET_CHARS_MAX, secret, section, sections, text, truth } from "./kinds.ts";

const LISTENERS_MAX = 100;
/** RFC 6454 §6.2. */
const ORIGIN = /^https?:\/\/[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/;

/** What is listened on when the file does not say. */
export const LISTEN_DEFAULT = [
  { transport: "udp", address: "any", port: 5060 },
  { transport: "tcp", address: "any", port: 5060 },
] as const;

export const listen = sections(
  [1, LISTENERS_MAX],
  { does: "Where SIP messages come in. Any [[listen]] replaces the two defaults.", entries: LISTEN_DEFAULT },
  {
    transport: v.optional(
      oneOf(["udp", "tcp", "tls", "ws", "wss"], {
        does: "How messages travel.",
        without: "a phone set to a transport nobody listens on gets no answer",
      }),
      "udp",
    ),
    address: v.optional(
      text(
        isListenAddress,
        '"any", or an IP address of this machine (no wildcard, no link-local address)',
        {
          does: '"any" means each address of the machine, also those that come later.',
          without: "an address this machine does not have stops the start",
        },
        betterListenAddress,
      ),
      "any",
    ),
    port: v.optional(
      integer(0, 65_535, "port; 0 takes a free one", {
        does: "The port; 5061 is the usual one for tls, 8088 or 443 for ws and wss.",
        without: "phones look for the appliance at 5060 unless told otherwise",
      }),
      5060,
    ),
    advertise: v.exactOptional(
      text(isHostPort, "host or host:port, IPv6 in brackets", {
        does:
          "The name written into messages to peers outside, where the world sees another address. " +
          "Peers in the networks of the interface and in local_networks are told the address itself.",
        without: "behind a NAT or in a cloud, peers outside send their requests to an inner address",
        example: "203.0.113.5:5060",
      }),
    ),
    origins: v.exactOptional(
      listOf(
        (origin) => origin === "*" || ORIGIN.test(origin),
        'origins like "https://phone.example.test", or "*"',
        {
          does: "ws and wss: whose pages may connect, beside the listener's own and programs that are no browsers.",
          without: "a browser phone from another web server is refused; *: any page its user opens may try",
          example: ["https://phone.example.test"],
        },
      ),
    ),
    proxy_protocol_from: v.exactOptional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does:
          "tcp and tls: balancers whose connections begin with a PROXY header (version 1 or 2), which says who is " +
          "behind them; what comes from there without one is closed.",
        without:
          "everybody behind a balancer has its address: one limit, one ban for all; whoever is named can lie",
        example: ["10.0.0.5"],
        restart: true,
      }),
    ),
    forwarded_for_from: v.exactOptional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does:
          "ws and wss: balancers that say in X-Forwarded-For whose connection it is; the last address there counts, " +
          "and from them there has to be one.",
        without: "all browsers behind a web server have its address; whoever is named can lie",
        example: ["10.0.0.5"],
        restart: true,
      }),
    ),
    local_networks: v.exactOptional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does: "Networks inside, beside those of the interface itself: hosts that reach the address without any NAT.",
        without:
          "phones in a routed inner network are told the advertised name, and may not reach it from inside",
        example: ["10.20.0.0/16"],
      }),
    ),
  },
);

export const http = section(
  { does: "The status API, its page and the metrics." },
  {
    enabled: v.optional(
      truth({ does: "Whether there is a status API at all.", without: "no health check and no metrics" }),
      true,
    ),
    address: v.optional(
      text(
        (host) => host === "localhost" || isAddress(host),
        "an IP address (0.0.0.0 or :: for all), localhost",
        {
          does: "Where the API listens. An address that is not loopback needs a token.",
          without: "other machines cannot reach a loopback address",
          start: true,
        },
        (found) => (found === "any" || found === "*" ? "0.0.0.0" : null),
      ),
      "127.0.0.1",
    ),
    port: v.optional(
      integer(0, 65_535, "port; 0 takes a free one", {
        does: "The API's TCP port.",
        without: "two programs cannot share a port",
        start: true,
      }),
      8080,
    ),
    token: v.exactOptional(
      secret(
        {
          test: new RegExp(`^[\\x21-\\x7e]{1,${SECRET_CHARS_MAX}}$`),
          allowed: `1..${SECRET_CHARS_MAX} ASCII characters without spaces (16 or more when not on loopback)`,
        },
        {
          does: 'What clients send as "Authorization: Bearer …". "file:PATH" takes it from a file, "env:NAME" from the environment.',
          without: "everybody who can reach the API may read who is registered and who calls whom",
          example: "file:/etc/sipedge/token",
        },
      ),
    ),
    read_token: v.exactOptional(
      secret(
        {
          test: new RegExp(`^[\\x21-\\x7e]{1,${SECRET_CHARS_MAX}}$`),
          allowed: `1..${SECRET_CHARS_MAX} ASCII characters without spaces (16 or more when not on loopback)`,
        },
        {
          does: "A second token, for clients that only read: monitoring, a screen on the wall. It needs token beside it.",
          without: "whoever shall see what is going on can change it as well",
          example: "file:/etc/sipedge/read-token",
        },
      ),
    ),
  },
);

export const tcp = section(
  { does: "Bounds that keep slow or hostile TCP peers from harming others." },
  {
    connections_max: v.optional(
      integer(1, 1_000_000, "connections", {
        does: "Connections in all, both directions.",
        without: "each costs memory and a file descriptor; beyond the limit new ones are closed",
      }),
      10_000,
    ),
    connections_per_address_max: v.optional(
      integer(1, 1_000_000, "connections", {
        does: "Connections accepted from one address (IPv6: from one /64).",
        without: "one host could take them all; a site of many phones behind one NAT needs more",
      }),
      100,
    ),
    idle_s: v.optional(
      integer(10, 86_400, "seconds", {
        does: "A connection without data for so long is closed; a phone that sends keep-alives keeps it open.",
        without: "dead connections pile up; under 32 s, calls that ring long may lose theirs (RFC 3261 §18)",
      }),
      300,
    ),
    first_message_s: v.optional(
      integer(1, 3600, "seconds", {
        does: "A connection that somebody opened and over which no message came for so long is closed.",
        without: "strangers hold connections open for nothing",
      }),
      30,
    ),
    partial_message_s: v.optional(
      integer(1, 600, "seconds", {
        does: "How long a message may take from its first byte to its last.",
        without: "a peer that sends one byte a minute holds memory for nothing",
      }),
      10,
    ),
    connect_timeout_ms: v.optional(
      integer(100, 60_000, "milliseconds", {
        does: "How long to wait for a peer to accept a connection.",
        without: "too long, and the next server is tried late; too short, and far ones are never reached",
      }),
      4000,
    ),
    queue_bytes_max: v.optional(
      integer(4096, 67_108_864, "bytes", {
        does: "What may wait for one slow peer; beyond it the connection is closed.",
        without: "a peer that does not read fills the memory",
      }),
      262_144,
    ),
  },
);

export const udp = section(
  { does: "The UDP sockets." },
  {
    receive_buffer_bytes: v.optional(
      integer(65_536, 268_435_456, "bytes", {
        does: "What the kernel keeps for us while we are busy; above net.core.rmem_max it needs CAP_NET_ADMIN.",
        without: "a burst of a few hundred messages loses some",
        restart: true,
      }),
      8_388_608,
    ),
    send_in_batches: v.optional(
      truth({
        does: "What is sent in one turn of the event loop leaves by one system call (Linux).",
        without: "each datagram costs a system call of its own",
        restart: true,
      }),
      true,
    ),
  },
);
