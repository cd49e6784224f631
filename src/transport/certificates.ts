/**
 * Our certificates: read from their files, read again when these change, and picked by the name a peer asks for
 * (SNI, RFC 6066 §3). What cannot be used leaves what was there before in force.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { SecureContext } from "node:tls";
import { createSecureContext } from "node:tls";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { provesName, sipNames } from "./certificate-names.ts";

/** One `[[certificate]]`. */
export interface CertificateFiles {
  /** PEM: the certificate first, then those it was signed with. */
  readonly file: string;
  /** PEM: its private key. */
  readonly key: string;
}

export interface TlsRules {
  readonly certificates: readonly CertificateFiles[];
  readonly min_version: "1.2" | "1.3";
  /** OpenSSL's list for TLS 1.2; null: the platform's. */
  readonly ciphers: string | null;
  /** PEM file of those whose signature is believed; null: the platform's list. */
  readonly ca: string | null;
  /** Whether peers that connect are asked for a certificate, and refused without a good one. */
  readonly client_certificate: "none" | "request" | "require";
  /** Whether the certificates of peers we connect to are checked. */
  readonly verify: boolean;
  /** Connections at once whose handshake is not over. */
  readonly handshakes_max: number;
}

export interface CertificateSnapshot {
  readonly file: string;
  readonly names: readonly string[];
  /** Unix milliseconds. */
  readonly expires_ms: number;
  /** Why what is in the files now is not in use; null: it is. */
  readonly problem: string | null;
}

/** What a TLS server is made with and can be given anew. */
export interface ServerContext {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly ciphers?: string;
}

/** What is told by the files of a certificate that can be used. */
export interface CertificateFacts {
  /** What it proves (RFC 5922 §7.1). */
  readonly names: readonly string[];
  /** Unix milliseconds. */
  readonly begins_ms: number;
  readonly expires_ms: number;
}

interface Loaded extends CertificateFacts {
  readonly files: CertificateFiles;
  readonly stamp: string;
  readonly server: ServerContext;
  readonly context: SecureContext;
}

export interface CertificatesParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** How often the files are looked at. */
const LOOK_MS = 10_000;
const DAY_MS = 86_400_000;
/** Days before the end at which the log warns. */
export const WARN_DAYS = [30, 7, 1] as const;

export class Certificates {
  /** Called when other certificates are in force than before. */
  onChange: () => void = () => {};
  readonly #parts: CertificatesParts;
  readonly #reloads: Counter;
  readonly #failures: Counter;
  readonly #problems = new Map<string, string>();
  /** By file, the least of WARN_DAYS that was warned of. */
  readonly #warned = new Map<string, number>();
  #loaded: readonly Loaded[] = [];
  #rules: TlsRules;
  #look: Alarm | null = null;

