/**
 * Proof: what build.ts makes runs from an empty folder, takes nothing from a hostile one, and takes a
 * registration and a call, on x64 and, under qemu-user, on arm64. Musl builds run where musl's loader
 * and a libstdc++ made for it are. Needs the npm registry for the runtimes of foreign targets.
 *
 *     bun test ./test/proof/executables.proof.ts
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { Edge } from "../support/edge.ts";
import { isInstalled, Program } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(120_000);

const ROOT = resolve(import.meta.dir, "../..");
const EDGE = "127.0.0.2";
const TRUSTED = '[auth]\ntrusted_networks = ["127.0.0.0/8"]';
const ARM64_LIBC = "/usr/aarch64-linux-gnu";
const QEMU = "qemu-aarch64-static";
const isX64 = process.arch === "x64";

interface Subject {
  readonly target: string;
  /** What stands in front of the executable. */
  readonly emulator: readonly string[];
  /** Why it cannot be started here; null when it can. */
  readonly absent: string | null;
  /** The most the idle process may take; null under an emulator, which counts its own. */
  readonly rss_mb_max: number | null;
}

const SUBJECTS: readonly Subject[] = [
  { target: "linux-x64", emulator: [], absent: isX64 ? null : "no x64 machine", rss_mb_max: 120 },
  { target: "linux-x64-baseline", emulator: [], absent: isX64 ? null : "no x64 machine", rss_mb_max: 120 },
  {
    target: "linux-arm64",
    emulator: [QEMU, "-L", ARM64_LIBC],
    absent:
      isInstalled(QEMU) && existsSync(join(ARM64_LIBC, "lib/libc.so.6"))
        ? null
        : "needs qemu-user-static and libc6-arm64-cross",
    rss_mb_max: null,
  },
  { target: "linux-x64-musl", emulator: [], absent: muslAbsence("x86_64"), rss_mb_max: 120 },
  { target: "linux-arm64-musl", emulator: [], absent: muslAbsence("aarch64"), rss_mb_max: 120 },
];

/** Debian has musl but no libstdc++ for it: only a musl system (Alpine, OpenWrt) starts these. */
function muslAbsence(machine: string): string | null {
  const loader = `/lib/ld-musl-${machine}.so.1`;
  if (existsSync(loader) && existsSync("/etc/alpine-release")) return null;
  return "needs a musl system with libstdc++; only its file is looked at";
}

const out = mkdtempSync(join(tmpdir(), "sipedge-dist-"));
const executable = (target: string) => join(out, `sipedge-${manifest.version}-${target}`);

/** Every `.env` value and the preload of a bunfig.toml here would show in the folder or break the run. */
function hostileFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-hostile-"));
  chmodSync(dir, 0o777);
  const trap = `require("node:fs").writeFileSync(${JSON.stringify(join(dir, "preloaded"))}, "yes");\n`;
  writeFileSync(join(dir, "trap.js"), trap);
  writeFileSync(join(dir, "bunfig.toml"), 'preload = ["./trap.js"]\n');
  writeFileSync(join(dir, "package.json"), '{"type": "commonjs", "main": "./trap.js"}\n');
  writeFileSync(join(dir, ".env"), `STATE_DIRECTORY=${join(dir, "taken")}\nNODE_ENV=development\n`);
  return dir;
}

const hostile = hostileFolder();

/** Whoever may not write to /var/lib: root's data would go there, whatever .env says. */
const NOBODY =
  process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

beforeAll(() => {
  chmodSync(out, 0o755);
  const argv = ["build.ts", "executables", "--no-xz", "--out", out];
  const built = spawnSync(process.execPath, argv, { cwd: ROOT, encoding: "utf8" });
  if (built.status !== 0) throw new Error(`build.ts: ${built.stderr}${built.stdout}`);
  process.stderr.write(built.stdout);
});
afterAll(() => {
  rmSync(out, { recursive: true, force: true });
  rmSync(hostile, { recursive: true, force: true });
});

test("the hostile folder bites whoever obeys it", () => {
  const program = 'if (!process.env.STATE_DIRECTORY?.endsWith("taken")) process.exit(1)';
  const run = spawnSync(process.execPath, ["-e", program], { cwd: hostile });
  expect(run.status).toBe(0);
  expect(existsSync(join(hostile, "preloaded"))).toBe(true);
  rmSync(join(hostile, "preloaded"));
});

test("each target has its executable, and SHA256SUMS fits", () => {
  const names = readdirSync(out).filter((name) => name !== "SHA256SUMS");
  expect(names.sort()).toEqual(SUBJECTS.map(({ target }) => `sipedge-${manifest.version}-${target}`).sort());
  const check = spawnSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: out });
  expect(check.status).toBe(0);
  for (const name of names) expect(statSync(join(out, name)).mode & 0o777).toBe(0o755);
});

/** ELF: machine at 18 (62 x64, 183 arm64); the loader's path tells the libc. */
test("each is for the machine and the libc its name says", () => {
  for (const { target } of SUBJECTS) {
    const head = readFileSync(executable(target)).subarray(0, 4096);
    expect(head.readUInt16LE(18)).toBe(target.includes("arm64") ? 183 : 62);
    expect(head.includes("ld-musl-")).toBe(target.includes("musl"));
  }
});

for (const { target, emulator, absent, rss_mb_max } of SUBJECTS) {
  if (absent !== null) process.stderr.write(`skipped: starting ${target} (${absent})\n`);
  describe.skipIf(absent !== null)(`ARC-50 executable ${target}`, () => {
    const dir = hostile;
    const command = [...emulator, executable(target)];

    test("tells version and commit", async () => {
      const program = new Program([...command, "version"], { cwd: dir });
      expect(await program.ended()).toBe(0);
      expect(program.output).toMatch(/^sipedge \d+\.\d+\.\d+ \([0-9a-f]{12}(-changed)?\), Bun \d/);
    });

    test("takes nothing from .env and bunfig.toml, takes a registration and a call", async () => {
      const edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED, command, cwd: dir });
      const ann = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
      const ben = await UdpPhone.open("127.0.0.82", [EDGE, edge.port]);
      try {
        expect(await registerOpenly(ben, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");
        await wholeCall(ann, ben, "ben", edge.hostPort);
        const { memory } = await edge.get<{ memory: { rss_bytes: number } }>("/v1/status");
        if (rss_mb_max !== null)
          process.stderr.write(`${target}: ${Math.round(memory.rss_bytes / 1e6)} MB resident after a call\n`);
        expect(memory.rss_bytes / 1e6).toBeLessThan(rss_mb_max ?? Number.POSITIVE_INFINITY);
        expect(existsSync(join(dir, "preloaded"))).toBe(false);
        expect(existsSync(join(dir, "taken"))).toBe(false);
      } finally {
        ann.close();
        ben.close();
        expect(await edge.stop()).toBe(0);
      }
    });

    test("without data_dir, .env does not say where the data lies", async () => {
      const home = mkdtempSync(join(tmpdir(), "sipedge-home-"));
      chmodSync(home, 0o777);
      try {
        const argv = [...NOBODY, ...command, "user", "list"];
        const program = new Program(argv, { cwd: dir, env: { HOME: home, XDG_STATE_HOME: home } });
        expect(await program.ended()).toBe(0);
        expect(existsSync(join(home, "sipedge/sipedge.db"))).toBe(true);
        expect(existsSync(join(dir, "taken"))).toBe(false);
      } finally {
        rmSync(home, { recursive: true, force: true });
      }
    });
  });
}
