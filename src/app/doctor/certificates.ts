/** What `sipedge doctor` and `sipedge check` say of [[certificate]]: its files, its time, and whose names it has. */
import type { Config } from "../../config/schema.ts";
import { ParseError } from "../../message/parse-error.ts";
import { parseHostPort } from "../../message/uri.ts";
import { provesName } from "../../transport/certificate-names.ts";
import type { CertificateFacts } from "../../transport/certificates.ts";
import { readCertificate, WARN_DAYS } from "../../transport/certificates.ts";
import { tlsRules } from "../room-rules.ts";
import type { Finding } from "./finding.ts";
import { good, mayStop, stops } from "./finding.ts";

const ABOUT = "certificate";
const DAY_MS = 86_400_000;
const SHOWN_MAX = 5;

/** None where there is no certificate and none is needed. */
export function certificates(config: Config, now_ms: number): Finding[] {
  const rules = tlsRules(config);
  const hosts = hostsOf(config);
  const proved = new Set<string>();
  const findings = config.certificate.map((files, index): Finding => {
    const place = `certificate[${index}]`;
    const read = readCertificate(files, rules);
    if (typeof read === "string") return stops(ABOUT, `${place}: ${read}`, cureOf(read));
    for (const host of hosts) if (provesName(read.names, host)) proved.add(host);
    return (
      timeFinding(`${place}: ${files.file}`, read, now_ms) ?? namesFinding(place, files.file, read, hosts)
    );
  });
  return [...findings, ...unproved(config, proved)];
}

function cureOf(what: string): string {
  if (what.endsWith("cannot be read"))
    return "look whether it is there, and give it to the user that runs sipedge (doctor run by root reads everything)";
  if (what.includes("not the key"))
    return "file and key must be of one pair: take both from the same renewal";
  if (what.includes("cipher")) return "openssl ciphers -v LIST shows what a list means";
  return "PEM files are wanted: the certificate with those it was signed with, and its key without a password";
}

/** Null: its time has come and lasts. */
function timeFinding(
  what: string,
  { begins_ms, expires_ms }: CertificateFacts,
  now_ms: number,
): Finding | null {
  const until = new Date(expires_ms).toISOString();
  const renew = "renew it; sipedge reads the new files by itself within seconds";
  if (now_ms < begins_ms) {
    const from = new Date(begins_ms).toISOString();
    return stops(ABOUT, `${what} holds from ${from} on only`, "set the clock of this machine, or wait");
  }
  if (now_ms >= expires_ms) return stops(ABOUT, `${what} expired at ${until}: phones refuse it`, renew);
  const left = Math.floor((expires_ms - now_ms) / DAY_MS);
  if (left >= WARN_DAYS[0]) return null;
  return mayStop(ABOUT, `${what} expires in ${left} days, at ${until}`, renew);
}

function namesFinding(
  place: string,
  file: string,
  { names, expires_ms }: CertificateFacts,
  hosts: readonly string[],
): Finding {
  const fitting = names.filter((name) => hosts.some((host) => provesName([name], host)));
  if (fitting.length === 0)
    return mayStop(
      ABOUT,
      `${place}: ${file} is for ${listed(names)}, which is neither in domains nor an address here`,
      "put its name into domains if phones are set to it, or have one made for the names that they are set to",
    );
  const others = names.filter((name) => !fitting.includes(name));
  const more = others.length === 0 ? "" : `; ${listed(others)} in it is no domain here`;
  const until = new Date(expires_ms).toISOString().slice(0, 10);
  return good(ABOUT, `${file} for ${listed(fitting)} until ${until}${more}`);
}

/** Domains that phones over TLS cannot be set to. */
function unproved({ domains, listen }: Config, proved: ReadonlySet<string>): Finding[] {
  if (!listen.some(({ transport }) => transport === "tls" || transport === "wss")) return [];
  const left = domains.map(plainHost).filter((domain) => !proved.has(domain));
  if (left.length === 0) return [];
  return [
    mayStop(
      ABOUT,
      `none is for ${listed(left)}`,
      "phones that are set to it refuse TLS: have one made with it as subjectAltName",
    ),
  ];
}

/** What phones may be set to: domains, advertised names, addresses. */
function hostsOf({ domains, listen }: Config): string[] {
  const told = listen.flatMap(({ advertise }) => {
    const place = advertise === undefined ? null : parseHostPort(advertise, 0, advertise.length);
    return place === null || place instanceof ParseError ? [] : [place.host];
  });
  const bound = listen.flatMap(({ address }) => (address === "any" ? [] : [address]));
  return [...new Set([...domains, ...told, ...bound].map(plainHost))];
}

const plainHost = (host: string): string => host.toLowerCase().replace(/^\[|\]$/g, "");

function listed(names: readonly string[]): string {
  if (names.length === 0) return "nobody";
  const more = names.length > SHOWN_MAX ? ` and ${names.length - SHOWN_MAX} more` : "";
  return names.slice(0, SHOWN_MAX).join(", ") + more;
}
