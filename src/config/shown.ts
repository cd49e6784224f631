/** The configuration as it may be shown: everything that counts, and no secret. */
import { maskAt, metaOf, type Node, nodeAt } from "./facts.ts";
import type { KeyPath } from "./key-path.ts";
import { maskedPassword, STARS } from "./masks.ts";
import type { Config } from "./schema.ts";

/** The configuration in effect, defaults filled in, by the keys of the file; secrets are stars, what is unset is null. */
export function shownConfig(config: Config): Readonly<Record<string, unknown>> {
  return shown(config, []) as Record<string, unknown>;
}

function shown(value: unknown, path: KeyPath): unknown {
  if (value === undefined || value === null) return null;
  if (isSecret(nodeAt(path))) return STARS;
  if (Array.isArray(value)) return value.map((item, index) => shown(item, [...path, index]));
  if (typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shown(each, [...path, key])]));
  return typeof value === "string" ? (maskAt(path) ?? maskedPassword)(value) : value;
}

/** A place that the schema does not know is none that may be shown. */
function isSecret(node: Node | null): boolean {
  return node === null || metaOf(node).secret === true;
}
