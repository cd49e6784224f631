/**
 * Proof: docs/start.md, followed to the letter by somebody who has the executable and nothing else, leads to a call
 * between two phones. In a bare root folder and a network of its own; needs root. Prints how long each step took.
 *
 *     bun test ./test/proof/start-page.proof.ts
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { missing, Program } from "../support/process.ts";
import { furnish } from "./bare-root.ts";
import { inLonelyNetwork, lonelyNetworks } from "./lonely-network.ts";
import { executableOf, shellLines } from "./start-page.ts";

setDefaultTimeout(180_000);

const SOURCE = resolve(import.meta.dir, "../..");
const PAGE = readFileSync(join(SOURCE, "docs/start.md"), "utf8");
const STORY = "the start page";
const isPossible =
  process.arch === "x64" && !missing(STORY, "baresip", "sox", "chroot", "xz", "ip") && lonelyNetworks(STORY);

describe.skipIf(!isPossible)("the start page, by a newcomer", () => {
  const out = mkdtempSync(join(tmpdir(), "sipedge-start-"));
  const root = join(out, "root");
  const downloads = join(root, "download");
  const { version, target } = executableOf(PAGE) ?? { version: "", target: "" };
  const name = `sipedge-${version}-${target}`;

  beforeAll(() => {
    const argv = ["build.ts", "executables", "--no-xz", "--out", out, target];
    const built = spawnSync(process.execPath, argv, { cwd: SOURCE, encoding: "utf8" });
    if (built.status !== 0) throw new Error(`build.ts: ${built.stderr}`);
    furnish(root, join(out, name));
    mkdirSync(downloads);
    renameSync(join(out, name), join(downloads, name));
    expect(spawnSync("xz", ["-0", "--threads=2", join(downloads, name)]).status).toBe(0); // quickly packed
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  test("the root folder has a libc and the download, and the page names this version", () => {
    expect(version).toBe(manifest.version);
    const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
      statSync(join(root, path)).isFile(),
    );
    expect(files.filter((path) => !/\/(lib\w*|ld-linux[\w-]*)\.so[.\d]*$/.test(path))).toEqual([
      `download/${name}.xz`,
    ]);
  });

  test("its commands lead from the download to a call in which each hears the other", async () => {
    const run = join(import.meta.dir, "start-page-run.ts");
    const program = new Program(inLonelyNetwork(process.execPath, run, root));
    const code = await program.ended(170_000);
    const told = /^\[.*\]$/m.exec(program.output)?.[0];
    expect([code, told === undefined ? program.output : ""]).toEqual([0, ""]);
    const steps = JSON.parse(told!) as { step: string; seconds: number }[];
    const commands = steps.map(({ step }) => step).filter((step) => !step.startsWith("("));
    expect(commands).toEqual(shellLines(PAGE));
    expect(steps.map(({ step }) => step)).toContain("(201 calls 202, each hears the other)");
    let total = 0;
    for (const { step, seconds } of steps) {
      total += seconds;
      process.stderr.write(
        `${seconds.toFixed(1).padStart(6)} s, in all ${total.toFixed(1).padStart(5)} s  ${step}\n`,
      );
    }
  });
});
