/**
 * The TLS side of the transports, loaded when the first TLS listener is wanted: an appliance without one does not pay
 * for it.
 */
import type { Log } from "../base/log.ts";
import type { Certificates, CertificatesParts, TlsRules } from "./certificates.ts";
import type { Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Wanted } from "./listen-plan.ts";
import type { TlsListener } from "./tls-listener.ts";

export interface Tls {
  readonly certificates: Certificates;
  /** Rejects with the system's error. */
  open(connections: Connections, wanted: Wanted): Promise<TlsListener>;
  readonly dial: (connection: Connection, name: string, certificates: Certificates, log: Log) => void;
}

export const NO_TLS: TlsRules = {
  certificates: [],
  min_version: "1.2",
  ciphers: null,
  ca: null,
  client_certificate: "none",
  verify: true,
  handshakes_max: 0,
};

/** `renewed`: other certificates are in force than before. */
export async function loadTls(parts: CertificatesParts, rules: TlsRules, renewed: () => void): Promise<Tls> {
  const [{ Certificates }, { TlsListener }, { dialTls }] = await Promise.all([
    import("./certificates.ts"),
    import("./tls-listener.ts"),
    import("./tls-dial.ts"),
  ]);
  const certificates = new Certificates(parts, rules);
  certificates.onChange = renewed;
  const { log } = parts;
  return {
    certificates,
    open: (connections, wanted) => TlsListener.open({ connections, certificates, log }, wanted),
    dial: dialTls,
  };
}
