/**
 * The pages, checked: links and anchors lead somewhere, TOML is a configuration without mistakes, commands,
 * flags, metrics and routes exist, and every page is reached from the README.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseConfig } from "../../src/config/load.ts";

const ROOT = resolve(import.meta.dir, "../..");

interface Block {
  readonly language: string;
  readonly text: string;
  /** Of its first line in the page. */
  readonly line: number;
}

interface Page {
  /** From the top of the source tree. */
  readonly path: string;
  /** Without what stands in code blocks. */
  readonly prose: string;
  readonly blocks: readonly Block[];
}

function pageOf(path: string): Page {
  const prose: string[] = [];
  const blocks: Block[] = [];
  let open: { indent: number; language: string; lines: string[]; line: number } | null = null;
  for (const [i, line] of readFileSync(join(ROOT, path), "utf8").split("\n").entries()) {
    const [, indent, language] = /^( *)```(\w*)$/.exec(line) ?? [];
    if (language === undefined) {
      if (open === null) prose.push(line);
      else open.lines.push(line.slice(Math.min(open.indent, line.search(/\S|$/))));
    } else if (open === null) open = { indent: indent!.length, language, lines: [], line: i + 2 };
    else {
      blocks.push({ language: open.language, text: open.lines.join("\n"), line: open.line });
      open = null;
    }
  }
  if (open !== null) throw new Error(`${path}:${open.line}: a code block without an end`);
  return { path, prose: prose.join("\n"), blocks };
}

const DOCS = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" }).map(
  (name) => `docs/${name}`,
);
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...DOCS.filter((path) => path.endsWith(".md")),
].map(pageOf);

/** GitHub's anchors: lower case, no punctuation, spaces as hyphens; the same again gets -1, -2 … */
function anchorsOf({ prose }: Page): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading] of prose.matchAll(/^#+ +(.*?) *#*$/gm)) {
    const shown = heading!.replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1");
    const slug = shown
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let anchor = slug;
    for (let again = 1; anchors.has(anchor); again++) anchor = `${slug}-${again}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Where the links of a page lead within the tree: path from the top, and the anchor. */
function linksOf({ path, prose }: Page): { to: string; anchor: string | null }[] {
  const plain = prose.replace(/`[^`\n]*`/g, "``");
  const links = [...plain.matchAll(/(?:\]\(\s*<?|<img src=")([^)\s>"]+)/g)].map(([, target]) => target!);
  return links
    .filter((target) => !/^[a-z]+:/i.test(target))
    .map((target) => {
      const [file = "", anchor = null] = target.split("#");
      const to = file === "" ? path : relative(ROOT, resolve(ROOT, dirname(path), decodeURIComponent(file)));
      return { to, anchor };
    });
}

describe("links", () => {
  const anchors = new Map(PAGES.map((page) => [page.path, anchorsOf(page)]));

  test("every relative link and anchor leads somewhere", () => {
    const dead: string[] = [];
    for (const page of PAGES)
      for (const { to, anchor } of linksOf(page)) {
        if (!existsSync(join(ROOT, to))) dead.push(`${page.path}: no ${to}`);
        else if (anchor !== null && !anchors.get(to)?.has(anchor))
          dead.push(`${page.path}: no ${to}#${anchor}`);
      }
    expect(dead).toEqual([]);
  });

  test("every page and picture of docs is reached from the README", () => {
    const reached = new Set(["README.md"]);
    const reach = (to: string): void => {
      if (reached.has(to) || !existsSync(join(ROOT, to))) return;
      reached.add(to);
      if (statSync(join(ROOT, to)).isDirectory())
        for (const name of readdirSync(join(ROOT, to))) reach(`${to}/${name}`);
    };
    // A Set's loop sees what is added to it meanwhile.
    for (const path of reached)
      for (const page of PAGES) if (page.path === path) for (const { to } of linksOf(page)) reach(to);
    expect(DOCS.filter((path) => /\.(md|svg|png)$/.test(path) && !reached.has(path))).toEqual([]);
  });
});

/** In place of each file and variable a page names: long enough for a token, and 32 hex digits for a hash. */
const SECRET = "0123456789abcdef0123456789abcdef";

describe("TOML", () => {
  test("every block is, beside the defaults, a configuration without mistakes", () => {
    const places = { readFile: () => SECRET, readVariable: () => SECRET };
    const mistakes: string[] = [];
    let seen = 0;
    for (const { path, blocks } of PAGES)
      for (const { text, line } of blocks.filter(({ language }) => language === "toml")) {
        seen++;
        const parsed = parseConfig(text, places);
        const errors = "errors" in parsed ? parsed.errors : [];
        for (const { path: key, found, allowed, line: at } of errors)
          mistakes.push(`${path}:${line + (at ?? 1) - 1}: ${key}: ${found}; ${allowed}`);
      }
    expect(mistakes).toEqual([]);
    expect(seen).toBeGreaterThan(15);
  });
});

interface Usage {
  readonly flags: ReadonlySet<string>;
  /** What its first word may be; null: anything. */
  readonly firstWords: readonly string[] | null;
}

