/**
 * Which servers are asked for a name: those of the longest configured suffix, else the configured ones,
 * else those of resolv.conf as it stands now.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { ExchangeLimits } from "./exchange.ts";
import type { ResolverOptions } from "./resolver-options.ts";
import type { ServerSnapshot } from "./servers.ts";
import { ServerGroup } from "./servers.ts";
import type { Files } from "./sockets.ts";
import type { ResolvConf } from "./system-files.ts";
import { parseResolvConf } from "./system-files.ts";
import { WatchedFile } from "./watched-file.ts";

const TIMEOUT_MS = 2000;
const ATTEMPTS = 2;

export class ServerChoice {
  readonly #changed: () => void;
  #options: ResolverOptions;
  readonly #file: WatchedFile<ResolvConf>;
  #conf: ResolvConf;
  #main: ServerGroup;
  #forwarders: readonly { readonly suffix: string; readonly group: ServerGroup }[] = [];

  /** `changed` is called when other servers are asked from now on: their answers may be others. */
  constructor(
    options: ResolverOptions,
    parts: { readonly clock: Clock; readonly files: Files; readonly log: Log },
    changed: () => void,
  ) {
    this.#options = options;
    this.#changed = changed;
    this.#file = new WatchedFile(options.resolv_conf_path, parseResolvConf, parts);
    this.#conf = this.#file.value;
    this.#main = new ServerGroup([]);
    this.#build();
  }

  configure(options: ResolverOptions): void {
    this.#options = options;
    this.#build();
    this.#changed();
  }

  /** Looks whether resolv.conf has changed (at most once a second). */
  refresh(): void {
    const conf = this.#file.value;
    if (conf === this.#conf) return;
    this.#conf = conf;
    this.#build();
    this.#changed();
  }

  get limits(): ExchangeLimits {
    const { timeout_ms, attempts, total_ms } = this.#options;
    return {
      timeout_ms: timeout_ms ?? this.#conf.timeout_ms ?? TIMEOUT_MS,
      attempts: attempts ?? this.#conf.attempts ?? ATTEMPTS,
      total_ms,
    };
  }

  groupFor(name: string): ServerGroup {
    for (const { suffix, group } of this.#forwarders) {
      if (name === suffix || name.endsWith(`.${suffix}`)) return group;
    }
    return this.#main;
  }

  snapshot(now_ms: number): readonly ServerSnapshot[] {
    const groups = [this.#main, ...this.#forwarders.map(({ group }) => group)];
    return groups.flatMap((group) => group.servers.map((server) => server.snapshot(now_ms)));
  }

  /** What is known of a server's health is kept when it stays. */
  #build(): void {
    const { servers, forwarders } = this.#options;
    const known = [this.#main, ...this.#forwarders.map(({ group }) => group)].flatMap((g) => g.servers);
    this.#main = new ServerGroup(servers.length > 0 ? servers : this.#conf.servers, known);
    this.#forwarders = forwarders
      .map(({ suffix, servers: own }) => ({ suffix, group: new ServerGroup(own, known) }))
      .sort((a, b) => b.suffix.length - a.suffix.length);
  }
}
