/**
 * The location service (RFC 3261 §10): which bindings a user has. What every
 * implementation promises; one contract suite holds them all to it.
 */
import type { Binding } from "./binding.ts";

/**
 * Why a change is not stored. `full`: no space left; `readonly`: not writable; `corrupt`: damaged;
 * `busy`: locked by somebody else; `io`: anything else of the medium; `full_table`: our own bound.
 */
export type StoreFailureCode = "full" | "readonly" | "corrupt" | "busy" | "io" | "full_table";

export interface StoreFailure {
  readonly code: StoreFailureCode;
  /** For the log and the status page; names the file where there is one. */
  readonly message: string;
}

export interface StoreHealth {
  readonly ok: boolean;
  /** Why changes fail; null while they work. */
  readonly code: StoreFailureCode | null;
  /** Empty while changes work. */
  readonly message: string;
  /** Unix time since which this has been so. */
  readonly since_ms: number;
}

export type BindingEventKind = "added" | "refreshed" | "removed" | "expired";

/** Called with what happened and the binding as it is now (added, refreshed) or was last (removed, expired). */
export type BindingListener = (kind: BindingEventKind, binding: Binding) => void;

/** Called once, never from within `replace`: null when the change is stored, else why memory took it back. */
export type ReplaceDone = (failure: StoreFailure | null) => void;

/** For the status API. */
export interface LocationSnapshot {
  readonly kind: string;
  readonly bindings: number;
  readonly bindings_max: number;
  readonly users: number;
  readonly health: StoreHealth;
  /** What only this kind of store has to say. */
  readonly details: Readonly<Record<string, number | string>>;
}

export interface LocationStore {
  /**
   * The live bindings of a user, newest registration last; from memory, also while the store is ill.
   * The array is the store's own: it never changes, a later call may return another one.
   */
  bindings(user: string): readonly Binding[];
  /**
   * Makes `next` the bindings of `user` (all of that user, one per key) and keeps the array. Memory
   * changes at once. At the end of the turn all changes of the turn are stored together, all or none,
   * and `done` is called; after a failure memory is as it was before the turn. Binding objects that
   * are already stored are not written again. Growth beyond `bindings_max` fails with `full_table`
   * and changes nothing.
   */
  replace(user: string, next: readonly Binding[], done: ReplaceDone): void;
  /** Every live binding, in no order. Changes while it runs may or may not show. */
  all(): IterableIterator<Binding>;
  /** How many bindings are held, including expired ones that wait to be swept. */
  readonly size: number;
  /** How many users have a binding. */
  readonly users: number;
  health(): StoreHealth;
  snapshot(): LocationSnapshot;
  /** Tells of changes once they are stored, after `done`. Returns what ends the watch. Must not throw. */
  watch(listener: BindingListener): () => void;
  /** Stores what is pending and lets go of everything. Later changes fail with `io`. */
  close(): void;
}
