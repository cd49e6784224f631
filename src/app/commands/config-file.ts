/**
 * Reading the config file for a command: the file named on the command line, or the built-in defaults.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ConfigError } from "../../config/errors.ts";
import { renderErrors } from "../../config/errors.ts";
import { defaultConfig, parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { defaultDataDir } from "../data-dir.ts";

export type Loaded =
  | { readonly config: Config }
  | { readonly errors: readonly ConfigError[]; readonly text: string };

/** Reads and checks the file; null stands for the built-in defaults. `text` says all mistakes to a person. */
export function loadConfig(file: string | null): Loaded {
  if (file === null) return { config: defaultConfig() };
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { errors: [], text: `${file}: cannot be read: ${why}\n` };
  }
  const result = parseConfig(text, {
    readFile: (path) => readFileSync(resolve(dirname(file), path), "utf8"),
    readVariable: (name) => process.env[name],
  });
  if ("config" in result) return result;
  return { errors: result.errors, text: renderErrors(file, result.errors) };
}

/** The config for a short command; null after its mistakes went to stderr. */
export function configOrComplaint(file: string | null): Config | null {
  const loaded = loadConfig(file);
  if ("config" in loaded) return loaded.config;
  process.stderr.write(loaded.text);
  return null;
}

/** Where the data of this config lies, as an absolute path: a relative one starts at the config file's folder. */
export function dataDirOf(config: Config, file: string | null): string {
  if (config.data_dir === null) return defaultDataDir(process.env);
  return file === null ? resolve(config.data_dir) : resolve(dirname(file), config.data_dir);
}
