/**
 * What all stores share: memory that changes at once, one write for all changes of an event-loop
 * turn, undo when it fails, events when it worked, and the sweep of expired bindings.
 */
import type { Alarm, Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { type Binding, withKey } from "./binding.ts";
import { BindingTable } from "./binding-table.ts";
import type {
  BindingEventKind,
  BindingListener,
  LocationSnapshot,
  LocationStore,
  ReplaceDone,
  StoreFailure,
  StoreHealth,
} from "./store.ts";

export interface LocationOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Most bindings held; `replace` refuses to grow beyond it. */
  readonly bindings_max: number;
}

/** One `replace`, or one user's part of a sweep (`done` null). Refused ones have `before === after`. */
export interface Change {
  readonly user: string;
  readonly before: readonly Binding[];
  readonly after: readonly Binding[];
  readonly done: ReplaceDone | null;
  readonly refused: StoreFailure | null;
}

/** The least time between two sweeps: what ends within it goes in one write. */
const SWEEP_INTERVAL_MS = 1000;
/** Users a sweep takes before it lets other work pass: about 3 ms of SQLite. */
const SWEEP_USERS_MAX = 256;
const SWEEP_GO_ON_MS = 20;

export abstract class TurnStore implements LocationStore {
  protected readonly clock: Clock;
  protected readonly log: Log;
  protected readonly table: BindingTable;
  readonly #bindings_max: number;
  readonly #listeners = new Set<BindingListener>();
  readonly #expired: Counter;
  readonly #refused: Counter;
  #turn: Change[] = [];
  #sweep: Alarm | null = null;
  #sweep_at_ms = Number.POSITIVE_INFINITY;
  #next_sweep_ms = 0;
  #closed = false;

  constructor(options: LocationOptions) {
    this.clock = options.clock;
    this.log = options.log;
    this.table = new BindingTable(options.clock);
    this.#bindings_max = options.bindings_max;
    const { metrics } = options;
    this.#expired = metrics.counter(
      "sipedge_location_expired_total",
      "Bindings that ended without a refresh",
    );
    this.#refused = metrics.counter("sipedge_location_full_table_total", "Changes refused by bindings_max");
    metrics.gauge("sipedge_location_bindings", "Bindings held", () => this.size);
    metrics.gauge("sipedge_location_users", "Users with a binding", () => this.users);
  }

  /** Stores the changes in order, all or none. Must not throw. */
  protected abstract write(changes: readonly Change[]): StoreFailure | null;
  abstract health(): StoreHealth;
  abstract snapshot(): LocationSnapshot;

  bindings(user: string): readonly Binding[] {
    return this.table.live(user);
  }

  get size(): number {
    return this.table.size;
  }

  get users(): number {
    return this.table.users;
  }

  all(): IterableIterator<Binding> {
    return this.table.all();
  }

  replace(user: string, next: readonly Binding[], done: ReplaceDone): void {
    const before = this.table.held(user);
    if (next.length > before.length && this.size + next.length - before.length > this.#bindings_max) {
      this.#refused.inc();
      const message = `the store holds bindings_max = ${this.#bindings_max} bindings`;
      this.#add({ user, before, after: before, done, refused: { code: "full_table", message } });
      return;
    }
    this.#add({ user, before, after: this.table.put(user, next), done, refused: null });
    this.#arm();
  }

  watch(listener: BindingListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  close(): void {
    this.#finishTurn();
    this.#closed = true;
    this.#sweep?.cancel();
    this.#sweep = null;
  }

  protected get closed(): boolean {
    return this.#closed;
  }

  /** True while writes are known to fail: no sweep is tried. */
  protected get resting(): boolean {
    return false;
  }

  protected baseSnapshot(kind: string): Omit<LocationSnapshot, "details"> {
    const { size, users } = this;
    return { kind, bindings: size, bindings_max: this.#bindings_max, users, health: this.health() };
  }

  /** To be called when changes work again, and once after loading: the sweep rests while they fail. */
  protected startSweep(): void {
    this.#arm();
  }

  #add(change: Change): void {
    if (this.#turn.length === 0) this.clock.atTurnEnd(() => this.#finishTurn());
    this.#turn.push(change);
  }

  #finishTurn(): void {
    const turn = this.#turn;
    if (turn.length === 0) return;
    this.#turn = [];
    const failure = this.#closed ? CLOSED : this.write(turn);
    if (failure !== null) this.#undo(turn);
    for (const { done, refused } of turn) {
      if (done !== null) this.#call(() => done(refused ?? failure));
    }
    if (failure === null) for (const change of turn) this.#tell(change);
    this.#arm();
  }

  #undo(turn: readonly Change[]): void {
    for (const { user, before } of turn.toReversed()) this.table.put(user, before);
  }

  #tell({ before, after }: Change): void {
    if (before === after) return;
    for (const old of before) {
      if (withKey(after, old.key) !== null) continue;
      const expired = old.expires_at_ms <= this.clock.wall();
      if (expired) this.#expired.inc();
      this.#emit(expired ? "expired" : "removed", old);
    }
    if (this.#listeners.size === 0) return;
    for (const binding of after) {
      if (before.includes(binding)) continue;
      this.#emit(withKey(before, binding.key) === null ? "added" : "refreshed", binding);
    }
  }

  #emit(kind: BindingEventKind, binding: Binding): void {
    for (const listener of this.#listeners) this.#call(() => listener(kind, binding));
  }

  /** One caller's fault must not keep the others of the turn from their answers. */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.log.error("location-callback-failed", { error: String(error) });
    }
  }

  #arm(): void {
    const next = this.table.next_end_ms;
    if (this.#closed || next === Number.POSITIVE_INFINITY || this.resting) {
      this.#sweep?.cancel();
      this.#sweep = null;
      return;
    }
    const at = Math.max(next, this.#next_sweep_ms);
    if (this.#sweep !== null) {
      if (this.#sweep_at_ms <= at) return;
      this.#sweep.cancel();
    }
    this.#sweep_at_ms = at;
    this.#sweep = this.clock.after(Math.max(0, at - this.clock.now()), () => {
      this.#sweep = null;
      this.#sweepEnded();
    });
  }

  #sweepEnded(): void {
    const users = this.table.takeEnded(SWEEP_USERS_MAX);
    const go_on = users.length === SWEEP_USERS_MAX;
    this.#next_sweep_ms = this.clock.now() + (go_on ? SWEEP_GO_ON_MS : SWEEP_INTERVAL_MS);
    for (const user of users) {
      const before = this.table.held(user);
      const after = this.table.put(user, this.table.live(user));
      this.#add({ user, before, after, done: null, refused: null });
    }
    this.#arm();
  }
}

const CLOSED: StoreFailure = { code: "io", message: "the store is closed" };
