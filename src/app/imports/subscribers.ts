/** A dump of Kamailio's subscriber table: SQL inserts (mysqldump, sqlite3 .dump) or a dbtext file. */
import type { ImportedUser } from "./imported.ts";
import { USERS_MAX } from "./imported.ts";

/** The order of Kamailio's own table, for inserts that name no columns. */
const COLUMNS = ["id", "username", "domain", "password", "ha1", "ha1b"];
const HA1 = /^[0-9a-f]{32}$/i;

/** Rows that are no account, or beyond USERS_MAX, are counted in `unread`. */
export function subscribersOf(text: string): { users: ImportedUser[]; unread: number } {
  const rows = /^\s*INSERT\s+INTO/im.test(text) ? sqlRows(text) : dbtextRows(text);
  const users = new Map<string, ImportedUser>();
  let unread = 0;
  for (const row of rows) {
    const { username: name = "", domain: realm = "", password = "", ha1 = "" } = row;
    const hash = HA1.test(ha1) ? ha1.toLowerCase() : null;
    const key = `${name}@${realm}`;
    if (name === "" || realm === "" || (password === "" && hash === null) || users.size >= USERS_MAX)
      unread++;
    else users.set(key, { name, realm, password: password === "" ? null : password, ha1: hash });
  }
  return { users: [...users.values()], unread };
}

type Row = Readonly<Record<string, string>>;

const INSERT = /INSERT\s+INTO\s+[`"]?subscriber[`"]?\s*(?:\(([^)]*)\))?\s*VALUES\s*/gi;

function sqlRows(text: string): Row[] {
  const rows: Row[] = [];
  for (const match of text.matchAll(INSERT)) {
    const names = match[1]?.split(",").map((name) => name.replace(/[`"\s]/g, "")) ?? COLUMNS;
    for (const values of tuples(text, match.index + match[0].length))
      rows.push(Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""])));
  }
  return rows;
}

/** `(1,'a','b'),(2,…);` from `start` on; a quote is doubled or follows a backslash. */
function* tuples(text: string, start: number): Generator<string[]> {
  let values: string[] | null = null;
  let value = "";
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === "'") {
      const quote = quotedValue(text, at + 1);
      value += quote.value;
      at = quote.end;
    } else if (values === null) {
      if (char === "(") values = [];
      else if (char === ";") return;
    } else if (char === "," || char === ")") {
      values.push(value.trim() === "NULL" ? "" : value.trim());
      value = "";
      if (char === ")") {
        yield values;
        values = null;
      }
    } else value += char;
  }
}

/** `end`: where the closing quote is, or the end of the text. */
function quotedValue(text: string, start: number): { value: string; end: number } {
  let value = "";
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at]!;
    if (char === "\\" || (char === "'" && text[at + 1] === "'")) value += text[++at] ?? "";
    else if (char === "'") break;
    else value += char;
  }
  return { value, end: at };
}

/** `id(int,auto) username(string) …`, then `1:alice:example.test:…`, a colon in a value behind a backslash. */
function dbtextRows(text: string): Row[] {
  const [head = "", ...lines] = text.split(/\r?\n/);
  const names = head.split(/\s+/).map((column) => column.replace(/\(.*$/, ""));
  if (!names.includes("username")) return [];
  return lines
    .filter((line) => line !== "")
    .map((line) => {
      const values = (line.match(/(?:^|:)((?:\\.|[^:\\])*)/g) ?? []).map((cell) => cell.replace(/^:/, ""));
      return Object.fromEntries(names.map((name, i) => [name, (values[i] ?? "").replace(/\\(.)/g, "$1")]));
    });
}
