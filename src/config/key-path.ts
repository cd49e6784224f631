/**
 * Key paths: `["listen", 1, "transport"]`, written `listen[1].transport`.
 */

export type KeyPath = readonly (string | number)[];

const KEY_CHARS_MAX = 64;

/** The path as an operator reads it; a key that is no bare TOML key stands in quotes. */
export function pathText(path: KeyPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += (text === "" ? "" : ".") + keyText(step);
  }
  return text;
}

/** One key as TOML writes it, cut when it is too long to be shown. */
export function keyText(key: string): string {
  const shown = key.length > KEY_CHARS_MAX ? `${key.slice(0, KEY_CHARS_MAX)}…` : key;
  return /^[A-Za-z0-9_-]+$/.test(shown) ? shown : JSON.stringify(shown);
}

/** Writes `value` at the path inside `tree`; does nothing where the path leads nowhere. */
export function setAt(tree: unknown, path: KeyPath, value: unknown): void {
  let place = tree;
  for (const step of path.slice(0, -1)) place = isContainer(place) ? place[step] : undefined;
  const last = path.at(-1);
  if (last !== undefined && isContainer(place)) place[last] = value;
}

const isContainer = (value: unknown): value is Record<string | number, unknown> =>
  typeof value === "object" && value !== null;
