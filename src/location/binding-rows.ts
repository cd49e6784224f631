/**
 * Bindings as rows and back, and the prepared statements on them.
 */
import { eq, getTableColumns, gte, lt, type Placeholder, sql } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { SQLiteTable } from "drizzle-orm/sqlite-core";
import type { TransportName } from "../base/flow.ts";
import type { Binding } from "./binding.ts";
import { bindings, refreshes } from "./schema.ts";

type BindingRow = typeof bindings.$inferSelect;
export type RefreshRow = typeof refreshes.$inferSelect;

/** Everything the location store runs, prepared: an unprepared drizzle statement costs 50 µs. */
export function bindingStatements(orm: BunSQLiteDatabase) {
  return {
    addBinding: orm.insert(bindings).values(placeholders(bindings)).prepare(),
    removeBinding: orm
      .delete(bindings)
      .where(eq(bindings.id, sql.placeholder("id")))
      .prepare(),
    someBindings: orm
      .select()
      .from(bindings)
      .where(gte(bindings.id, sql.placeholder("from")))
      .orderBy(bindings.id)
      .limit(sql.placeholder("count"))
      .prepare(),
    clearBindings: orm.delete(bindings).prepare(),
    addRefresh: orm.insert(refreshes).values(placeholders(refreshes)).prepare(),
    moveRefresh: orm
      .update(refreshes)
      .set({ seq: sql`${sql.placeholder("to")}` })
      .where(eq(refreshes.seq, sql.placeholder("seq")))
      .prepare(),
    dropRefreshes: orm
      .delete(refreshes)
      .where(lt(refreshes.seq, sql.placeholder("before")))
      .prepare(),
    someRefreshes: orm
      .select()
      .from(refreshes)
      .where(gte(refreshes.seq, sql.placeholder("from")))
      .orderBy(refreshes.seq)
      .limit(sql.placeholder("count"))
      .prepare(),
    clearRefreshes: orm.delete(refreshes).prepare(),
  };
}

export type BindingStatements = ReturnType<typeof bindingStatements>;

export function bindingRow(id: number, binding: Binding): BindingRow {
  const { flow, path } = binding;
  return {
    id,
    user: binding.user,
    key: binding.key,
    contact: binding.contact,
    params: binding.params,
    q: binding.q,
    expires_at_ms: binding.expires_at_ms,
    registered_at_ms: binding.registered_at_ms,
    call_id: binding.call_id,
    cseq: binding.cseq,
    instance: binding.instance,
    reg_id: binding.reg_id,
    outbound: binding.outbound,
    path: path.length === 0 ? null : JSON.stringify(path),
    user_agent: binding.user_agent,
    flow_transport: flow.transport,
    flow_local_address: flow.local_address,
    flow_local_port: flow.local_port,
    flow_remote_address: flow.remote_address,
    flow_remote_port: flow.remote_port,
    flow_nat: flow.nat,
    flow_alg: flow.alg,
    flow_id: flow.id,
  };
}

export function refreshRow(seq: number, binding_id: number, binding: Binding): RefreshRow {
  const { expires_at_ms, registered_at_ms, call_id, cseq } = binding;
  return { seq, binding_id, expires_at_ms, registered_at_ms, call_id, cseq };
}

/** The binding as its newest refresh left it. */
export function bindingOf(row: BindingRow, refresh: RefreshRow | undefined): Binding {
  const newest = refresh ?? row;
  return {
    user: row.user,
    key: row.key,
    contact: row.contact,
    params: row.params,
    q: row.q,
    expires_at_ms: newest.expires_at_ms,
    registered_at_ms: newest.registered_at_ms,
    call_id: newest.call_id,
    cseq: newest.cseq,
    instance: row.instance,
    reg_id: row.reg_id,
    outbound: row.outbound,
    path: row.path === null ? NO_PATH : JSON.parse(row.path),
    user_agent: row.user_agent,
    flow: {
      transport: row.flow_transport as TransportName,
      local_address: row.flow_local_address,
      local_port: row.flow_local_port,
      remote_address: row.flow_remote_address,
      remote_port: row.flow_remote_port,
      nat: row.flow_nat,
      alg: row.flow_alg,
      id: row.flow_id,
    },
  };
}

const NO_PATH: readonly string[] = Object.freeze([]);

/** One placeholder per column, by the column's name. */
function placeholders<T extends SQLiteTable>(table: T): { [C in keyof T["$inferInsert"]]-?: Placeholder } {
  const names = Object.keys(getTableColumns(table));
  return Object.fromEntries(names.map((name) => [name, sql.placeholder(name)])) as never;
}
