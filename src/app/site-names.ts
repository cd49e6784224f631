/** The names of the site, and its registrations under the main one. */
import type { LocalEndpoint } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import { Domains } from "../location/domains.ts";
import { moveBindings } from "../location/move-bindings.ts";
import type { LocationStore } from "../location/store.ts";

export class SiteNames {
  readonly domains = new Domains();
  readonly #store: LocationStore;
  readonly #log: Log;
  /** Under which registrations stand; null: nobody has looked yet. */
  #main: string | null = null;

  constructor({ store, log }: { readonly store: LocationStore; readonly log: Log }) {
    this.#store = store;
    this.#log = log;
  }

  /** As configured, and as we listen now. Call again when either changes. */
  take(names: readonly string[], endpoints: readonly LocalEndpoint[]): void {
    this.domains.configure(names, endpoints);
    const { canonical } = this.domains;
    if (canonical === this.#main) return;
    this.#main = canonical;
    const moved = moveBindings(this.#store, canonical);
    if (moved > 0) this.#log.info("registrations-moved", { bindings: moved, to: canonical });
  }
}