/** By what `sipedge help` prints: its lines `sipedge COMMAND WORDS`. */
function usages(): ReadonlyMap<string, Usage> {
  const { stdout } = Bun.spawnSync([process.execPath, join(ROOT, "src/main.ts"), "help"]);
  const lines = stdout.toString().matchAll(/^ {2}sipedge ([a-z-]+) ?(.*)$/gm);
  return new Map(
    [...lines].map(([, name, words]) => {
      const flags = new Set([...words!.matchAll(/--[a-z-]+/g)].map(([flag]) => flag));
      const choices = words!.replace(/\[--.*?\]/g, "").match(/^\[?([a-z|]+)\b|\| *([a-z]+)/g);
      const firstWords = /^\[?[a-z]/.test(words!) ? choices!.join("|").match(/[a-z]+/g)! : null;
      return [name!, { flags, firstWords }];
    }),
  );
}

const AS_COMMAND =
  /(?:^|[|;&(]\s*|\bsudo |\bexec )(?:npm run (?:--silent )?sipedge --|npx bun src\/main\.ts|bun src\/main\.ts|sipedge) +([a-z].*)$/;

/** The words behind `sipedge` in the lines of a shell, up to a pipe, a redirection or a comment. */
function invocationsOf(lines: readonly string[]): string[][] {
  return lines
    .map((line) => AS_COMMAND.exec(line.trim())?.[1])
    .filter((rest) => rest !== undefined)
    .map((rest) =>
      rest
        .split(/\s+[|>&#;]|\s+2>|;/)[0]!
        .trim()
        .split(/\s+/),
    );
}

/** What is wrong with the words of a command line; null: nothing. */
function wrongWords(
  known: ReadonlyMap<string, Usage>,
  [name = "", ...words]: readonly string[],
): string | null {
  const usage = known.get(name);
  if (usage === undefined) return `there is no sipedge ${name}`;
  const flag = words.find((word) => word.startsWith("--") && !usage.flags.has(word.split("=")[0]!));
  if (flag !== undefined) return `sipedge ${name} has no ${flag}`;
  const [first] = words;
  if (
    usage.firstWords === null ||
    first === undefined ||
    first.startsWith("-") ||
    usage.firstWords.includes(first)
  )
    return null;
  return `sipedge ${name} takes no ${first}`;
}

describe("commands", () => {
  const known = usages();

  test("help is read rightly: a wrong command, flag and word are found, right ones are not", () => {
    const told = [
      "sirve",
      "status --pcap x",
      "user invite bob",
      "user list --domain x",
      "import kamailio x",
      "trace",
    ].map((line) => wrongWords(known, line.split(" ")));
    expect(told).toEqual([
      "there is no sipedge sirve",
      "sipedge status has no --pcap",
      "sipedge user takes no invite",
      null,
      null,
      null,
    ]);
  });

  test("every sipedge command in a page exists, with its flags", () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const { path, prose, blocks } of PAGES) {
      const shell = blocks
        .filter(({ language }) => language === "sh")
        .flatMap(({ text }) => text.replaceAll("\\\n", " ").split("\n"));
      const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
      for (const words of invocationsOf([...shell, ...inline])) {
        seen++;
        const why = wrongWords(known, words);
        if (why !== null) wrong.push(`${path}: ${why}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(40);
  });
});

/** Everything a page says, code and all. */
const wholeText = ({ prose, blocks }: Page): string =>
  [prose, ...blocks.map(({ text }) => text)].join("\n").replace(/\\\n\s*/g, " ");

describe("other commands and the API", () => {
  test("every npm script, word of build.ts and path of a test exists", () => {
    const scripts = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts as object;
    const builds = readFileSync(join(ROOT, "build.ts"), "utf8");
    const tests = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" }).map(
      (name) => `test/${name}`,
    );
    const wrong: string[] = [];
    for (const page of PAGES) {
      const text = wholeText(page);
      for (const [, script] of text.matchAll(/\bnpm run (?:--\S+ )*([a-z][\w:-]*)/g))
        if (!Object.hasOwn(scripts, script!)) wrong.push(`${page.path}: npm run ${script}`);
      for (const [, word] of text.matchAll(/\bbun build\.ts ([a-z]+)/g))
        if (!builds.includes(`bun build.ts ${word}`)) wrong.push(`${page.path}: bun build.ts ${word}`);
      for (const [, path] of text.matchAll(
        /\bbun test (?:--[a-z]+ \d+ )*(?:\.\/)?(test\/[a-z\d./-]+)(?![A-Z])/g,
      ))
        if (!tests.some((name) => name.startsWith(path!))) wrong.push(`${page.path}: bun test ${path}`);
    }
    expect(wrong).toEqual([]);
  });

  test("every path of the API that a page names is one of its routes", () => {
    const { paths } = JSON.parse(readFileSync(join(ROOT, "docs/api/openapi.json"), "utf8")) as {
      paths: object;
    };
    const routes = Object.keys(paths).map(
      (path) => new RegExp(`^${path.replaceAll(".", "\\.").replace(/\{\w+\}/g, "[^/]+")}$`),
    );
    const unknown: string[] = [];
    for (const page of PAGES)
      for (const [path] of wholeText(page).matchAll(/\/v1\/[\w{}%/-]+(?:\.[\w{}%/-]+)*/g))
        if (!routes.some((route) => route.test(path))) unknown.push(`${page.path}: ${path}`);
    expect(unknown).toEqual([]);
  });
});

describe("metrics", () => {
  test("every sipedge_… that a page names is one that the source has", () => {
    const source = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(ROOT, "src", name), "utf8"))
      .join("\n");
    const registered = new Set([...source.matchAll(/"(sipedge_[a-z0-9_]+)"/g)].map(([, name]) => name));
    const unknown: string[] = [];
    for (const page of PAGES)
      for (const [, name] of wholeText(page).matchAll(/\b(sipedge_[a-z]\w*)/g))
        if (!registered.has(name)) unknown.push(`${page.path}: ${name}`);
    expect(unknown).toEqual([]);
  });
});
