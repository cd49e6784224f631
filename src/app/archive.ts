/**
 * A backup as one file: a gzipped tar of the database, the secret keys, the config file and a note of
 * what made it. Pure but for the platform's archive reader.
 */

/** Larger than any store of 100,000 users; a file beyond it is none of ours. */
export const ARCHIVE_BYTES_MAX = 1024 * 1024 * 1024;
const MEMBERS_MAX = 20;
const FORMAT = 1;
export const KEY_FILE = /^[a-z][a-z0-9-]{0,40}\.key$/;

export interface Backup {
  /** The version of sipedge that made it. */
  readonly version: string;
  /** RFC 3339. */
  readonly made_at: string;
  readonly database: Uint8Array;
  /** By file name. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** The config file's text; null when it ran without one. */
  readonly config: string | null;
}

const DATABASE = "sipedge.db";
const CONFIG = "sipedge.toml";
const NOTE = "backup.json";

/** The archive's bytes. */
export async function packed({ version, made_at, database, keys, config }: Backup): Promise<Uint8Array> {
  const files: Record<string, Uint8Array | string> = {
    [NOTE]: `${JSON.stringify({ format: FORMAT, version, made_at })}\n`,
    [DATABASE]: database,
    ...Object.fromEntries(keys),
    ...(config === null ? {} : { [CONFIG]: config }),
  };
  return new Bun.Archive(files, { compress: "gzip" }).bytes();
}

/** What is in an archive, or a sentence that says why it is none. Never throws for what the bytes hold. */
export async function unpacked(bytes: Uint8Array): Promise<Backup | string> {
  let files: Map<string, File>;
  try {
    files = await new Bun.Archive(bytes).files();
  } catch {
    return "it is no backup: no .tar.gz that can be read";
  }
  if (files.size > MEMBERS_MAX) return "it is no backup: it has too many files";
  const note = noteOf((await files.get(NOTE)?.text()) ?? "");
  const database = await files.get(DATABASE)?.bytes();
  if (note === null || database === undefined) return `it is no backup: ${NOTE} or ${DATABASE} is missing`;
  if (note.format !== FORMAT) return `it was made by sipedge ${note.version}, which this version cannot read`;
  const keys = new Map<string, Uint8Array>();
  for (const [name, file] of files) if (KEY_FILE.test(name)) keys.set(name, await file.bytes());
  const config = (await files.get(CONFIG)?.text()) ?? null;
  return { version: note.version, made_at: note.made_at, database, keys, config };
}

function noteOf(text: string): { format: number; version: string; made_at: string } | null {
  let note: unknown;
  try {
    note = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof note !== "object" || note === null) return null;
  const { format, version, made_at } = note as Record<string, unknown>;
  if (typeof format !== "number" || typeof version !== "string" || typeof made_at !== "string") return null;
  return { format, version, made_at };
}
