/** The small configuration `sipedge init` writes. Pure. */

export interface FirstConfig {
  /** Null: the appliance answers for its own addresses only. */
  readonly domain: string | null;
  /** "any" or an address of this machine. */
  readonly address: string;
  readonly port: number;
  readonly data_dir: string;
}

/** The file's text; every value stands in it as TOML writes it. */
export function firstConfigToml({ domain, address, port, data_dir }: FirstConfig): string {
  const listeners = ["udp", "tcp"].map(
    (transport) =>
      `[[listen]]\ntransport = "${transport}"\naddress = ${quoted(address)}\nport = ${port}\n` +
      '# advertise = "203.0.113.5"   # the address the world sees, when a router forwards this port\n',
  );
  return `# sipedge. Every key there is, with its default: docs/configuration.md
# After a change:  sipedge check THIS-FILE, then systemctl reload sipedge (or kill -HUP).

config_version = 1

# The names this appliance is responsible for, beside its own addresses. The first one goes into
# password hashes: changing it later means new passwords for everybody.
domains = [${domain === null ? "" : quoted(domain)}]

# Registrations, accounts and keys; sipedge backup FILE saves them all.
data_dir = ${quoted(data_dir)}

${listeners.join("\n")}
# Status page, API and metrics: this machine only. Another address needs a token.
[http]
address = "127.0.0.1"
port = 8080

# Nobody is trusted without a password. A PBX or a trunk that has none:
# [auth]
# trusted_networks = ["192.0.2.20/32"]

# Accounts are kept in data_dir:  sipedge user add NAME --config THIS-FILE
`;
}

const quoted = (text: string): string => JSON.stringify(text);