  constructor(parts: CertificatesParts, rules: TlsRules) {
    this.#parts = parts;
    this.#rules = rules;
    const { metrics } = parts;
    this.#reloads = metrics.counter(
      "sipedge_certificate_reloads_total",
      "Certificates read again after a change",
    );
    this.#failures = metrics.counter(
      "sipedge_certificate_reload_failures_total",
      "Changed files that cannot be used",
    );
    metrics.gauges("sipedge_certificate_expires_seconds", "Unix time at which a certificate ends", () =>
      this.#loaded.map(({ files, expires_ms }) => ({
        labels: { file: files.file },
        value: expires_ms / 1000,
      })),
    );
  }

  get rules(): TlsRules {
    return this.#rules;
  }

  /** Goes over to other rules and files; sentences say what cannot be used, and then nothing changes. */
  configure(rules: TlsRules): readonly string[] {
    const loaded: Loaded[] = [];
    const errors: string[] = [];
    for (const [index, files] of rules.certificates.entries()) {
      const found = load(files, rules);
      if (typeof found === "string") errors.push(`certificate[${index}]: ${found}`);
      else loaded.push(found);
    }
    if (errors.length > 0) return errors;
    this.#rules = rules;
    this.#loaded = loaded;
    this.#problems.clear();
    this.#warn();
    this.#arm();
    this.onChange();
    return [];
  }

  /** For whoever names nobody. Null: there are none. */
  get default(): ServerContext | null {
    return this.#loaded[0]?.server ?? null;
  }

  /** For a server that picks by name itself; the first without one, for whoever asks for nobody. */
  get all(): readonly { readonly serverName: string; readonly context: ServerContext }[] {
    const [first] = this.#loaded;
    if (first === undefined) return [];
    const named = this.#loaded.flatMap(({ names, server }) =>
      names.map((serverName) => ({ serverName, context: server })),
    );
    return [{ serverName: "", context: first.server }, ...named];
  }

  /** For a peer that asks for this name, else the first. */
  contextFor(name: string): SecureContext | null {
    const fitting = this.#loaded.find(({ names }) => provesName(names, name));
    return (fitting ?? this.#loaded[0])?.context ?? null;
  }

  snapshot(): CertificateSnapshot[] {
    return this.#loaded.map(({ files, names, expires_ms }) => ({
      file: files.file,
      names,
      expires_ms,
      problem: this.#problems.get(files.file) ?? null,
    }));
  }

  close(): void {
    this.#look?.cancel();
    this.#look = null;
  }

  #arm(): void {
    this.#look?.cancel();
    this.#look = null;
    if (this.#loaded.length === 0) return;
    this.#look = this.#parts.clock.after(LOOK_MS, () => {
      this.#look = null;
      this.#readChanged();
      this.#warn();
      this.#arm();
    });
  }

  /** A renewal writes two files one after the other: until both fit, the old ones stay. */
  #readChanged(): void {
    let changed = false;
    this.#loaded = this.#loaded.map((old) => {
      const { files } = old;
      if (stampOf(files) === old.stamp && !this.#problems.has(files.file)) return old;
      const found = load(files, this.#rules);
      if (typeof found === "string") {
        if (this.#problems.get(files.file) !== found) {
          this.#failures.inc();
          this.#parts.log.error("certificate-not-reloaded", { file: files.file, why: found });
        }
        this.#problems.set(files.file, found);
        return old;
      }
      this.#problems.delete(files.file);
      if (found.stamp === old.stamp) return old;
      changed = true;
      this.#reloads.inc();
      this.#warned.delete(files.file);
      const until = new Date(found.expires_ms).toISOString();
      this.#parts.log.info("certificate-reloaded", { file: files.file, names: found.names.join(" "), until });
      return found;
    });
    if (changed) this.onChange();
  }

  #warn(): void {
    const now = this.#parts.clock.wall();
    for (const { files, expires_ms } of this.#loaded) {
      const left = expires_ms - now;
      const due = WARN_DAYS.findLast((days) => left < days * DAY_MS);
      if (due === undefined || (this.#warned.get(files.file) ?? Number.POSITIVE_INFINITY) <= due) continue;
      this.#warned.set(files.file, due);
      const until = new Date(expires_ms).toISOString();
      this.#parts.log.warn(left < 0 ? "certificate-expired" : "certificate-expires", {
        file: files.file,
        until,
      });
    }
  }
}

/** Changes whenever one of the files does. */
function stampOf({ file, key }: CertificateFiles): string {
  return [file, key]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? "gone" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    })
    .join(" ");
}

/** Reads and tries a certificate without using it; a sentence where it cannot be used. */
export function readCertificate(files: CertificateFiles, rules: TlsRules): CertificateFacts | string {
  return load(files, rules);
}

/** A sentence where it cannot be used. */
function load(files: CertificateFiles, rules: TlsRules): Loaded | string {
  const stamp = stampOf(files);
  const cert = read(files.file);
  if (cert === null) return `${files.file} cannot be read`;
  const key = read(files.key);
  if (key === null) return `${files.key} cannot be read`;
  const ca = rules.ca === null ? undefined : read(rules.ca);
  if (ca === null) return `tls.ca: ${rules.ca} cannot be read`;
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(cert);
  } catch {
    return `${files.file} holds no PEM certificate`;
  }
  const server: ServerContext = {
    cert,
    key,
    minVersion: rules.min_version === "1.3" ? "TLSv1.3" : "TLSv1.2",
    ...(ca !== undefined && { ca }),
    ...(rules.ciphers !== null && { ciphers: rules.ciphers }),
  };
  let context: SecureContext;
  try {
    context = createSecureContext(server);
  } catch (error) {
    return `${files.key}: ${keyProblem(error)}`;
  }
  const commonName = /(?:^|\n)CN=([^\n]+)/.exec(x509.subject)?.[1] ?? null;
  const names = sipNames(x509.subjectAltName ?? null, commonName);
  const [begins_ms, expires_ms] = [Date.parse(x509.validFrom), Date.parse(x509.validTo)];
  return { files, stamp, names, begins_ms, expires_ms, server, context };
}

function keyProblem(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (/mismatch/i.test(text)) return "it is not the key of the certificate";
  if (/cipher/i.test(text)) return "tls.ciphers names no cipher that there is";
  return "it holds no PEM private key without a password";
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
