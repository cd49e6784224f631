/**
 * The operator's mistakes, and how they are told.
 */

export interface ConfigError {
  /** From 1; null when nothing in the file stands for it. */
  readonly line: number | null;
  readonly column: number | null;
  /** Like `listen[1].transport`; empty for a file that is no TOML. */
  readonly path: string;
  /** What stands there, as TOML writes it; stars for a secret. */
  readonly found: string;
  readonly allowed: string;
  /** The word that was probably meant. */
  readonly suggestion: string | null;
}

/** One line for each mistake: `file:line: listen[1].transport: found "ucp"; allowed: …`. */
export function renderErrors(file: string, errors: readonly ConfigError[]): string {
  return errors.map((error) => `${renderError(file, error)}\n`).join("");
}

function renderError(file: string, error: ConfigError): string {
  const { line, column, path, found, allowed, suggestion } = error;
  const place = [file, line, path === "" ? column : null].filter((part) => part !== null).join(":");
  const key = path === "" ? "" : `${path}: `;
  const hint = suggestion === null ? "" : `; did you mean "${suggestion}"?`;
  return `${place}: ${key}found ${found}; allowed: ${allowed}${hint}`;
}
