/** Sources for the API over a real store and real metrics, with every snapshot changeable. */

import { expect } from "bun:test";
import type { Api } from "../../src/api/api.ts";
import { createApi } from "../../src/api/api.ts";
import { Events, topicsOf } from "../../src/api/events.ts";
import { History, measuredOf } from "../../src/api/history.ts";
import type {
  ApiSources,
  ApplianceSnapshot,
  KeptEndpointSnapshot,
  ProcessSnapshot,
} from "../../src/api/sources.ts";
import type { Fields, Log } from "../../src/base/log.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Call } from "../../src/calls/call.ts";
import type { StoredRecord } from "../../src/calls/sqlite-records.ts";
import type { DeadTarget } from "../../src/dns/dead-targets.ts";
import type { RecordSnapshot, ResolverSnapshot } from "../../src/dns/resolver.ts";
import type { Binding } from "../../src/location/binding.ts";
import type { ForwardRules } from "../../src/location/forwards.ts";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { MemoryForwardStore } from "../../src/location/memory-forwards.ts";
import { MemoryStore } from "../../src/location/memory-store.ts";
import type { StoreHealth } from "../../src/location/store.ts";
import type { User, UserStore } from "../../src/location/users.ts";
import type { PeerSnapshot } from "../../src/peers/snapshot.ts";
import { ChunkStore } from "../../src/trace/chunk-store.ts";
import { Trace } from "../../src/trace/trace.ts";
import type { TransactionsSnapshot } from "../../src/transaction/snapshot.ts";
import type { ConnectionSnapshot } from "../../src/transport/connections.ts";
import { binding, stored } from "../location/bindings.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

export const TOKEN = "a-token-nobody-guesses";
export const LOOPBACK = { token: null, address: "127.0.0.1" };
export const GUARDED = { token: TOKEN, address: "192.0.2.1" };
export const HA1_MD5 = "feedc0defeedc0defeedc0defeedc0de";
export const HA1_SHA256 = HA1_MD5 + HA1_MD5;

/** A store that can be told to be ill. */
class Store extends MemoryStore {
  ill: StoreHealth | null = null;

  override health(): StoreHealth {
    return this.ill ?? super.health();
  }
}

/** Ends its turns by itself: the API waits for them. */
class TurningClock extends VirtualClock {
  override atTurnEnd(fn: () => void): void {
    super.atTurnEnd(fn);
    setImmediate(() => this.endTurn());
  }
}

export class FakeSources implements ApiSources {
  readonly clock = new TurningClock();
  /** What was logged, as `event` and its fields. */
  readonly lines: [event: string, fields: Fields | undefined][] = [];
  readonly log: Log = {
    ...silentLog,
    info: (event, fields) => void this.lines.push([event, fields]),
    warn: (event, fields) => void this.lines.push([event, fields]),
  };
  readonly metrics = new Metrics();
  readonly store = new Store({
    clock: this.clock,
    log: silentLog,
    metrics: this.metrics,
    bindings_max: 100_000,
  });
  accounts: User[] = [];
  readonly users: UserStore = {
    find: (name) => this.accounts.find((user) => user.name === name) ?? null,
    list: () => this.accounts,
    put: () => null,
    remove: () => null,
    setConfigUsers: () => {},
  };
  readonly forwards = new MemoryForwardStore();
  groups: string[] = [];
  now: ApplianceSnapshot = {
    version: "1.2.3",
    commit: "0123456789abcdef0123456789abcdef01234567",
    started_ms: this.clock.now() - 93_784_000,
    phase: "running",
    listeners: [
      { transport: "udp", address: "127.0.0.1", port: 5060, sentBy: "127.0.0.1:5060" },
      { transport: "tcp", address: "2001:db8::1", port: 5060, sentBy: "edge.example.test:5060" },
    ],
    domains: ["example.test", "127.0.0.1"],
    aor_domain: "example.test",
    realm: "example.test",
    reload: null,
  };
  rows: ConnectionSnapshot[] = [];
  running: TransactionsSnapshot = { server: 0, client: 0, timers: 0, states: {}, transactions: [] };
  used: ProcessSnapshot = {
    rss_bytes: 43_000_000,
    heap_bytes: 5_000_000,
    cpu_user_s: 1.25,
    cpu_system_s: 0.5,
  };

