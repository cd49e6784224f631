/**
 * What the schema says about each key, for whoever speaks to the operator: error messages, the
 * example, the reference, the list of keys that need a restart.
 */
import * as v from "valibot";
import type { KeyPath } from "./key-path.ts";
import type { KeyMeta, TomlValue } from "./kinds.ts";
import { ConfigSchema } from "./schema.ts";

export interface KeyFacts extends KeyMeta {
  readonly name: string;
  /** Undefined: the key has no default. */
  readonly fallback: TomlValue | undefined;
  /** It must be there. */
  readonly required: boolean;
}

/** A `[section]`, a `[[section]]`, or (without a name) the keys above the first one. */
export interface SectionFacts {
  readonly name: string | null;
  readonly does: string;
  readonly many: boolean;
  readonly keys: readonly KeyFacts[];
  /** For `[[section]]`: entries to show, and whether they are what holds by default. */
  readonly entries: readonly Readonly<Record<string, TomlValue>>[];
  readonly entriesAreDefault: boolean;
}

/** A valibot schema as far as this file looks into it. */
export interface Node {
  readonly type: string;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly wrapped?: Node;
  readonly default?: unknown;
}

const ROOT: Node = ConfigSchema;

/** The schema of the value itself, without "may be left out". */
function valueNode(node: Node): Node {
  return node.wrapped === undefined ? node : valueNode(node.wrapped);
}

export function metaOf(node: Node): Partial<KeyMeta> {
  return v.getMetadata(node as v.GenericSchema) as Partial<KeyMeta>;
}

/** The schema at a path; null when there is no such key. */
export function nodeAt(path: KeyPath): Node | null {
  let node: Node = ROOT;
  for (const step of path) {
    const next = typeof step === "number" ? node.item : ownEntry(node, step);
    if (next === undefined) return null;
    node = valueNode(next);
  }
  return node;
}

/** How a text at this path is shown, of the key itself or of its list; null: as it is. */
export function maskAt(path: KeyPath): ((text: string) => string) | null {
  const node = nodeAt(typeof path.at(-1) === "number" ? path.slice(0, -1) : path);
  return (node === null ? undefined : metaOf(node).masked) ?? null;
}

const ownEntry = (node: Node, key: string): Node | undefined =>
  node.entries !== undefined && Object.hasOwn(node.entries, key) ? node.entries[key] : undefined;

/** Whether the value is a table: no list, and no date, which the TOML parser gives as an object. */
export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);

/** Goes through a document along the schema: each known value with its schema and path. */
export function walk(
  value: unknown,
  visit: (node: Node, value: unknown, path: KeyPath) => void,
  path: KeyPath = [],
  node: Node = ROOT,
): void {
  visit(node, value, path);
  if (node.entries !== undefined && isTable(value)) {
    for (const key of Object.keys(value)) {
      const entry = ownEntry(node, key);
      if (entry !== undefined) walk(value[key], visit, [...path, key], valueNode(entry));
    }
  } else if (node.item !== undefined && Array.isArray(value)) {
    const item = valueNode(node.item);
    for (const [index, element] of value.entries()) walk(element, visit, [...path, index], item);
  }
}

/** Every section in the order of the schema; the keys outside sections first, as TOML wants it. */
export const SECTIONS: readonly SectionFacts[] = readSections();

function readSections(): SectionFacts[] {
  const top: SectionFacts = {
    name: null,
    does: "",
    many: false,
    keys: topKeys(),
    entries: [],
    entriesAreDefault: false,
  };
  return [
    top,
    ...Object.entries(ROOT.entries ?? {}).flatMap(([name, node]) => readSection(name, node) ?? []),
  ];
}

/** The table's schema when the node is a section, be it `[one]` or `[[many]]`. */
function tableOf(node: Node): Node | null {
  const value = valueNode(node);
  if (value.entries !== undefined) return value;
  return value.item === undefined ? null : tableOf(value.item);
}

function topKeys(): KeyFacts[] {
  return Object.entries(ROOT.entries ?? {}).flatMap(([name, node]) =>
    tableOf(node) === null ? [readKey(name, node)] : [],
  );
}

function readSection(name: string, node: Node): SectionFacts | null {
  const table = tableOf(node);
  if (table === null) return null;
  const value = valueNode(node);
  const { does = "", entries = [] } = metaOf(value) as Partial<SectionFacts>;
  const keys = Object.entries(table.entries ?? {}).map(([key, entry]) => readKey(key, entry));
  return { name, does, many: value !== table, keys, entries, entriesAreDefault: node.default === entries };
}

function readKey(name: string, node: Node): KeyFacts {
  const meta = metaOf(valueNode(node)) as KeyMeta;
  const fallback = node.default as TomlValue | null | undefined;
  const required = node.type !== "optional" && node.type !== "exact_optional";
  return { ...meta, name, fallback: fallback ?? undefined, required };
}

/** Key paths whose change takes effect only after a restart. */
export const RESTART_KEYS: readonly string[] = SECTIONS.flatMap(({ name, keys }) =>
  keys.filter((key) => key.restart).map((key) => (name === null ? key.name : `${name}.${key.name}`)),
);
