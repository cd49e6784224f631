/**
 * What is wrong with a parsed document, key by key: unknown keys, values the schema refuses, and
 * secrets that are not where the configuration says. A secret's value is never part of what is told.
 */
import type * as v from "valibot";
import type { Node } from "./facts.ts";
import { isTable, maskAt, metaOf, nodeAt, SECTIONS, walk } from "./facts.ts";
import type { KeyPath } from "./key-path.ts";
import { keyText, setAt } from "./key-path.ts";
import { nearest } from "./nearest.ts";
import { ConfigSchema } from "./schema.ts";

/** A mistake by its path; its place in the file is looked up later. */
export interface Mistake {
  readonly path: KeyPath;
  readonly found: string;
  readonly allowed: string;
  readonly suggestion: string | null;
}

export const HIDDEN = "********";
export const NOTHING = "nothing";
const FOUND_CHARS_MAX = 80;

/** Every key the schema does not know, and every value that should be a table and is none. */
export function strangers(document: unknown): Mistake[] {
  const mistakes: Mistake[] = [];
  walk(document, (node, value, path) => {
    if (node.entries === undefined) return;
    const known = Object.keys(node.entries);
    if (!isTable(value)) {
      const allowed = metaOf(node).allowed ?? "a table of keys";
      mistakes.push({ path, found: kindOf(value), allowed, suggestion: headerHint(path, node, value) });
      return;
    }
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const suggestion = nearest(key, known) ?? elsewhere(key);
      mistakes.push({ path: [...path, key], found: "an unknown key", allowed: known.join(", "), suggestion });
    }
  });
  return mistakes;
}

/** The place of a key that exists, but not here. */
function elsewhere(key: string): string | null {
  const home = SECTIONS.find(({ keys }) => keys.some(({ name }) => name === key));
  if (home === undefined) return null;
  if (home.name === null) return `${key} above the first [section]`;
  return `${key} under ${home.many ? `[[${home.name}]]` : `[${home.name}]`}`;
}

/** Where secrets may lie outside of the configuration. */
export interface SecretPlaces {
  /** The text of a file; may throw. */
  readonly readFile: (path: string) => string;
  /** The value of an environment variable; undefined: it is not set. */
  readonly readVariable: (name: string) => string | undefined;
}

/** Puts what is meant in the place of `file:PATH` and `env:NAME`, without white space around it. */
export function readSecrets(document: unknown, places: SecretPlaces): Mistake[] {
  const mistakes: Mistake[] = [];
  walk(document, (node, value, path) => {
    if (typeof value !== "string" || !metaOf(node).isSecretPlace) return;
    const content = meantBy(value, places);
    if (content === null) return;
    if ("text" in content) return setAt(document, path, content.text);
    const found = `${content.shown} (${content.why})`;
    mistakes.push({ path, found, allowed: content.allowed, suggestion: null });
  });
  return mistakes;
}

type Content = { readonly text: string } | { readonly why: string };
type Meant =
  | { readonly text: string }
  | { readonly why: string; readonly shown: string; readonly allowed: string };

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Null: the value is the secret itself. */
function meantBy(value: string, { readFile, readVariable }: SecretPlaces): Meant | null {
  if (value.startsWith("file:")) {
    const content = contentOf(value.slice("file:".length), readFile);
    const allowed = "the path of a readable file with the secret in it";
    return "text" in content ? content : { ...content, shown: shown(value), allowed };
  }
  if (!value.startsWith("env:")) return null;
  const name = value.slice("env:".length);
  const allowed = "the name of an environment variable with the secret in it";
  // What is no name may be a password that begins with env:.
  if (!VARIABLE_NAME.test(name)) return { why: "it is no name", shown: '"env:…"', allowed };
  const content = variableOf(name, readVariable);
  return "text" in content ? content : { ...content, shown: shown(value), allowed };
}

function variableOf(name: string, readVariable: SecretPlaces["readVariable"]): Content {
  const text = readVariable(name)?.trim();
  if (text === undefined) return { why: "it is not set" };
  return text === "" ? { why: "it is empty" } : { text };
}

function contentOf(path: string, readFile: SecretPlaces["readFile"]): Content {
  try {
    const text = readFile(path).trim();
    return text === "" ? { why: "it is empty" } : { text };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    return { why: `it cannot be read: ${String(code)}` };
  }
}

type Issue = v.InferIssue<typeof ConfigSchema>;

/** What the schema refused. Unknown keys are left to `strangers`, for the schema stops at the first one. */
export function refused(issues: readonly Issue[]): Mistake[] {
  return issues
    .filter(({ type, expected }) => !(type === "strict_object" && expected === "never"))
    .map((issue) => {
      const path = (issue.path ?? []).map((step) => step.key as string | number);
      const node = nodeAt(path) ?? ConfigSchema;
      const meta = metaOf(node);
      const isMissing = issue.type === "strict_object" && issue.input === undefined;
      const { input } = issue;
      return {
        path,
        found: isMissing ? NOTHING : meta.secret ? HIDDEN : foundAt(node, masked(path, input)),
        allowed: isMissing ? (meta.allowed ?? "") : issue.message,
        suggestion:
          typeof input === "string" ? (meta.suggest?.(input) ?? null) : headerHint(path, node, input),
      };
    });
}

/** A wrong value may have a secret in it as well. */
function masked(path: KeyPath, input: unknown): unknown {
  const mask = maskAt(path);
  if (mask === null) return input;
  if (Array.isArray(input)) return input.map((each) => masked(path, each));
  return typeof input === "string" ? mask(input) : input;
}

/** A section's value is told by its kind alone: somebody may have put a password there. */
function foundAt(node: Node, value: unknown): string {
  const isSection = node.entries !== undefined || node.item?.entries !== undefined;
  return isSection ? kindOf(value) : shown(value);
}

/** `[user]` where `[[user]]` was meant, and the other way round. */
function headerHint(path: KeyPath, node: Node, value: unknown): string | null {
  const [name] = path;
  if (path.length !== 1 || name === undefined) return null;
  if (node.item?.entries !== undefined && isTable(value)) return `[[${name}]]`;
  return node.entries !== undefined && Array.isArray(value) ? `[${name}]` : null;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (isTable(value)) return "a table";
  if (value instanceof Date) return "a date";
  if (typeof value === "boolean") return "a truth value";
  return typeof value === "string" ? "a text" : "a number";
}

/** A value as TOML writes it, within bounds. */
export function shown(value: unknown): string {
  if (isTable(value)) return `{ ${Object.keys(value).slice(0, 5).map(keyText).join(", ")} }`;
  const text = Array.isArray(value)
    ? `[${value.slice(0, 5).map(shown).join(", ")}${value.length > 5 ? ", …" : ""}]`
    : typeof value === "string"
      ? JSON.stringify(value.slice(0, FOUND_CHARS_MAX + 1))
      : value instanceof Date
        ? value.toISOString()
        : String(value);
  return text.length > FOUND_CHARS_MAX ? `${text.slice(0, FOUND_CHARS_MAX)}…` : text;
}