  config(): Readonly<Record<string, unknown>> {
    return { domains: ["example.test"], user: [{ name: "alice", password: "***" }] };
  }
  appliance(): ApplianceSnapshot {
    return this.now;
  }
  process(): ProcessSnapshot {
    return this.used;
  }
  isGroup(name: string): boolean {
    return this.groups.includes(name);
  }
  transactionCounts(): { server: number; client: number } {
    return this.running;
  }

  transactions(max: number): TransactionsSnapshot {
    return { ...this.running, transactions: this.running.transactions.slice(0, max) };
  }
  answers: RecordSnapshot[] = [];
  dead: DeadTarget[] = [];
  readonly dns = {
    snapshot: (max: number): ResolverSnapshot => ({
      entries: this.answers.length,
      entries_max: 5000,
      bytes: 100 * this.answers.length,
      bytes_max: 1_000_000,
      underway: 0,
      servers: [{ server: "192.0.2.53", dead: true, retry_in_ms: 1500.4, sent: 3, answered: 1, silent: 2 }],
      records: this.answers.slice(0, max),
    }),
    deadTargets: () => this.dead,
    flush: () => this.answers.splice(0).length,
  };
  readonly trace = new Trace(new ChunkStore(10_000), {
    id: "aB3_",
    call_id: "alice",
    method: "INVITE",
    began_ms: 1_700_000_000_000,
    began_at: 0,
  });
  traces: ApiSources["traces"] = {
    size: 1,
    bytes: 900,
    find: (name) => ([this.trace.id, this.trace.call_id].includes(name) ? this.trace : null),
    newest: (max) => [this.trace].slice(0, max),
  };
  /** From where wrong tokens came. */
  readonly wrongTokens: string[] = [];
  bans: ApiSources["bans"] = {
    running: () => [],
    ban: (text) => text,
    wrongToken: (address) => void this.wrongTokens.push(address),
    lift: () => true,
  };
  certificates = () => [
    { file: "/etc/tls/c.pem", names: ["example.test"], expires_ms: 1_800_000_000_000, problem: null },
  ];
  reports: ReturnType<ApiSources["qualityReports"]> = [];
  qualityReports = (max: number) => this.reports.slice(0, max);
  running_calls: Call[] = [];
  hung_up: string[] = [];
  past: StoredRecord[] = [];
  readonly calls = {
    count: () => this.running_calls.length,
    some: (max: number) => this.running_calls.slice(0, max),
    byId: (id: string) => this.running_calls.find((call) => call.id === id) ?? null,
    totals: () => ({ begun: this.running_calls.length + this.past.length, answered: this.past.length }),
    hangUp: (call: Call) => call.state === "up" && this.hung_up.push(call.id) > 0,
    records: (max: number, before: number) => this.past.filter(({ seq }) => seq < before).slice(0, max),
  };
  readonly history = new History(this.clock, () => measuredOf(this));
  readonly events = new Events(this.clock, this.metrics, (look) => topicsOf(this, look, this.store.size));
  pings = true;
  kept: KeptEndpointSnapshot[] = [];
  readonly keepalive = {
    enabled: () => this.pings,
    setEnabled: (enabled: boolean) => {
      this.pings = enabled;
    },
    counts: () => ({
      all: this.kept.length,
      registration: this.kept.filter(({ conditions }) => conditions.includes("registration")).length,
      subscription: this.kept.filter(({ conditions }) => conditions.includes("subscription")).length,
      dialog: this.kept.filter(({ conditions }) => conditions.includes("dialog")).length,
    }),
    endpoints: (max: number) => this.kept.slice(0, max),
    reach: ({ flow }: Binding) => {
      const kept = this.kept.find(({ flow_id }) => flow_id === flow.id);
      return {
        reachable: kept?.lost !== true,
        latency_ms: kept?.latency_ms ?? null,
        missed: kept?.missed ?? 0,
      };
    },
  };
  peerRows: readonly PeerSnapshot[] = [];
  engines() {
    const since = this.clock.now() - 1000;
    return [{ instance: "127.0.0.1:2223", weight: 1, up: true, calls: 3, commands_under_way: 0, since }];
  }

