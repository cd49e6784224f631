/**
 * What differs between two configurations, by key path.
 */
import { isTable, RESTART_KEYS } from "./facts.ts";
import type { KeyPath } from "./key-path.ts";
import { pathText } from "./key-path.ts";
import type { Config } from "./schema.ts";

/**
 * Paths of the keys whose value changed, came or went, like `registrar.min_expires_s`; an entry of
 * `[[listen]]` or `[[user]]` that came or went is named as a whole, like `user[2]`. Only paths, never
 * values, so that the list can be logged.
 */
export function diffConfig(old: Config, next: Config): string[] {
  return [...changes(old, next, [])].map(pathText);
}

/** Whether a change of the key at this path, as `diffConfig` names it, takes effect only after a restart. */
export function needsRestart(path: string): boolean {
  return RESTART_KEYS.includes(path.replaceAll(/\[\d+\]/g, ""));
}

function* changes(old: unknown, next: unknown, path: KeyPath): Generator<KeyPath> {
  if (isTable(old) && isTable(next)) {
    for (const key of new Set([...Object.keys(old), ...Object.keys(next)]))
      yield* changes(old[key], next[key], [...path, key]);
  } else if (isTableList(old) && isTableList(next)) {
    for (let index = 0; index < Math.max(old.length, next.length); index++)
      yield* changes(old[index], next[index], [...path, index]);
  } else if (JSON.stringify(old) !== JSON.stringify(next)) yield path;
}

const isTableList = (value: unknown): value is unknown[] => Array.isArray(value) && value.every(isTable);
