/** A certificate authority of the test's own, made with openssl. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface CertificateOptions {
  /** `DNS:…`, `URI:…`, `IP:…`. */
  readonly names: readonly string[];
  readonly days?: number;
  /** Signed by itself in place of the authority. */
  readonly isOwn?: boolean;
}

/** PEM files. */
export interface KeyPair {
  readonly file: string;
  readonly key: string;
}

export class Authority implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "sipedge-ca-"));
  readonly file = join(this.dir, "ca.pem");
  readonly #key = join(this.dir, "ca.key");

  constructor() {
    run(
      ...["req", "-x509", ...NEW_KEY, "-keyout", this.#key, "-out", this.file, "-days", "30"],
      ...["-subj", "/CN=sipedge test authority", "-addext", "basicConstraints=critical,CA:TRUE"],
    );
  }

  /** A certificate in files of that name; those there are replaced, the key first. */
  issue(name: string, { names, days = 30, isOwn = false }: CertificateOptions): KeyPair {
    const [file, key, extensions] = ["pem", "key", "ext"].map((end) => join(this.dir, `${name}.${end}`));
    writeFileSync(extensions!, `subjectAltName=${names.join(",")}\nbasicConstraints=CA:FALSE\n`);
    const request = join(this.dir, `${name}.csr`);
    run("req", ...NEW_KEY, "-keyout", key!, "-out", request, "-subj", `/CN=${name}`);
    const signer = isOwn ? ["-signkey", key!] : ["-CA", this.file, "-CAkey", this.#key, "-CAcreateserial"];
    run(
      "x509",
      "-req",
      "-in",
      request,
      ...signer,
      "-days",
      `${days}`,
      "-extfile",
      extensions!,
      "-out",
      file!,
    );
    return { file: file!, key: key! };
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function run(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args]);
  if (exitCode !== 0) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`);
}
