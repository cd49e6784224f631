/**
 * From the text of a configuration file to the configuration, or to every mistake in it at once.
 */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import type { ConfigError } from "./errors.ts";
import type { KeyPath } from "./key-path.ts";
import { pathText, setAt } from "./key-path.ts";
import { KeyPositions } from "./locate.ts";
import type { Mistake, SecretPlaces } from "./mistakes.ts";
import { NOTHING, readSecrets, refused, strangers } from "./mistakes.ts";
import type { Draft } from "./rules.ts";
import { brokenRules } from "./rules.ts";
import type { Config } from "./schema.ts";
import { ConfigSchema } from "./schema.ts";

export type ParsedConfig = { readonly config: Config } | { readonly errors: ConfigError[] };

const DEPTH_MAX = 50;

/**
 * Reads a configuration. `places` gives what `file:` and `env:` secrets name; nothing else outside is
 * touched. Text that is no TOML has one error, all others are told together,
 * in the order of the file.
 */
export function parseConfig(text: string, places: SecretPlaces): ParsedConfig {
  const parsed = parseToml(text);
  if ("error" in parsed) return { errors: [parsed.error] };
  const { document } = parsed;
  const before = [...strangers(document), ...readSecrets(document, places)];
  const result = v.safeParse(ConfigSchema, document);
  const single = [...before, ...refused(result.issues ?? [])];
  const mistakes = [...single, ...brokenRules(draftOf(result.output, single))];
  if (result.success && mistakes.length === 0) return { config: result.output };
  return { errors: placed(outermost(mistakes), new KeyPositions(text)) };
}

/** What runs without a file: no account, nobody trusted, the status API on loopback. */
export function defaultConfig(): Config {
  return v.parse(ConfigSchema, {});
}

function parseToml(text: string): { document: unknown } | { error: ConfigError } {
  try {
    return { document: parse(text, { maxDepth: DEPTH_MAX }) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const { line, column } = error;
    // The message goes on with lines of the file, which may hold a password.
    const why = error.message.split("\n", 1)[0]!.replace("Invalid TOML document: ", "");
    const allowed = 'TOML: [section] lines and key = value lines, text in "quotes"';
    return {
      error: { line, column, path: "", found: `a mistake of form (${why})`, allowed, suggestion: null },
    };
  }
}

/** What the rules between keys look at: mistaken values are out of the way. */
function draftOf(output: unknown, mistakes: readonly Mistake[]): Draft<Config> {
  for (const { path } of mistakes) setAt(output, path, undefined);
  return output as Draft<Config>;
}

/** One mistake for each path, and none inside a value that is wrong as a whole. */
function outermost(mistakes: readonly Mistake[]): Mistake[] {
  const byPath = new Map<string, Mistake>();
  for (const mistake of mistakes) {
    const path = pathText(mistake.path);
    if (!byPath.has(path)) byPath.set(path, mistake);
  }
  const isInside = (path: KeyPath) =>
    path.some((_, length) => length > 0 && byPath.has(pathText(path.slice(0, length))));
  return [...byPath.values()].filter(({ path }) => !isInside(path));
}

function placed(mistakes: readonly Mistake[], positions: KeyPositions): ConfigError[] {
  const errors = mistakes.map(({ path, found, allowed, suggestion }) => {
    const { line, column } = positions.find(path) ?? { line: null, column: null };
    const isDefault = found !== NOTHING && !positions.has(path);
    return {
      line,
      column,
      path: pathText(path),
      found: isDefault ? `${found} (its default)` : found,
      allowed,
      suggestion,
    };
  });
  return errors.sort((a, b) => order(a) - order(b) || (a.column ?? 0) - (b.column ?? 0));
}

const order = ({ line }: ConfigError): number => line ?? Number.MAX_SAFE_INTEGER;
