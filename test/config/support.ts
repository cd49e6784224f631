/** Parsing for tests: files come from a record, and a configuration or its errors are asked for. */
import type { ConfigError } from "../../src/config/errors.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { SecretPlaces } from "../../src/config/mistakes.ts";
import type { Config } from "../../src/config/schema.ts";

/** By path; environment variables stand among them as `env:NAME`. */
export type Files = Readonly<Record<string, string>>;

const reader = (files: Files): SecretPlaces => ({
  readFile: (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
    return text;
  },
  readVariable: (name) => files[`env:${name}`],
});

/** Fails the test when there is a mistake. */
export function configOf(toml: string, files: Files = {}): Config {
  const result = parseConfig(toml, reader(files));
  if ("errors" in result) throw new Error(JSON.stringify(result.errors, null, 2));
  return result.config;
}

/** Empty when there is no mistake. */
export function errorsOf(toml: string, files: Files = {}): ConfigError[] {
  const result = parseConfig(toml, reader(files));
  return "errors" in result ? result.errors : [];
}

/** `line path: found; allowed` of each mistake. */
export function told(toml: string, files: Files = {}): string[] {
  return errorsOf(toml, files).map(
    ({ line, path, found, allowed }) => `${line ?? "-"} ${path}: ${found}; ${allowed}`,
  );
}
