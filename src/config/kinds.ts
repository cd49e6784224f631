/**
 * The kinds of value a key can have, as valibot schemas. Each carries what the example, the reference
 * and the error messages say about it, so that nothing is written twice.
 */
import * as v from "valibot";
import { nearest } from "./nearest.ts";

export type TomlValue = string | number | boolean | readonly TomlValue[];

/** What is written beside a key in the schema. */
export interface About {
  /** For the operator: what the key does. */
  readonly does: string;
  /** What goes wrong without it, or with a bad value. */
  readonly without: string;
  /** Shown in the example: in place of a default, or in words beside it. */
  readonly example?: TomlValue;
  /** Stands uncommented in the example. */
  readonly start?: true;
  /** A change of it takes effect only after a restart. */
  readonly restart?: true;
  /** How a text of it is shown, where a part of it may be a secret. */
  readonly masked?: (text: string) => string;
}

/** What the schema knows about a key besides its default. */
export interface KeyMeta extends About {
  /** The values it takes, in words. */
  readonly allowed: string;
  /** Its value must not be shown to anyone. */
  readonly secret?: true;
  /** The value may be `file:PATH` or `env:NAME`: what lies there is meant. */
  readonly isSecretPlace?: true;
  /** A better word for a wrong one; null when none comes to mind. */
  readonly suggest?: (found: string) => string | null;
}

/** Secrets come from the configuration's own line or from a file; both are short. */
export const SECRET_CHARS_MAX = 256;
const LIST_LENGTH_MAX = 1000;

const meta = <Input>(facts: KeyMeta): v.MetadataAction<Input, Record<string, unknown>> =>
  v.metadata({ ...facts });

/** "60" in quotes deserves a hint of its own. */
const unquoted = (allowed: string) => (issue: { readonly input: unknown }) =>
  typeof issue.input === "string" ? `${allowed}, without quotes` : allowed;

/** A whole number from `min` to `max`; `unit` is what it counts. */
export function integer(min: number, max: number, unit: string, about: About) {
  const allowed = min === max ? `${min} (${unit})` : `whole number ${min}..${max} (${unit})`;
  return v.pipe(
    v.number(unquoted(allowed)),
    v.integer(allowed),
    v.minValue(min, allowed),
    v.maxValue(max, allowed),
    meta({ ...about, allowed }),
  );
}

/** A number with a fraction within bounds. */
export function decimal(min: number, max: number, unit: string, about: About) {
  const allowed = `${min}..${max} ${unit}`;
  return v.pipe(
    v.number(allowed),
    v.minValue(min, allowed),
    v.maxValue(max, allowed),
    meta({ ...about, allowed }),
  );
}

export function truth(about: About) {
  const allowed = "true, false";
  return v.pipe(v.boolean(unquoted(allowed)), meta({ ...about, allowed }));
}

/** One of some words; `later` are words of which it can be said why they are refused. */
export function oneOf<const Words extends readonly string[]>(
  words: Words,
  about: About,
  later: Readonly<Record<string, string>> = {},
) {
  const allowed = words.join(", ");
  const suggest = (found: string) => (Object.hasOwn(later, found) ? null : nearest(found, words));
  const message = ({ input }: { readonly input: unknown }) =>
    typeof input === "string" && Object.hasOwn(later, input)
      ? `${allowed} ("${input}" is ${later[input]})`
      : allowed;
  return v.pipe(v.picklist(words, message), meta({ ...about, allowed, suggest }));
}

/** Text that passes `test`. */
export function text(
  test: (text: string) => boolean,
  allowed: string,
  about: About,
  suggest?: (found: string) => string | null,
) {
  return v.pipe(
    v.string(allowed),
    v.check(test, allowed),
    meta({ ...about, allowed, ...(suggest && { suggest }) }),
  );
}

/** Text that is never shown; it may lie elsewhere: `file:PATH`, `env:NAME`. */
export function secret(form: { readonly test: RegExp; readonly allowed: string }, about: About) {
  const { test } = form;
  const allowed = `${form.allowed}, or "file:PATH", or "env:NAME"`;
  const facts: KeyMeta = { ...about, allowed, secret: true, isSecretPlace: true };
  return v.pipe(v.string(allowed), v.regex(test, allowed), meta(facts));
}

/** A list of texts that pass `test`. */
export function listOf(test: (text: string) => boolean, item: string, about: About) {
  const allowed = `list of ${item}`;
  return v.pipe(
    v.array(v.pipe(v.string(item), v.check(test, item)), allowed),
    v.maxLength(LIST_LENGTH_MAX, `${allowed}, at most ${LIST_LENGTH_MAX}`),
    meta({ ...about, allowed }),
  );
}

/** A list of some of the words, each once, in the order that counts; `least` of them at least. */
export function someOf<const Words extends readonly string[]>(words: Words, about: About, least: 0 | 1 = 1) {
  const some = least === 0 ? "any" : "one or more";
  const allowed = `list of ${some} of ${words.map((word) => `"${word}"`).join(", ")}, each once`;
  const item = words.join(", ");
  const suggest = (found: string) => nearest(found, words);
  return v.pipe(
    v.array(v.pipe(v.picklist(words, item), v.metadata({ allowed: item, suggest })), allowed),
    v.check((list) => list.length >= least && new Set(list).size === list.length, allowed),
    meta({ ...about, allowed }),
  );
}

/** What is written beside a section in the schema. */
export interface AboutSection {
  readonly does: string;
  /** For `[[…]]`: entries shown in the example, uncommented when they are the defaults. */
  readonly entries?: readonly Readonly<Record<string, TomlValue>>[];
  readonly start?: true;
}

const TABLE = "a table of keys";

/** A `[section]`. */
export function section<const Entries extends v.ObjectEntries>(about: AboutSection, entries: Entries) {
  return v.pipe(v.strictObject(entries, TABLE), v.metadata({ ...about, allowed: TABLE }));
}

/** A `[[section]]`: `least` to `most` tables. */
export function sections<const Entries extends v.ObjectEntries>(
  [least, most]: readonly [least: number, most: number],
  about: AboutSection,
  entries: Entries,
) {
  const allowed = `${least} to ${most} tables, each under a [[…]] line of its own`;
  return v.pipe(
    v.array(v.pipe(v.strictObject(entries, TABLE), v.metadata({ allowed: TABLE })), allowed),
    v.minLength(least, allowed),
    v.maxLength(most, allowed),
    v.metadata({ ...about, allowed }),
  );
}
