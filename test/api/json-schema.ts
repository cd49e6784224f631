/**
 * A strict reader of the JSON Schema we publish: it knows the keywords we use, fails on any other,
 * and takes a property no schema names for a mistake.
 */

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: Schema;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
  readonly description?: string;
}

type Keyword = Exclude<keyof Schema, "description">;

/** A value somewhere in the answer, and the document that references point into. */
interface At {
  readonly schema: Schema;
  readonly value: unknown;
  readonly root: unknown;
  readonly path: string;
}

/** Where `value` departs from `schema`, as `path: why`; empty when it fits. */
export function departures(schema: Schema, value: unknown, root: unknown, path = "$"): string[] {
  return Object.keys(schema).flatMap((keyword) => {
    if (keyword === "description") return [];
    const check = CHECKS[keyword as Keyword] as ((at: At) => string[]) | undefined;
    if (check === undefined)
      throw new Error(`${path}: the schema uses ${keyword}, which nothing here checks`);
    return check({ schema, value, root, path });
  });
}

const CHECKS: Readonly<Record<Keyword, (at: At) => string[]>> = {
  $ref: ({ schema, value, root, path }) => departures(resolve(root, schema.$ref!), value, root, path),
  type: (at) => unless(isOfType(at.schema.type!, at.value), at, `not of type ${at.schema.type}`),
  properties: (at) =>
    members(at.value).flatMap(([key, each]) => {
      const named = at.schema.properties![key];
      const path = `${at.path}.${key}`;
      return named ? departures(named, each, at.root, path) : [`${path}: not described`];
    }),
  required: (at) => {
    const present = new Set(members(at.value).map(([key]) => key));
    return at.schema.required!.filter((key) => !present.has(key)).map((key) => `${at.path}.${key}: missing`);
  },
  propertyNames: ({ schema, value, root, path }) =>
    members(value).flatMap(([key]) => departures(schema.propertyNames!, key, root, `${path}.${key}`)),
  additionalProperties: ({ schema, value, root, path }) =>
    members(value).flatMap(([key, each]) =>
      departures(schema.additionalProperties!, each, root, `${path}.${key}`),
    ),
  items: ({ schema, value, root, path }) =>
    (Array.isArray(value) ? value : []).flatMap((each, i) =>
      departures(schema.items!, each, root, `${path}[${i}]`),
    ),
  anyOf: (at) => {
    const { schema, value, root, path } = at;
    const fits = schema.anyOf!.some((each) => departures(each, value, root, path).length === 0);
    return unless(fits, at, "none of anyOf");
  },
  enum: (at) => unless(at.schema.enum!.includes(at.value), at, `not one of ${at.schema.enum}`),
  minimum: (at) => unless(Number(at.value) >= at.schema.minimum!, at, `below ${at.schema.minimum}`),
  maximum: (at) => unless(Number(at.value) <= at.schema.maximum!, at, `above ${at.schema.maximum}`),
  format: (at) =>
    unless(
      at.schema.format === "date-time" && DATE_TIME.test(String(at.value)),
      at,
      `no ${at.schema.format}`,
    ),
};

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const unless = (fits: boolean, { path }: At, why: string): string[] => (fits ? [] : [`${path}: ${why}`]);

function isOfType(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}

const members = (value: unknown): [string, unknown][] =>
  isOfType("object", value) ? Object.entries(value as object) : [];

/** What a `#/…` reference names in the document. */
export function resolve(root: unknown, ref: string): Schema {
  let found: unknown = root;
  for (const step of ref.replace(/^#\//, "").split("/")) found = (found as Record<string, unknown>)[step];
  if (found === undefined) throw new Error(`nothing at ${ref}`);
  return found as Schema;
}