  peers(max: number): readonly PeerSnapshot[] {
    return this.peerRows.slice(0, max);
  }

  drained = 0;
  drain(): void {
    this.drained++;
  }

  connectionCount(): number {
    return this.rows.length;
  }
  connections(max: number): readonly ConnectionSnapshot[] {
    return this.rows.slice(0, max);
  }

  /** Registers a user's contact(s); one when nothing is said. */
  register(user: string, ...changes: Partial<Binding>[]): void {
    const all = changes.length === 0 ? [{}] : changes;
    const bindings = all.map((change, i) => binding(this.clock, user, { key: `key-${i}`, ...change }));
    expect(stored(this.clock, this.store, bindings[0]!.user, bindings)).toEqual([null]);
  }

  /** Stores rules of a user. */
  forward(user: string, rules: Partial<ForwardRules>): void {
    expect(this.forwards.set(user, { ...NO_FORWARDS, ...rules })).toBeNull();
  }

  account(name: string, source: User["source"] = "store", disabled = false): void {
    const realm = "example.test";
    this.accounts.push({ name, realm, ha1_md5: HA1_MD5, ha1_sha256: HA1_SHA256, source, disabled });
  }
}

/** The appliance as a busy one would show itself: something in every list. */
export function busySources(): FakeSources {
  const sources = new FakeSources();
  sources.register("alice", {}, { instance: null, reg_id: null, user_agent: null, path: [] });
  sources.register("bob");
  sources.account("alice", "config");
  sources.account("bob", "store", true);
  sources.forward("bob", { busy: "alice", no_answer: "voicemail", no_answer_after_s: 15 });
  sources.rows = [
    {
      id: "tcp:10.0.0.1:5060>[2001:db8::7]:5062#3",
      remote_address: "2001:db8::7",
      remote_port: 5062,
      outgoing: false,
      state: "open",
      bytes_in: 1200,
      bytes_out: 900,
      messages_in: 2,
      queued_bytes: 0,
      since: "2026-01-01T00:10:00.000Z",
      idle_s: 12,
    },
  ];
  const row = {
    machine: "invite_server",
    state: "Proceeding",
    method: "INVITE",
    key: "z9hG4bK1",
    age_ms: 250,
  };
  sources.running = {
    server: 2,
    client: 1,
    timers: 3,
    states: { "invite_server.Proceeding": 2, "invite_client.Calling": 1 },
    transactions: [row, { ...row, key: "z9hG4bK2" }],
  };
  sources.now = {
    ...sources.now,
    reload: {
      at_ms: sources.clock.wall(),
      ok: false,
      errors: ["listen[0].port: 1 to 65535"],
      restart_needed: [],
    },
  };
  return sources;
}

/** An API on loopback without a token. */
export const openApi = (sources: ApiSources): Api => createApi(sources, LOOPBACK);

export async function getJson(api: Api, path: string, status = 200): Promise<Record<string, unknown>> {
  const response = await api.request(path);
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/json");
  return (await response.json()) as Record<string, unknown>;
}

/** A row of what is kept open. */
export function keptFlow(flow_id: string, changes: Partial<KeptEndpointSnapshot> = {}): KeptEndpointSnapshot {
  return {
    flow_id,
    remote: flow_id.slice(flow_id.indexOf(">") + 1).replace(/#.*$/, ""),
    conditions: ["registration"],
    sent: 4,
    answered: 3,
    missed: 0,
    latency_ms: null,
    lost: false,
    ...changes,
  };
}
