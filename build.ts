#!/usr/bin/env bun
/**
 * What is made from the source: the generated pages (`docs`), the executables (`executables`) and the
 * Debian packages around them (`packages`). `docs --check` fails when a page is not up to date.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import manifest from "./package.json" with { type: "json" };
import { openapiText } from "./src/api/openapi.ts";
import { exampleToml } from "./src/config/example.ts";
import { configurationPage } from "./src/config/reference.ts";
import { conformancePage } from "./test/support/conformance.ts";

interface Page {
  /** From the top of the source tree. */
  readonly path: string;
  /** The same text at each call. */
  readonly text: () => string;
}

const PAGES: readonly Page[] = [
  { path: "config/sipedge.toml", text: exampleToml },
  { path: "docs/configuration.md", text: configurationPage },
  { path: "docs/api/openapi.json", text: openapiText },
  { path: "docs/conformance.md", text: conformancePage },
];

/** Each returns the exit code. */
const COMMANDS: Readonly<Record<string, (options: readonly string[]) => number | Promise<number>>> = {
  docs,
  executables,
  packages,
};

function docs(options: readonly string[]): number {
  const isCheck = options.length === 1 && options[0] === "--check";
  if (options.length > 0 && !isCheck) return usage();
  return isCheck ? checkPages() : writePages();
}

function writePages(): number {
  for (const { path, text } of PAGES) {
    const isCurrent = onDisk(path) === text();
    if (!isCurrent) write(join(import.meta.dir, path), text());
    process.stdout.write(`${path}: ${isCurrent ? "unchanged" : "written"}\n`);
  }
  return 0;
}

