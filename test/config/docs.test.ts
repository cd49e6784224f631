import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exampleToml } from "../../src/config/example.ts";
import { SECTIONS } from "../../src/config/facts.ts";
import { defaultConfig } from "../../src/config/load.ts";
import { configurationPage } from "../../src/config/reference.ts";
import { configOf } from "./support.ts";

const ROOT = resolve(import.meta.dir, "../..");
const FILES = {
  "/etc/sipedge/token": "a-token-of-some-length",
  "/etc/sipedge/read-token": "another-token-of-some-length",
  "/etc/sipedge/alice.password": "wonderland",
  "/etc/sipedge/webhook-token": "hook",
  "/etc/sipedge/hep-password": "hep",
};

/** The text with every key and section that is switched off switched on. */
const allOn = (toml: string) => toml.replace(/^#(?=[a-z_0-9]+ = |\[)/gm, "");

describe("the example", () => {
  test("is what runs without a file", () => {
    expect(configOf(exampleToml())).toEqual(defaultConfig());
  });

  test("loads with every key switched on", () => {
    const config = configOf(allOn(exampleToml()), FILES);
    expect(config.user.map(({ name }) => name)).toEqual(["alice", "bob"]);
    expect(config.http.token).toBe("a-token-of-some-length");
    expect(config.listen.at(-1)?.advertise).toBe("203.0.113.5:5060");
    expect(config).toMatchObject({ timers: defaultConfig().timers, limits: defaultConfig().limits });
  });

  test("has every key once switched on or off, beside its explanation", () => {
    const toml = exampleToml();
    for (const { name, keys } of SECTIONS) {
      const from = name === null ? 0 : toml.search(new RegExp(`^#?\\[+${name}\\]`, "m"));
      expect(from).toBeGreaterThanOrEqual(0);
      for (const key of keys) expect(toml.slice(from)).toMatch(new RegExp(`^# .*\\n#?${key.name} = `, "m"));
    }
  });

  test("starts with some twenty lines", () => {
    const active = exampleToml()
      .split("\n")
      .filter((line) => /^[a-z_]+ = /.test(line));
    expect(active.length).toBeGreaterThan(10);
    expect(active.length).toBeLessThanOrEqual(20);
  });

  test("has no long line", () => {
    expect(
      exampleToml()
        .split("\n")
        .filter((line) => line.length > 110),
    ).toEqual([]);
  });
});

describe("the reference", () => {
  test("has a row of five cells for each key, under its section", () => {
    const page = configurationPage();
    for (const { name, keys, many } of SECTIONS) {
      const title = name === null ? "Above the first section" : many ? `\`[[${name}]]\`` : `\`[${name}]\``;
      const section = page.split(`## ${title}\n`)[1]!.split("\n## ")[0]!;
      const rows = section.split("\n").filter((line) => line.startsWith("| `"));
      expect(rows.map((row) => /^\| `(\w+)`/.exec(row)?.[1])).toEqual(keys.map((key) => key.name));
      for (const row of rows) expect(row.split(/(?<!\\)\|/)).toHaveLength(7);
    }
  });
});

describe("bun build.ts docs", () => {
  const tree = mkdtempSync(join(tmpdir(), "sipedge-docs-"));
  cpSync(join(ROOT, "build.ts"), join(tree, "build.ts"));
  cpSync(join(ROOT, "package.json"), join(tree, "package.json"));
  symlinkSync(join(ROOT, "src"), join(tree, "src"));
  symlinkSync(join(ROOT, "test"), join(tree, "test"));
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  afterAll(() => rmSync(tree, { recursive: true }));

  const run = (...words: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, "build.ts", ...words], { cwd: tree });
    return { exitCode, stderr: stderr.toString() };
  };

  test("--check names each page that is missing", () => {
    const { exitCode, stderr } = run("docs", "--check");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("config/sipedge.toml is not up to date; run: bun build.ts docs\n");
    expect(stderr).toContain("docs/configuration.md is not up to date; run: bun build.ts docs\n");
  });

  test("writes them, and --check is content", () => {
    expect(run("docs").exitCode).toBe(0);
    expect(readFileSync(join(tree, "config/sipedge.toml"), "utf8")).toBe(exampleToml());
    expect(readFileSync(join(tree, "docs/configuration.md"), "utf8")).toBe(configurationPage());
    expect(run("docs", "--check")).toEqual({ exitCode: 0, stderr: "" });
  });

  test("--check names the page somebody changed", () => {
    run("docs");
    writeFileSync(join(tree, "config/sipedge.toml"), `${exampleToml()}\n`);
    expect(run("docs", "--check")).toEqual({
      exitCode: 1,
      stderr: "config/sipedge.toml is not up to date; run: bun build.ts docs\n",
    });
  });

  test("other words are refused", () => {
    for (const words of [[], ["dosc"], ["docs", "--chekc"], ["toString"]])
      expect(run(...words).exitCode).toBe(2);
  });
});
