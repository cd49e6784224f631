/**
 * Where each binding lies in the database, and the writes that follow a change of memory. A binding
 * is a row of `bindings`; a plain refresh is a row appended to `refreshes`, whose dead rows are cleared
 * from the front. The ledger changes only with what was committed.
 */
import { type Binding, onlyRefreshes, withKey } from "./binding.ts";
import {
  type BindingStatements,
  bindingOf,
  bindingRow,
  bindingStatements,
  type RefreshRow,
  refreshRow,
} from "./binding-rows.ts";
import { type Place, RefreshLog } from "./refresh-log.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import type { Change } from "./turn-store.ts";

/** Dead refreshes that may lie around beyond one per live one. */
const DEAD_REFRESHES_MAX = 4096;
/** Rows one step of clearing touches: at most some 3 ms. */
const CLEARED_PER_STEP = 1024;
/** Rows read at a time while loading. */
const LOADED_PER_STEP = 4096;

export class BindingLedger {
  readonly #file: SqliteFile;
  readonly #statements: () => BindingStatements;
  readonly #places = new Map<Binding, Place>();
  readonly #log = new RefreshLog();
  /** Rows of bindings that had expired when they were loaded. */
  readonly #stale_ids: number[] = [];
  #next_id = 1;
  #next_seq = 1;
  /** Places that have a refresh. */
  #refreshed = 0;
  /** What the transaction under way has changed, newest last: a binding's place and its seq before. */
  #changed: [Binding, Place | undefined, number][] = [];
  #rows = 0;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#statements = file.prepared(bindingStatements);
  }

  /** Rows written since the start. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows of `refreshes`, dead ones included. */
  get refreshes(): number {
    return this.#log.size;
  }

  /** True when `clearSome` has something worth doing. */
  get untidy(): boolean {
    return this.#stale_ids.length > 0 || this.#log.size > 2 * this.#refreshed + DEAD_REFRESHES_MAX;
  }

  /** Reads every binding that ends after `wall_ms`. Throws what SQLite throws. */
  load(wall_ms: number): Binding[] {
    const { someBindings } = this.#statements();
    const refreshes = this.#readRefreshes();
    const newest = new Map(refreshes.map((row) => [row.binding_id, row]));
    const by_id = new Map<number, Place>();
    const loaded: Binding[] = [];
    for (const row of inSteps((from, count) => someBindings.all({ from, count }), "id")) {
      const refresh = newest.get(row.id);
      const binding = bindingOf(row, refresh);
      this.#next_id = Math.max(this.#next_id, row.id + 1);
      if (binding.expires_at_ms <= wall_ms) {
        this.#stale_ids.push(row.id);
        continue;
      }
      const place = { id: row.id, seq: 0 };
      by_id.set(row.id, place);
      this.#put(binding, place, refresh?.seq ?? 0);
      loaded.push(binding);
    }
    for (const { seq, binding_id } of refreshes) this.#log.push(seq, by_id.get(binding_id) ?? null);
    this.#changed = [];
    return loaded;
  }

  /** Stores the changes in order, all or none. Throws what SQLite throws. */
  write(changes: readonly Change[]): void {
    this.#transaction(() => {
      const statements = this.#statements();
      for (const change of changes) this.#apply(change, statements);
    });
  }

  /** Makes `all` the only bindings of a database that has lost ours. Throws what SQLite throws. */
  rewrite(all: Iterable<Binding>): void {
    this.#transaction(() => {
      const statements = this.#statements();
      statements.clearBindings.run();
      statements.clearRefreshes.run();
      for (const binding of [...this.#places.keys()]) this.#put(binding, undefined, 0);
      for (const binding of all) this.#add(binding, statements);
    });
    this.#stale_ids.length = 0;
    this.#log.clear();
  }

  /** One bounded step of clearing dead rows, in a transaction of its own. Throws what SQLite throws. */
  clearSome(): void {
    const stale = this.#stale_ids.slice(-CLEARED_PER_STEP);
    const live = this.#log.oldest(CLEARED_PER_STEP);
    const first = this.#next_seq;
    const before = this.#log.after(CLEARED_PER_STEP) ?? first;
    this.#file.transaction(() => {
      const { removeBinding, moveRefresh, dropRefreshes } = this.#statements();
      for (const id of stale) removeBinding.run({ id });
      live.forEach(({ seq }, i) => {
        moveRefresh.run({ seq, to: first + i });
      });
      dropRefreshes.run({ before });
    });
    this.#stale_ids.length -= stale.length;
    this.#log.drop(CLEARED_PER_STEP);
    this.#next_seq += live.length;
    live.forEach((place, i) => {
      place.seq = first + i;
      this.#log.push(place.seq, place);
    });
    this.#rows += stale.length + live.length;
  }

  #readRefreshes(): RefreshRow[] {
    const { someRefreshes } = this.#statements();
    const rows: RefreshRow[] = [];
    for (const row of inSteps((from, count) => someRefreshes.all({ from, count }), "seq")) {
      rows.push(row);
      this.#next_seq = row.seq + 1;
      this.#next_id = Math.max(this.#next_id, row.binding_id + 1);
    }
    return rows;
  }

  #apply({ before, after }: Change, statements: BindingStatements): void {
    if (before === after) return;
    for (const binding of after) {
      if (before.includes(binding)) continue;
      const old = withKey(before, binding.key);
      if (old === null) this.#add(binding, statements);
      else if (onlyRefreshes(old, binding)) this.#refresh(old, binding, statements);
      else {
        this.#remove(old, statements);
        this.#add(binding, statements);
      }
    }
    for (const old of before) if (withKey(after, old.key) === null) this.#remove(old, statements);
  }

  #add(binding: Binding, statements: BindingStatements): void {
    const id = this.#next_id++;
    statements.addBinding.run(bindingRow(id, binding));
    this.#put(binding, { id, seq: 0 }, 0);
    this.#rows++;
  }

  #refresh(old: Binding, binding: Binding, statements: BindingStatements): void {
    const place = this.#places.get(old)!;
    const seq = this.#next_seq++;
    statements.addRefresh.run(refreshRow(seq, place.id, binding));
    this.#log.push(seq, place);
    this.#put(old, undefined, 0);
    this.#put(binding, place, seq);
    this.#rows++;
  }

  #remove(binding: Binding, statements: BindingStatements): void {
    const { id } = this.#places.get(binding)!;
    statements.removeBinding.run({ id });
    this.#put(binding, undefined, 0);
    this.#rows++;
  }

  /** Gives the binding a place (undefined: takes it away) and the place its newest refresh. */
  #put(binding: Binding, place: Place | undefined, seq: number): void {
    const old = this.#places.get(binding);
    this.#changed.push([binding, old, old?.seq ?? 0]);
    if (old !== undefined) this.#number(old, 0);
    if (place === undefined) {
      this.#places.delete(binding);
    } else {
      this.#places.set(binding, place);
      this.#number(place, seq);
    }
  }

  #number(place: Place, seq: number): void {
    if (place.seq > 0) this.#refreshed--;
    if (seq > 0) this.#refreshed++;
    place.seq = seq;
  }

  #transaction(work: () => void): void {
    try {
      this.#file.transaction(work);
    } catch (error) {
      for (const [binding, place, seq] of this.#changed.toReversed()) this.#put(binding, place, seq);
      throw error;
    } finally {
      this.#changed = [];
    }
  }
}

/** A table's rows in order of `key`, some thousand at a time: all at once would take twice the memory. */
function* inSteps<K extends string, T extends Record<K, number>>(
  read: (from: number, count: number) => T[],
  key: K,
): Generator<T> {
  for (let from = 0; ; ) {
    const rows = read(from, LOADED_PER_STEP);
    yield* rows;
    const last = rows[LOADED_PER_STEP - 1];
    if (last === undefined) return;
    from = last[key] + 1;
  }
}
