/**
 * siproxd.conf and its password file. siproxd stands between phones and a registrar elsewhere; what
 * does the same here is a `[[peer]]` with `serves`, which only the operator can name.
 */
import type { Imported, ImportedListener, ImportedUser } from "./imported.ts";
import { USERS_MAX } from "./imported.ts";

const DEFAULT_PORT = 5060;
const DEFAULT_REALM = "Authentication_Realm";

/** What to do instead, by siproxd's key. A key that is not here is told without advice. */
const ADVICE: Readonly<Record<string, string>> = {
  if_inbound: 'name the address in [[listen]]; "any" follows the interfaces',
  if_outbound: 'name the address in [[listen]]; "any" follows the interfaces',
  hosts_allow_sip: "guard.allow, and guard.deny for all others; whoever has no account is refused anyway",
  hosts_deny_sip: "guard.deny; whoever has no account is refused anyway",
  outbound_proxy_host: "a [[peer]] with its uri and serves: docs/nat.md",
  outbound_domain_name: "a [[peer]] with its uri and serves: docs/nat.md",
  proxy_auth_passwd: "one password for all: give each account its own, sipedge user add NAME",
  sip_dscp: "not for SIP; media.dscp marks media",
  registration_file: "phones register anew within minutes",
  mask_host: "not needed: sipedge is a registrar of its own",
  masked_host: "not needed: sipedge is a registrar of its own",
};
/** About siproxd's own process: nothing is lost. */
const OWN_AFFAIRS =
  /^(daemonize|silence_log|log_calls|debug_level|debug_port|user|chrootjail|pid_file|autosave_registrations|thread_stack_size|plugindir|load_plugin|tcp_\w+|ua_string|rtp_timeout|rtp_input_dejitter|rtp_output_dejitter)$/;

/** `passwords`: the text of the file `proxy_auth_pwfile` names; null when there is none. */
export function fromSiproxd(text: string, passwords: string | null): Imported {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const [, key, value] = /^\s*([A-Za-z]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key.toLowerCase(), value);
  }
  const realm = values.get("proxy_auth_realm") ?? DEFAULT_REALM;
  const { users, bad } = usersOf(passwords ?? "", realm);
  const taken = new Set<string>();
  const take = (key: string): string | null => {
    const value = values.get(key);
    if (value !== undefined) taken.add(key);
    return value ?? null;
  };
  const imported = {
    certificates: [],
    domains: [],
    listen: listenersOf(take),
    sections: sectionsOf(take),
    users,
  };
  take("proxy_auth_realm");
  if (passwords !== null) take("proxy_auth_pwfile");
  return { ...imported, left: [...leftOf(values, taken), ...bad] };
}

type Take = (key: string) => string | null;

function listenersOf(take: Take): ImportedListener[] {
  const port = numberOf(take("sip_listen_port"), 1, 65_535) ?? DEFAULT_PORT;
  const advertise = take("host_outbound");
  return ["udp", "tcp"].map((transport) => ({ transport, address: "any", port, advertise }));
}

function sectionsOf(take: Take): Record<string, string[]> {
  const expires = numberOf(take("default_expires"), 60, 3600);
  const low = numberOf(take("rtp_port_low"), 1024, 65_535);
  const high = numberOf(take("rtp_port_high"), 1024, 65_535);
  const networks = (take("hosts_allow_reg") ?? "").split(/[\s,]+/).filter((each) => each !== "");
  return {
    registrar: expires === null ? [] : [`default_expires_s = ${expires}`],
    media: low === null || high === null ? [] : [`port_min = ${low}`, `port_max = ${high}`],
    auth:
      networks.length === 0
        ? []
        : [`# siproxd let these register without a password: ${networks.join(", ")}`],
  };
}

function usersOf(text: string, realm: string): { users: ImportedUser[]; bad: string[] } {
  const users = new Map<string, ImportedUser>();
  let unread = 0;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, password] = /^\s*(\S+)\s+(\S+)\s*$/.exec(line) ?? [];
    if (name === undefined || password === undefined || users.size >= USERS_MAX) unread++;
    else users.set(name, { name, realm, password, ha1: null });
  }
  return { users: [...users.values()], bad: unread === 0 ? [] : [`${unread} lines of the password file`] };
}

function leftOf(values: ReadonlyMap<string, string>, taken: ReadonlySet<string>): string[] {
  return [...values.keys()]
    .filter((key) => !taken.has(key) && !OWN_AFFAIRS.test(key))
    .map((key) => (ADVICE[key] === undefined ? key : `${key}: ${ADVICE[key]}`));
}

function numberOf(text: string | null, min: number, max: number): number | null {
  const value = Number(text ?? "");
  return /^\d+$/.test(text ?? "") && value >= min && value <= max ? value : null;
}
