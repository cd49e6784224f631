/**
 * Every key of the configuration, section by section, with its default and what it is for. Strict:
 * a key that is not here is a mistake. Rules between keys are in rules.ts.
 */
import * as v from "valibot";
import { isHost } from "./hosts.ts";
import { calledDomain, calls, emergency, group } from "./keys-calls.ts";
import { dns } from "./keys-dns.ts";
import { guard } from "./keys-guard.ts";
import { hep } from "./keys-hep.ts";
import { media } from "./keys-media.ts";
import { device, keepalive, nat } from "./keys-nat.ts";
import { http, LISTEN_DEFAULT, listen, tcp, udp } from "./keys-network.ts";
import { peer } from "./keys-peers.ts";
import { realm } from "./keys-realm.ts";
import { records } from "./keys-records.ts";
import { route } from "./keys-routes.ts";
import { rtpengine } from "./keys-rtpengine.ts";
import { screen } from "./keys-screen.ts";
import { auth, registrar, user } from "./keys-service.ts";
import { limits, shutdown, timers } from "./keys-timing.ts";
import { certificate, tls } from "./keys-tls.ts";
import { trace } from "./keys-trace.ts";
import { integer, listOf, oneOf, section, text } from "./kinds.ts";

/** The only version there is so far. */
export const CONFIG_VERSION = 1;
const PATH_CHARS_MAX = 4096;

const log = section(
  { does: "What the appliance tells on its standard output." },
  {
    level: v.optional(
      oneOf(["debug", "info", "warn", "error"], {
        does: "The least important lines that are written.",
        without: "debug also tells of each connection that closes and each datagram that could not be sent",
        restart: true,
      }),
      "info",
    ),
    format: v.optional(
      oneOf(["text", "json"], {
        does: "text is for people and journald, json (one object per line) for log collectors.",
        without: "a collector that expects json cannot read the fields of text lines",
        restart: true,
      }),
      "text",
    ),
  },
);

export const ConfigSchema = v.strictObject({
  config_version: v.optional(
    integer(CONFIG_VERSION, CONFIG_VERSION, "the only version so far", {
      does: "The version of this format.",
      without: "a later sipedge could not tell for which version the file was written",
      start: true,
    }),
    CONFIG_VERSION,
  ),
  domains: v.optional(
    listOf(isHost, 'host names or IP addresses without "sip:" and port', {
      does:
        "The names this appliance is responsible for, beside its own addresses. All mean the same place: " +
        "alice@ any of them is one person. The first is its main name.",
      without: "calls to alice@your-domain are taken for calls to somebody else's domain",
      example: ["example.test", "192.0.2.10"],
      start: true,
    }),
    [],
  ),
  data_dir: v.optional(
    v.nullable(
      text((path) => path.length > 0 && path.length <= PATH_CHARS_MAX && !path.includes("\0"), "a folder", {
        does: "The folder for registrations, accounts and keys.",
        without:
          "it is what systemd gives as STATE_DIRECTORY, else /var/lib/sipedge, else a folder of the user",
        example: "/var/lib/sipedge",
        restart: true,
      }),
    ),
    null,
  ),
  listen: v.optional(listen, LISTEN_DEFAULT),
  certificate: v.optional(certificate, []),
  tls: v.optional(tls, {}),
  http: v.optional(http, {}),
  auth: v.optional(auth, {}),
  realm: v.optional(realm, []),
  guard: v.optional(guard, {}),
  user: v.optional(user, []),
  registrar: v.optional(registrar, {}),
  nat: v.optional(nat, {}),
  keepalive: v.optional(keepalive, {}),
  device: v.optional(device, []),
  media: v.optional(media, {}),
  rtpengine: v.optional(rtpengine, []),
  calls: v.optional(calls, {}),
  records: v.optional(records, {}),
  trace: v.optional(trace, {}),
  hep: v.optional(hep, {}),
  called_domain: v.optional(calledDomain, []),
  group: v.optional(group, []),
  emergency: v.optional(emergency, {}),
  peer: v.optional(peer, []),
  route: v.optional(route, []),
  screen: v.optional(screen, []),
  dns: v.optional(dns, {}),
  log: v.optional(log, {}),
  timers: v.optional(timers, {}),
  limits: v.optional(limits, {}),
  tcp: v.optional(tcp, {}),
  udp: v.optional(udp, {}),
  shutdown: v.optional(shutdown, {}),
});

/** A valid configuration with every default in its place; keys are spelled as in the file. */
export type Config = v.InferOutput<typeof ConfigSchema>;
