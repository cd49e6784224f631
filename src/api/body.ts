/**
 * Bodies of requests that change something: bounded, in time too, JSON and nothing else, every
 * mistake told with its key.
 */
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import type { ApiFailure } from "./failure.ts";

export type BodySchema = v.StrictObjectSchema<v.ObjectEntries, undefined>;

/** Longest body of a request that takes one. */
export const CHANGE_BYTES_MAX = 4096;
/** How long a body may take to arrive. */
export const BODY_WAIT_MS = 5000;
/** Mistakes told at a time. */
const MISTAKES_MAX = 20;
/** Of a key when it is repeated to whoever sent it. */
const KEY_CHARS_MAX = 64;

/** The body as the schema has it, or why it is none. */
export async function readBody(
  request: Request,
  schema: BodySchema,
  clock: Clock,
): Promise<object | ApiFailure> {
  // A web page cannot send this type to another site unasked (Fetch §2.2.2): it is no "simple" request.
  const type = request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") return WRONG_TYPE;
  const bytes = await readBytes(request, clock);
  if ("error" in bytes) return bytes;
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(bytes));
  } catch {
    return bad("the body is not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return bad("a JSON object is needed");
  const read = v.safeParse(schema, value);
  const mistakes = [...unknownKeys(schema, value), ...(read.success ? [] : wrongValues(schema, read.issues))];
  if (read.success && mistakes.length === 0) return read.output;
  const more = mistakes.length > MISTAKES_MAX ? `; and ${mistakes.length - MISTAKES_MAX} more` : "";
  return bad(mistakes.slice(0, MISTAKES_MAX).join("; ") + more);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

async function readBytes(request: Request, clock: Clock): Promise<Uint8Array | ApiFailure> {
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  const state = { late: false };
  const alarm = clock.after(BODY_WAIT_MS, () => {
    state.late = true;
    reader.cancel().catch(() => {}); // ends the read below
  });
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > CHANGE_BYTES_MAX) {
        reader.cancel().catch(() => {});
        return CHANGE_TOO_LARGE;
      }
      parts.push(part.value);
    }
  } catch {
    return bad("the body broke off");
  } finally {
    alarm.cancel();
  }
  return state.late ? TOO_SLOW : Buffer.concat(parts);
}

/** All of them: the schema would tell the first, and none that every object inherits (`toString`). */
function unknownKeys({ entries }: BodySchema, value: object): string[] {
  const unknown = Object.keys(value).filter((key) => !Object.hasOwn(entries, key));
  const keys = Object.keys(entries).join(", ");
  return unknown.map((key) => `${key.slice(0, KEY_CHARS_MAX)}: there is no such key here, only ${keys}`);
}

function wrongValues({ entries }: BodySchema, issues: readonly v.BaseIssue<unknown>[]): string[] {
  return issues.flatMap((issue) => {
    const key = String(issue.path?.[0]?.key);
    return Object.hasOwn(entries, key) ? [`${key}: ${issue.message}`] : [];
  });
}

const bad = (message: string): ApiFailure => ({ status: 400, error: "bad_request", message });

export const CHANGE_TOO_LARGE: ApiFailure = {
  status: 413,
  error: "content_too_large",
  message: `A body here has at most ${CHANGE_BYTES_MAX} bytes`,
};
const WRONG_TYPE: ApiFailure = {
  status: 415,
  error: "unsupported_media_type",
  message: "The body is to be JSON, with the header Content-Type: application/json",
};
const TOO_SLOW: ApiFailure = {
  status: 408,
  error: "timeout",
  message: `The body did not arrive within ${BODY_WAIT_MS} ms`,
};
