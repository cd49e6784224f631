/**
 * Which flows are kept open, and for what: those of registered phones, of calls and of subscriptions, where the
 * phone is reached over its flow only, or all of them (keepalive.to).
 */
import type { Clock } from "../base/clock.ts";
import type { Flow, Transports } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/schema.ts";
import type { Binding } from "../location/binding.ts";
import { withKey } from "../location/binding.ts";
import type { LocationStore } from "../location/store.ts";
import { ParseError } from "../message/parse-error.ts";
import { parseUri } from "../message/uri.ts";
import type { Keepalive, KeepaliveRules } from "../nat/keepalive.ts";
import type { KeepaliveCondition, KeptFlow } from "../nat/kept-flow.ts";
import type { FlowKeeper } from "../proxy/flow-keeper.ts";
import { isBound } from "../proxy/next-flow.ts";

/** A call whose BYE never came is over after so long. */
const CALL_LIFE_MS = 12 * 3600 * 1000;

export class AppFlowKeeper implements FlowKeeper {
  readonly #keepalive: Keepalive;
  readonly #clock: Clock;
  readonly #log: Log;
  #store: LocationStore | null = null;
  #config: Config;
  /** Devices that want no pings, by their User-Agent. */
  #quiet: readonly RegExp[] = [];

  constructor(keepalive: Keepalive, clock: Clock, log: Log, config: Config) {
    this.#keepalive = keepalive;
    this.#log = log;
    this.#clock = clock;
    this.#config = config;
    this.configure(config);
  }

  /** `bindings`: all there are, which may be kept or not from now on. */
  configure(config: Config, bindings: Iterable<Binding> = []): void {
    this.#config = config;
    this.#quiet = config.device
      .filter(({ keepalive }) => !keepalive)
      .map(({ user_agent }) => pattern(user_agent));
    this.#keepalive.configure(keepaliveRules(config));
    for (const binding of bindings) {
      if (this.#isKept(binding)) this.#keep(binding);
      else this.#release(binding);
    }
  }

  /** After a registration changed. */
  registered(before: readonly Binding[], after: readonly Binding[]): void {
    for (const binding of before) {
      const now = after.find(({ key }) => key === binding.key);
      if (now === undefined || now.flow.id !== binding.flow.id || !this.#isKept(now)) this.#release(binding);
    }
    for (const binding of after) {
      if (before.includes(binding)) continue;
      if (this.#isKept(binding)) this.#keep(binding);
      if (isBound(binding) && binding.flow.transport === "udp") this.#displace(binding);
      this.#keepalive.heard(binding.flow.id);
    }
  }

  /** Bindings that come to their end by themselves. */
  follow(store: LocationStore): void {
    this.#store = store;
    store.watch((kind, binding) => {
      if (kind === "expired") this.#release(binding);
    });
  }

  call(flow: Flow, callId: string, established: boolean): void {
    const life_ms = established ? CALL_LIFE_MS : this.#config.timers.invite_lifetime_s * 1000;
    this.#keepalive.keep(keptFlow(flow), "dialog", callId, this.#clock.wall() + life_ms, null);
  }

  left(flow: Flow, callId: string): void {
    this.#keepalive.release(flow.id, "dialog", callId);
  }

  over(callId: string): void {
    this.#keepalive.releaseKey("dialog", callId);
  }

  subscription(flow: Flow, callId: string, expires_s: number): void {
    this.#keepFor(flow, "subscription", callId, expires_s);
  }

  registration(flow: Flow, callId: string, expires_s: number): void {
    this.#keepFor(flow, "registration", callId, expires_s);
  }

  isLost(flowId: string): boolean {
    return this.#keepalive.find(flowId)?.lost ?? false;
  }

  /** Whether calls are sent to a registered phone now, and what pings say. */
  reach(
    binding: Binding,
    transports: Transports,
  ): { readonly reachable: boolean; readonly latency_ms: number | null; readonly missed: number } {
    const { id, transport } = binding.flow;
    const endpoint = this.#keepalive.find(id);
    const isGone =
      isBound(binding) && (transport === "udp" ? this.isLost(id) : transports.flowById(id) === null);
    return {
      reachable: binding.path.length > 0 || !isGone,
      latency_ms: endpoint?.latency_ms ?? null,
      missed: endpoint?.missed ?? 0,
    };
  }

  /** A NAT gave the port of a phone that fell silent to another one: the first can no longer be meant by it. */
  #displace(fresh: Binding): void {
    const store = this.#store;
    if (store === null) return;
    for (const key of this.#keepalive.find(fresh.flow.id)?.keysOf("registration") ?? []) {
      const user = key.slice(0, key.indexOf(" ")); // a user part has no space (RFC 3261 §25.1)
      const bindings = store.bindings(user);
      const other = withKey(bindings, key.slice(user.length + 1));
      if (other === null || other === fresh || other.flow.id !== fresh.flow.id || isSameDevice(other, fresh))
        continue;
      this.#log.info("registration-displaced", {
        user,
        contact: other.contact,
        flow: other.flow.id,
        by: fresh.user,
      });
      this.#release(other);
      const rest = bindings.filter((binding) => binding !== other);
      store.replace(user, rest, () => {}); // what the disk does not take ends by itself
    }
  }

  #keepFor(flow: Flow, condition: KeepaliveCondition, key: string, expires_s: number): void {
    const until_ms = this.#clock.wall() + expires_s * 1000;
    if (expires_s === 0) this.#keepalive.release(flow.id, condition, key);
    else this.#keepalive.keep(keptFlow(flow), condition, key, until_ms, null);
  }

  #isKept(binding: Binding): boolean {
    const { path, user_agent } = binding;
    if (path.length > 0) return false; // the edge at the other end of the Path keeps it
    if (this.#config.keepalive.to === "nat" && !isBound(binding)) return false;
    return user_agent === null || !this.#quiet.some((device) => device.test(user_agent));
  }

  #keep(binding: Binding): void {
    const { user, key, contact, expires_at_ms, flow } = binding;
    this.#keepalive.keep(flow, "registration", `${user} ${key}`, expires_at_ms, contact);
  }

  #release({ user, key, flow }: Binding): void {
    this.#keepalive.release(flow.id, "registration", `${user} ${key}`);
  }
}

/** Several accounts of one phone have one Contact address; several flows of it name one instance. */
function isSameDevice(a: Binding, b: Binding): boolean {
  if (a.instance !== null && a.instance === b.instance) return true;
  const [x, y] = [parseUri(a.contact), parseUri(b.contact)];
  return !(x instanceof ParseError || y instanceof ParseError) && x.host === y.host && x.port === y.port;
}

function keptFlow({ id, local, remoteAddress, remotePort, transport }: Flow): KeptFlow {
  return {
    transport,
    local_address: local.address,
    local_port: local.port,
    remote_address: remoteAddress,
    remote_port: remotePort,
    id,
  };
}

/** `*` stands for any text. */
function pattern(text: string): RegExp {
  const parts = text.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "i");
}

export function keepaliveRules({ keepalive }: Config): KeepaliveRules {
  const { enabled, extra_headers, from, interval_s, lost_after, method } = keepalive;
  return { enabled, interval_ms: interval_s * 1000, method, from, extra_headers, lost_after };
}
