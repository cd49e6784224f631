/**
 * kamailio.cfg and a dump of its subscriber table. The file is a program: addresses, names and the
 * registrar's times are taken over, of routes and modules only their names are told.
 */
import type { Imported, ImportedCertificate, ImportedListener } from "./imported.ts";
import { subscribersOf } from "./subscribers.ts";

const DEFAULT_PORT = 5060;
/** Its own and ours. */
const DEFAULT_EXPIRES_S = 3600;
/** Ports that are meant where none is told. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { tls: 5061, ws: 80, wss: 443 };
const TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"];
/** Where its certificate goes when the file does not say where it is. */
const CERTIFICATE = { file: "/etc/sipedge/tls/fullchain.pem", key: "/etc/sipedge/tls/privkey.pem" };

/** The registrar's parameters and ours. */
const TIMES: Readonly<Record<string, string>> = {
  min_expires: "min_expires_s",
  max_expires: "max_expires_s",
  default_expires: "default_expires_s",
  max_contacts: "max_contacts",
};

/** What to do instead, by module. */
const ADVICE: Readonly<Record<string, string>> = {
  "permissions.so": "auth.trusted_networks names senders without a password",
  "dispatcher.so": "a [[peer]] with several uris: priorities, weights, probes",
  "rtpengine.so": "[media] relays by itself",
  "rtpproxy.so": "[media] relays by itself",
  "nathelper.so": "[nat] and [keepalive] do this by themselves",
  "websocket.so": "ws (wss) in place of tcp (tls) as transport of the [[listen]] that browsers connect to",
  "acc.so": "[records] writes one record per call",
  "dialog.so": "/v1/calls has the calls; limits stand in [[peer]]",
  "drouting.so": "[[route]] and [[peer]]",
  "lcr.so": "[[route]] and [[peer]]",
  "uac.so": "nothing: it does not register at trunks; name this machine's address there",
  "presence.so": "nothing: there is no presence here",
  "pike.so": "[guard] limits and bans senders by itself",
  "alias_db.so": "a [[group]] or forwarding of the user",
  "xcap_server.so": "nothing: there is no presence here",
};

/** `subscribers`: the text of a dump, SQL or dbtext; null when there is none. */
export function fromKamailio(text: string, subscribers: string | null): Imported {
  const code = withoutComments(text);
  const left: string[] = [];
  const listen = listenersOf(code, left);
  const aliases = [...code.matchAll(/^\s*(?:alias|domain)\s*=\s*"?([^"\s;]+)"?/gm)].map(([, name]) =>
    hostOf(name!),
  );
  const { users, unread } = subscribersOf(subscribers ?? "");
  if (unread > 0) left.push(`${unread} rows of the subscriber dump`);
  if (subscribers === null) left.push("the accounts: dump the subscriber table and give the file as well");
  const registrar = timesOf(code);
  for (const [, name] of code.matchAll(/^\s*loadmodule\s+"(?:[^"]*\/)?([^"/]+)"/gm))
    if (ADVICE[name!] !== undefined) left.push(`module ${name}: ${ADVICE[name!]}`);
  for (const [, name] of code.matchAll(
    /^\s*((?:request_|reply_|failure_|branch_|onreply_|onsend_|event_)?route(?:\[[^\]]+\])?)\s*\{/gm,
  ))
    left.push(`${name} {…}: a program; what it decides is [[route]], [[peer]], [calls]`);
  const domains = [...aliases, ...users.map(({ realm }) => realm)];
  const certificates = certificatesOf(code, listen, left);
  return { domains: [...new Set(domains)], listen, certificates, sections: { registrar }, users, left };
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*(#(?!!)|\/\/).*$/gm, "");
}

function listenersOf(code: string, left: string[]): ImportedListener[] {
  const port = Number(/^\s*port\s*=\s*(\d{1,5})/m.exec(code)?.[1] ?? DEFAULT_PORT);
  const found: ImportedListener[] = [];
  for (const [, value] of code.matchAll(/^\s*listen\s*=\s*(.+?)\s*;?\s*$/gm)) {
    const parts = /^"?(?:(\w+):)?(\[[^\]]+\]|[\d.]+)(?::(\d+))?"?(?:\s+advertise\s+"?([^\s"]+)"?)?/i.exec(
      value!,
    );
    const [, transport = "udp", address = "", own, advertise = null] = parts ?? [];
    if (parts === null) left.push(`listen=${value}: name its address in a [[listen]]`);
    else if (!TRANSPORTS.includes(transport.toLowerCase())) left.push(`listen=${value}: this transport`);
    else {
      const plain = address.replace(/^\[|\]$/g, "");
      const isAny = plain === "0.0.0.0" || plain === "::";
      const entry = { transport: transport.toLowerCase(), address: isAny ? "any" : plain };
      const usual = DEFAULT_PORTS[entry.transport] ?? port;
      found.push({ ...entry, port: Number(own ?? usual), advertise });
    }
  }
  return found;
}

/** TLS listeners need one; its files stay where they are. */
function certificatesOf(
  code: string,
  listen: readonly ImportedListener[],
  left: string[],
): ImportedCertificate[] {
  if (!listen.some(({ transport }) => transport === "tls" || transport === "wss")) return [];
  const told = (name: string): string | undefined =>
    new RegExp(`^\\s*modparam\\(\\s*"tls"\\s*,\\s*"${name}"\\s*,\\s*"(/[^"]+)"\\s*\\)`, "m").exec(code)?.[1];
  const file = told("certificate");
  const key = told("private_key");
  if (file !== undefined && key !== undefined) return [{ file, key }];
  left.push(
    `the certificate of the TLS listeners: put its PEM files to ${CERTIFICATE.file} and ${CERTIFICATE.key}`,
  );
  return [CERTIFICATE];
}

function timesOf(code: string): string[] {
  const times = new Map<string, number>();
  for (const [, name, value] of code.matchAll(/modparam\(\s*"registrar"\s*,\s*"(\w+)"\s*,\s*(\d+)\s*\)/g)) {
    const key = TIMES[name!];
    if (key !== undefined && value !== "0") times.set(key, Number(value));
  }
  const longest = times.get("max_expires_s");
  const usual = times.get("default_expires_s") ?? DEFAULT_EXPIRES_S;
  // There a default beyond the longest is cut when it is used; here it is a mistake.
  if (longest !== undefined && usual > longest) times.set("default_expires_s", longest);
  return [...times].map(([key, value]) => `${key} = ${value}`);
}

/** Kamailio writes `udp:name:5060`. */
function hostOf(alias: string): string {
  return alias.replace(/^(udp|tcp|tls|sctp):/i, "").replace(/:\d+$/, "");
}
