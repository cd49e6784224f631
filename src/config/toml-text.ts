/**
 * Values as TOML writes them.
 */
import type { TomlValue } from "./kinds.ts";

export function tomlText(value: TomlValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object") return `[${value.map(tomlText).join(", ")}]`;
  return String(value);
}
