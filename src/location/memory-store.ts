/**
 * A location store that forgets everything when it ends: for tests and benchmarks.
 */
import type { LocationSnapshot, StoreFailure, StoreHealth } from "./store.ts";
import { type LocationOptions, TurnStore } from "./turn-store.ts";

export class MemoryStore extends TurnStore {
  readonly #since_ms: number;

  constructor(options: LocationOptions) {
    super(options);
    this.#since_ms = options.clock.wall();
  }

  protected write(): StoreFailure | null {
    return null;
  }

  health(): StoreHealth {
    return { ok: true, code: null, message: "", since_ms: this.#since_ms };
  }

  snapshot(): LocationSnapshot {
    return { ...this.baseSnapshot("memory"), details: {} };
  }
}
