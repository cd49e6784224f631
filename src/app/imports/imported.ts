/** What `sipedge import` made of another server's files. Pure. */
import { ha1 } from "../../auth/digest.ts";

export interface ImportedUser {
  readonly name: string;
  readonly realm: string;
  /** Null when only the hash is known. */
  readonly password: string | null;
  readonly ha1: string | null;
}

export interface Imported {
  readonly domains: readonly string[];
  readonly listen: readonly ImportedListener[];
  readonly certificates: readonly ImportedCertificate[];
  /** Lines of TOML by section, without its heading. */
  readonly sections: Readonly<Record<string, readonly string[]>>;
  readonly users: readonly ImportedUser[];
  /** Everything that was not taken over: what it was, and what to do instead where we know. */
  readonly left: readonly string[];
}

export interface ImportedListener {
  readonly transport: string;
  readonly address: string;
  readonly port: number;
  readonly advertise: string | null;
}

/** PEM files, by their absolute paths. */
export interface ImportedCertificate {
  readonly file: string;
  readonly key: string;
}

export const NOTHING_IMPORTED: Imported = {
  domains: [],
  listen: [],
  certificates: [],
  sections: {},
  users: [],
  left: [],
};
/** More belong into a database of one's own making. */
export const USERS_MAX = 100_000;

/** The configuration's text. Passwords leave as hashes only. */
export function importedToml(
  { domains, listen, certificates, sections, users }: Imported,
  from: string,
): string {
  const realm = users[0]?.realm ?? null;
  const auth = [
    ...(sections.auth ?? []),
    ...(realm !== null && realm !== domains[0] ? [`realm = ${quoted(realm)}`] : []),
  ];
  const parts = [
    `# Made by sipedge import from ${from.replace(/[^\x20-\x7e]/g, "?")}. Look through it, then: sipedge check THIS-FILE`,
    `config_version = 1\ndomains = [${[...new Set(domains)].map(quoted).join(", ")}]`,
    ...listen.map(listenerToml),
    ...certificates.map(({ file, key }) => `[[certificate]]\nfile = ${quoted(file)}\nkey = ${quoted(key)}`),
    ...Object.entries({ ...sections, auth })
      .filter(([, lines]) => lines.length > 0)
      .map(([name, lines]) => `[${name}]\n${lines.join("\n")}`),
    ...users.filter((user) => user.realm === realm).map(userToml),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** Users whose hashes were made for another realm than the first one's. */
export function otherRealms(users: readonly ImportedUser[]): string[] {
  const realm = users[0]?.realm;
  return users
    .filter((user) => user.realm !== realm)
    .map(
      ({ name, realm: other }) =>
        `user ${name}@${other}: of another realm than ${realm}; give it a [[realm]], or sipedge user add`,
    );
}

function listenerToml({ transport, address, port, advertise }: ImportedListener): string {
  const told = advertise === null ? "" : `\nadvertise = ${quoted(advertise)}`;
  return `[[listen]]\ntransport = ${quoted(transport)}\naddress = ${quoted(address)}\nport = ${port}${told}`;
}

function userToml({ name, realm, password, ha1: hash }: ImportedUser): string {
  const md5 = password === null ? hash : ha1("MD5", name, realm, password);
  const sha = password === null ? null : ha1("SHA-256", name, realm, password);
  const second = sha === null ? "" : `\nha1_sha256 = ${quoted(sha)}`;
  return `[[user]]\nname = ${quoted(name)}\nha1 = ${quoted(md5 ?? "")}${second}`;
}

export const quoted = (text: string): string => JSON.stringify(text);
