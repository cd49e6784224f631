/**
 * The rules of the house, checked: which room may import from which, what only some rooms may touch,
 * and how long a file may be.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");
const SRC = join(ROOT, "src");

/** A room imports only from rows above its own, never from a sibling in its row. */
const ROWS: readonly (readonly string[])[] = [
  ["base"],
  ["message", "config"],
  ["transport", "transaction", "dns", "location", "nat", "media", "auth", "guard", "trace"],
  ["registrar", "proxy", "calls", "peers"],
  ["api"],
  ["app"],
  ["main.ts"],
];

interface SourceFile {
  readonly path: string;
  readonly room: string;
  readonly text: string;
}

const FILES: readonly SourceFile[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({
    path: `src/${name}`,
    room: name.split("/", 1)[0]!,
    text: readFileSync(join(SRC, name), "utf8"),
  }));

const rowOf = (room: string) => ROWS.findIndex((row) => row.includes(room));
const roomOf = (file: string) => relative(SRC, file).split("/", 1)[0]!;

/** The text without comments, so that prose about a banned call is no use of it. */
const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");

describe("rooms", () => {
  test("every folder of src is a room of the table", () => {
    expect(FILES.filter((file) => rowOf(file.room) < 0).map((file) => file.path)).toEqual([]);
  });

  test("a room imports only from rows above its own", () => {
    const wrong: string[] = [];
    for (const { path, room, text } of FILES) {
      for (const [, target] of text.matchAll(/from "(\.[^"]+\.ts)"/g)) {
        const other = roomOf(resolve(ROOT, path, "..", target!));
        if (other !== room && rowOf(other) >= rowOf(room)) wrong.push(`${path} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

/** What only some rooms may touch, and where. */
const BANNED: readonly { call: RegExp; allowed: (path: string) => boolean; why: string }[] = [
  {
    call: /\b(setTimeout|setInterval|setImmediate|Date\.now|performance\.now|Bun\.nanoseconds|Bun\.sleep)\b|new Date\(\)/,
    allowed: (path) => path === "src/base/clock.ts" || path.startsWith("src/api/page/client/"), // in a browser
    why: "time is an argument: use base/clock.ts",
  },
  {
    call: /\b(Math\.random|randomBytes|randomUUID|getRandomValues)\b/,
    allowed: (path) => path === "src/base/dice.ts",
    why: "randomness is an argument: use base/dice.ts",
  },
  {
    call: /\bprocess\.(?!memoryUsage|cpuUsage)/,
    allowed: (path) => path.startsWith("src/app/") || path === "src/main.ts",
    why: "the process belongs to app",
  },
  {
    call: /\bBun\.(udpSocket|listen|connect)\b|from "node:(net|dgram|tls)"/,
    allowed: (path) =>
      path.startsWith("src/transport/") ||
      ["src/dns/node-sockets.ts", "src/media/bun-sockets.ts"].includes(path),
    why: "sockets belong to transport, and to one file each of resolver and relay",
  },
  { call: /\bconsole\./, allowed: () => false, why: "log lines go through base/log.ts" },
  { call: /\b(TODO|FIXME|XXX)\b/, allowed: () => false, why: "no promises in the code" },
];

/** `net.isIP` and `BlockList` are arithmetic, not sockets. */
const ARITHMETIC = /import \{ (?:BlockList, )?isIP(?:v[46])? \} from "node:net";/g;

describe("banned calls", () => {
  for (const { call, allowed, why } of BANNED) {
    test(why, () => {
      const wrong = FILES.filter((file) => !allowed(file.path))
        .filter((file) => call.test(code(file.text).replace(ARITHMETIC, "")))
        .map((file) => file.path);
      expect(wrong).toEqual([]);
    });
  }
});

const LINES_MAX = 330;

test(`no file of src is longer than ${LINES_MAX} lines`, () => {
  const long = FILES.filter((file) => file.text.split("\n").length > LINES_MAX).map((file) => file.path);
  expect(long).toEqual([]);
});

test("every file says at its top what it is", () => {
  const silent = FILES.filter((file) => !/^(#!.*\n)?(import[^;]+;\n+)*\/\*\*/.test(file.text)).map(
    (file) => file.path,
  );
  expect(silent).toEqual([]);
});