function checkPages(): number {
  const stale = PAGES.filter(({ path, text }) => onDisk(path) !== text());
  for (const { path } of stale) process.stderr.write(`${path} is not up to date; run: bun build.ts docs\n`);
  return stale.length === 0 ? 0 : 1;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Null: the page is not there. */
function onDisk(path: string): string | null {
  try {
    return readFileSync(join(import.meta.dir, path), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/** Bun's names for what we build for, and the Debian architecture of those that get a package. */
const TARGETS: Readonly<Record<string, { readonly debian?: string }>> = {
  "linux-x64": {},
  "linux-x64-baseline": { debian: "amd64" }, // runs on every x64 processor; the other wants AVX2
  "linux-x64-musl": {},
  "linux-arm64": { debian: "arm64" },
  "linux-arm64-musl": {},
};
const SUMS = "SHA256SUMS";

interface Order {
  readonly out: string;
  readonly targets: readonly string[];
  /** False: no `.xz` beside each, which takes most of the time. */
  readonly compressed: boolean;
}

/** Null: wrong words. */
function orderOf(options: readonly string[]): Order | null {
  const at = options.indexOf("--out");
  const out = at < 0 ? "dist" : options[at + 1];
  const words = options.filter((_, i) => at < 0 || (i !== at && i !== at + 1));
  const targets = words.filter((word) => word !== "--no-xz");
  if (out === undefined || targets.some((target) => !Object.hasOwn(TARGETS, target))) return null;
  return {
    out: resolve(out),
    targets: targets.length > 0 ? targets : Object.keys(TARGETS),
    compressed: targets.length === words.length,
  };
}

/** Bun fetches the runtime of a foreign target from the npm registry, once, and checks it. */
function executables(options: readonly string[]): number {
  const order = orderOf(options);
  if (order === null) return usage();
  mkdirSync(order.out, { recursive: true });
  const commit = commitOf();
  for (const target of order.targets) {
    const file = executableOf(order, target);
    compile(target, file, commit);
    if (order.compressed) run(["xz", "--keep", "--force", "-6", "--threads=2", file]);
    const xz = order.compressed ? `, ${megabytes(`${file}.xz`)} as .xz` : "";
    process.stdout.write(`${basename(file)}: ${megabytes(file)}${xz}\n`);
  }
  writeSums(order.out);
  return 0;
}

const executableOf = ({ out }: Order, target: string): string =>
  join(out, `sipedge-${manifest.version}-${target}`);

/** Whole or not at all: an executable that is being run may be replaced, but not written to. */
function compile(target: string, file: string, commit: string): void {
  const made = `${file}.new`;
  run([
    process.execPath,
    "build",
    "--compile",
    `--target=bun-${target}`,
    "--production", // else NODE_ENV is "development" for good
    "--sourcemap", // file and line in what a crash says
    // Without these, a .env or the preload of a bunfig.toml where it is started would run inside it.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    `--define=SIPEDGE_COMMIT=${JSON.stringify(commit)}`,
    `--outfile=${made}`,
    "src/main.ts",
  ]);
  rmSync(`${made}.map`, { force: true }); // the same map is inside
  chmodSync(made, 0o755);
  renameSync(made, file);
}

/** The commit, with a mark when the tree has changes. A tree without git gives it by SIPEDGE_COMMIT. */
function commitOf(): string {
  const given = process.env.SIPEDGE_COMMIT;
  if (given) return given;
  try {
    const changes = run(["git", "status", "--porcelain", "--untracked-files=no"]);
    return run(["git", "rev-parse", "--short=12", "HEAD"]).trim() + (changes === "" ? "" : "-changed");
  } catch {
    return "unknown";
  }
}

/** For `sha256sum --check`: of everything that lies there. */
function writeSums(out: string): void {
  const names = readdirSync(out).filter((name) => /^sipedge[-_]/.test(name) && !name.endsWith(".new"));
  const lines = names.sort().map((name) => {
    const sum = new Bun.CryptoHasher("sha256").update(readFileSync(join(out, name))).digest("hex");
    return `${sum}  ${name}\n`;
  });
  writeFileSync(join(out, SUMS), lines.join(""));
}

/** Debian packages of the executables that `executables` has made; needs `dpkg-deb`. */
function packages(options: readonly string[]): number {
  const order = orderOf(options);
  if (order === null) return usage();
  for (const target of order.targets) {
    const debian = TARGETS[target]?.debian;
    if (debian !== undefined) debianPackage(order, target, debian);
  }
  writeSums(order.out);
  return 0;
}

/** Where the files of the package go, from the top of the source tree. */
const PACKAGED: readonly (readonly [from: string, to: string])[] = [
  ["config/systemd/sipedge.service", "lib/systemd/system/sipedge.service"],
  ["config/sipedge.toml", "usr/share/doc/sipedge/examples/sipedge.toml"],
  ["docs/install.md", "usr/share/doc/sipedge/install.md"],
  ["LICENSE", "usr/share/doc/sipedge/copyright"],
];

function debianPackage(order: Order, target: string, architecture: string): void {
  const root = mkdtempSync(join(tmpdir(), "sipedge-deb-"));
  try {
    chmodSync(root, 0o755);
    const executable = executableOf(order, target);
    place(executable, join(root, "usr/bin/sipedge"), 0o755);
    for (const [from, to] of PACKAGED) place(join(import.meta.dir, from), join(root, to), 0o644);
    for (const script of ["postinst", "prerm", "postrm"])
      place(join(import.meta.dir, "config/debian", script), join(root, "DEBIAN", script), 0o755);
    write(join(root, "DEBIAN/control"), controlText(architecture, statSync(executable).size));
    const file = join(order.out, `sipedge_${manifest.version}_${architecture}.deb`);
    const how = order.compressed ? ["-Zxz", "-z6"] : ["-Znone"];
    run(["dpkg-deb", "--root-owner-group", ...how, "--build", root, file]);
    process.stdout.write(`${basename(file)}: ${megabytes(file)}\n`);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function controlText(architecture: string, bytes: number): string {
  const text = readFileSync(join(import.meta.dir, "config/debian/control"), "utf8");
  return text
    .replace("@version@", manifest.version)
    .replace("@architecture@", architecture)
    .replace("@installed_kb@", String(Math.ceil(bytes / 1024)));
}

function place(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

/** What the program printed. Throws what it complained about. */
function run(argv: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv, { cwd: import.meta.dir, stdin: "ignore" });
  if (exitCode !== 0) throw new Error(`${argv[0]} ended with ${exitCode}:\n${stderr}${stdout}`);
  return stdout.toString();
}

const megabytes = (file: string): string => `${(statSync(file).size / 1e6).toFixed(1)} MB`;

function usage(): number {
  process.stderr.write(
    "Usage: bun build.ts docs [--check]\n" +
      "       bun build.ts executables [--out DIR] [--no-xz] [TARGET...]\n" +
      "       bun build.ts packages [--out DIR] [--no-xz] [TARGET...]\n" +
      `Targets: ${Object.keys(TARGETS).join(", ")}\n`,
  );
  return 2;
}

const [name = "", ...options] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
process.exitCode = command === undefined ? usage() : await command(options);
