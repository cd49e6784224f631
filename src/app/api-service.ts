/**
 * The status API of a running appliance: its socket, the day of samples behind its charts, and who listens to events.
 */
import { createApi } from "../api/api.ts";
import { Events, topicsOf } from "../api/events.ts";
import { History, measuredOf } from "../api/history.ts";
import type { ApiServer } from "../api/server.ts";
import { serveApi } from "../api/server.ts";
import type { ApiSources } from "../api/sources.ts";
import type { Clock } from "../base/clock.ts";
import { hostPort } from "../base/flow.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config } from "../config/schema.ts";

export class ApiService {
  readonly history: History;
  readonly events: Events;
  readonly #sources: () => ApiSources;
  #server: ApiServer | null = null;
  #bindingChanges = 0;

  constructor(clock: Clock, metrics: Metrics, sources: () => ApiSources) {
    this.#sources = sources;
    this.history = new History(clock, () => measuredOf(sources()));
    this.events = new Events(clock, metrics, (look) => topicsOf(sources(), look, this.#bindingChanges));
  }

  /** Where it answers; null when it is off. */
  get url(): string | null {
    return this.#server === null ? null : `http://${hostPort(this.#server.address, this.#server.port)}`;
  }

  /** Listens as the config says, in place of what it did before; what stands in the way. */
  async serve({ http }: Config): Promise<readonly string[]> {
    await this.stop();
    const { enabled, address, port, token = null, read_token = null } = http;
    if (!enabled) return [];
    const served = serveApi(createApi(this.#sources(), { address, token, read_token }), address, port);
    if ("code" in served) return [`http.port: ${served.message}`];
    this.#server = served;
    return [];
  }

  /** Some registration came, went or was refreshed. */
  bindingChanged(): void {
    this.#bindingChanges++;
  }

  /** Closes the socket; streams of events end in order. */
  async stop(): Promise<void> {
    this.events.close();
    await this.#server?.stop();
    this.#server = null;
  }
}
