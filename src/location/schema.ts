/**
 * The tables as drizzle knows them. `migrations/*.sql` makes them, and says what each is for; a test
 * holds the two together.
 */
import { blob, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const bindings = sqliteTable("bindings", {
  id: integer().primaryKey(),
  user: text().notNull(),
  key: text().notNull(),
  contact: text().notNull(),
  params: text().notNull(),
  q: integer().notNull(),
  expires_at_ms: integer().notNull(),
  registered_at_ms: integer().notNull(),
  call_id: text().notNull(),
  cseq: integer().notNull(),
  instance: text(),
  reg_id: integer(),
  /** The Path values as a JSON array; null for none. */
  path: text(),
  user_agent: text(),
  flow_transport: text().notNull(),
  flow_local_address: text().notNull(),
  flow_local_port: integer().notNull(),
  flow_remote_address: text().notNull(),
  flow_remote_port: integer().notNull(),
  flow_id: text().notNull(),
  outbound: integer({ mode: "boolean" }).notNull(),
  flow_nat: text().notNull(),
  flow_alg: text().notNull(),
});

export const refreshes = sqliteTable("refreshes", {
  seq: integer().primaryKey(),
  binding_id: integer().notNull(),
  expires_at_ms: integer().notNull(),
  registered_at_ms: integer().notNull(),
  call_id: text().notNull(),
  cseq: integer().notNull(),
});

export const users = sqliteTable("users", {
  name: text().primaryKey().notNull(),
  realm: text().notNull(),
  ha1_md5: text(),
  ha1_sha256: text(),
  disabled: integer({ mode: "boolean" }).notNull(),
  ha1_sha512_256: text(),
});

export const forwards = sqliteTable("forwards", {
  user: text().primaryKey().notNull(),
  always: text(),
  busy: text(),
  no_answer: text(),
  not_registered: text(),
  unreachable: text(),
  no_answer_after_s: integer(),
});

export const keptFlows = sqliteTable(
  "kept_flows",
  {
    condition: text().notNull(),
    key: text().notNull(),
    flow_id: text().notNull(),
    local_address: text().notNull(),
    local_port: integer().notNull(),
    remote_address: text().notNull(),
    remote_port: integer().notNull(),
    until_ms: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.condition, table.key, table.flow_id] })],
);

export const callRecords = sqliteTable("call_records", {
  seq: integer().primaryKey(),
  ended_ms: integer().notNull(),
  /** A `CallRecord` as JSON. */
  record: text().notNull(),
});

export const bans = sqliteTable("bans", {
  source: text().primaryKey().notNull(),
  reason: text().notNull(),
  by: text().notNull(),
  since_ms: integer().notNull(),
  until_ms: integer().notNull(),
  times: integer().notNull(),
});

export const meta = sqliteTable("meta", {
  name: text().primaryKey().notNull(),
  value: blob({ mode: "buffer" }).notNull(),
});

/** Which migrations this database has had. Made by the code that applies them, before the first. */
export const migrations = sqliteTable("migrations", {
  name: text().primaryKey().notNull(),
  applied_at_ms: integer().notNull(),
});
