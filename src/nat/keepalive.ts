/**
 * Keeps the NATs of phones open: one ping per flow and round, however many registrations, subscriptions and calls
 * need it, spread evenly over the round. No flow has a timer of its own.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow, FlowObserver, LocalEndpoint, Transports } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { type EndpointSnapshot, KeptEndpoint } from "./keepalive-endpoint.ts";
import { KeepaliveMetrics } from "./keepalive-metrics.ts";
import type { PingWords } from "./keepalive-ping.ts";
import { readAnswer, readPingBranch, requestUriFor } from "./keepalive-ping.ts";
import { Rounds } from "./keepalive-rounds.ts";
import type { KeepaliveCondition, KeptFlow, KeptState } from "./kept-flow.ts";
import { isFrom, isRemembered } from "./kept-flow.ts";
import { PingWriter } from "./ping-writer.ts";

export interface KeepaliveRules extends PingWords {
  readonly enabled: boolean;
  /** The length of a round. */
  readonly interval_ms: number;
  /** After so many pings in a row without an answer a flow is lost; 0: never. */
  readonly lost_after: number;
}

export interface KeepaliveParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly state: KeptState;
}

export interface KeepaliveCounts {
  readonly all: number;
  readonly registration: number;
  readonly subscription: number;
  readonly dialog: number;
}

/** Flows kept open at once; one more is not, which is counted. */
export const ENDPOINTS_MAX = 200_000;

export class Keepalive implements FlowObserver {
  /** Told once when a flow has missed `lost_after` pings, or its connection was closed; and when it is back. */
  onChange: ((endpoint: EndpointSnapshot, lost: boolean) => void) | null = null;
  readonly #parts: KeepaliveParts;
  readonly #metrics: KeepaliveMetrics;
  readonly #endpoints = new Map<string, KeptEndpoint>();
  readonly #numbers = new Map<number, KeptEndpoint>();
  /** `condition key` → ids of the flows it keeps open. */
  readonly #flowsOf = new Map<string, Set<string>>();
  readonly #rounds: Rounds<KeptEndpoint>;
  readonly #writer = new PingWriter();
  #rules: KeepaliveRules;
  #enabled: boolean;
  #next = 0;

  constructor(parts: KeepaliveParts, rules: KeepaliveRules) {
    this.#parts = parts;
    this.#rules = rules;
    this.#enabled = rules.enabled;
    this.#rounds = new Rounds(parts.clock, rules.interval_ms, (endpoint, now) => this.#visit(endpoint, now));
    this.#metrics = new KeepaliveMetrics(parts.metrics, () => this.counts());
    for (const { condition, key, until_ms, flow } of parts.state.load())
      this.#add(flow, condition, key, until_ms, null);
    this.#rounds.start();
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Until the next `configure` that says otherwise. */
  setEnabled(enabled: boolean): void {
    this.#enabled = enabled; // rounds go on: reasons end while there are no pings, too
    if (enabled) return;
    for (const endpoint of this.#endpoints.values()) endpoint.waiting_since = null;
  }

  configure(rules: KeepaliveRules): void {
    const before = this.#rules;
    this.#rules = rules;
    this.#rounds.interval_ms = rules.interval_ms;
    if (rules.enabled !== before.enabled) this.setEnabled(rules.enabled);
  }

  /**
   * Keeps this flow open until that Unix time, for one more reason or for the same one longer. `uri` is what pings
   * are sent for; null: the address itself.
   */
  keep(
    flow: KeptFlow,
    condition: KeepaliveCondition,
    key: string,
    until_ms: number,
    uri: string | null,
  ): void {
    if (this.#add(flow, condition, key, until_ms, uri) && isRemembered(flow, condition))
      this.#parts.state.put({ condition, key, until_ms, flow });
  }

  release(flow_id: string, condition: KeepaliveCondition, key: string): void {
    const endpoint = this.#endpoints.get(flow_id);
    if (endpoint !== undefined) this.#end(endpoint, condition, key);
  }

  /** The same on every flow. */
  releaseKey(condition: KeepaliveCondition, key: string): void {
    const flows = this.#flowsOf.get(`${condition} ${key}`);
    if (flows !== undefined) for (const id of [...flows]) this.release(id, condition, key);
  }

  /** A phone said something of its own over this flow: it is there. */
  heard(flow_id: string): void {
    const endpoint = this.#endpoints.get(flow_id);
    if (endpoint === undefined) return;
    endpoint.missed = 0;
    endpoint.waiting_since = null;
    if (endpoint.lost) this.#back(endpoint);
  }

  /**
   * Whether a response answers a ping of ours; any status does. One that was not sent there, or comes from
   * elsewhere, is counted and not believed.
   */
  answered(response: SipMessage, flow: Flow): boolean {
    const { via } = response;
    const branch = via === null || via instanceof ParseError ? null : via.branch;
    const ping = branch === null ? null : readPingBranch(branch);
    if (ping === null) return false;
    const endpoint = this.#numbers.get(ping.number);
    const { token, cseq, flow: kept } = endpoint ?? NOBODY;
    if (endpoint === undefined || token !== ping.token || !(ping.cseq <= cseq) || !isFrom(kept, flow)) {
      this.#metrics.forged.inc();
      return true;
    }
    if (response.status >= 200) this.#answeredBy(endpoint, ping.cseq);
    return true;
  }

  /**
   * The short way for answers as they usually come: true when these are the bytes of a final answer to a ping of ours,
   * from whom it went to. Everything else is read like any message, and may come to `answered`.
   */
  takes(bytes: Buffer, flow: Flow): boolean {
    const answer = this.#endpoints.size === 0 ? null : readAnswer(bytes, this.#numbers);
    if (answer === null || !isFrom(answer.endpoint.flow, flow)) return false;
    this.#answeredBy(answer.endpoint, answer.cseq);
    return true;
  }

  #answeredBy(endpoint: KeptEndpoint, cseq: number): void {
    if (!endpoint.answer(cseq, this.#parts.clock.now())) return;
    this.#metrics.answered.inc();
    if (endpoint.lost) this.#back(endpoint);
  }

  /** Null: it is not kept open. */
  find(flow_id: string): KeptEndpoint | null {
    return this.#endpoints.get(flow_id) ?? null;
  }

  snapshot(max: number): EndpointSnapshot[] {
    const rows: EndpointSnapshot[] = [];
    for (const endpoint of this.#endpoints.values()) {
      if (rows.length >= max) break;
      rows.push(endpoint.snapshot());
    }
    return rows;
  }

  counts(): KeepaliveCounts {
    const counts = { all: this.#endpoints.size, registration: 0, subscription: 0, dialog: 0 };
    for (const endpoint of this.#endpoints.values()) {
      if (endpoint.has("registration")) counts.registration++;
      if (endpoint.has("subscription")) counts.subscription++;
      if (endpoint.has("dialog")) counts.dialog++;
    }
    return counts;
  }

  flowClosed(flow: Flow): void {
    const endpoint = this.#endpoints.get(flow.id);
    if (endpoint === undefined) return;
    endpoint.lost = true;
    this.#forget(endpoint);
    this.#tell(endpoint, true);
  }

  close(): void {
    this.#rounds.stop();
  }

  #add(
    flow: KeptFlow,
    condition: KeepaliveCondition,
    key: string,
    until_ms: number,
    uri: string | null,
  ): boolean {
    const endpoint = this.#endpoints.get(flow.id) ?? this.#make(flow);
    if (endpoint === null) return false;
    const { clock } = this.#parts;
    if (!endpoint.add(condition, key, clock.now() + until_ms - clock.wall())) {
      this.#metrics.refused.inc();
      return false;
    }
    if (uri !== null) endpoint.uri = requestUriFor(uri);
    const name = `${condition} ${key}`;
    const flows = this.#flowsOf.get(name);
    if (flows === undefined) this.#flowsOf.set(name, new Set([flow.id]));
    else flows.add(flow.id);
    return true;
  }

  /** Null: there are too many, or its connection is closed already. */
  #make(flow: KeptFlow): KeptEndpoint | null {
    if (this.#endpoints.size >= ENDPOINTS_MAX) {
      this.#metrics.refused.inc();
      return null;
    }
    if (flow.transport !== "udp") {
      const live = this.#parts.transports.flowById(flow.id);
      if (live === null) return null;
      live.watch(this);
    }
    const endpoint = new KeptEndpoint(flow, this.#next++, this.#parts.dice.token());
    this.#rounds.add(endpoint);
    this.#endpoints.set(flow.id, endpoint);
    this.#numbers.set(endpoint.number, endpoint);
    return endpoint;
  }

  #end(endpoint: KeptEndpoint, condition: KeepaliveCondition, key: string): void {
    endpoint.remove(condition, key);
    this.#ended(endpoint.flow, `${condition} ${key}`);
    if (endpoint.idle) this.#forget(endpoint);
  }

  /** Of a reason that the endpoint has forgotten, `condition key`. */
  #ended(flow: KeptFlow, name: string): void {
    this.#unname(name, flow.id);
    const space = name.indexOf(" ");
    const condition = name.slice(0, space) as KeepaliveCondition;
    if (isRemembered(flow, condition)) this.#parts.state.drop(condition, name.slice(space + 1), flow.id);
  }

  #unname(name: string, flow_id: string): void {
    const flows = this.#flowsOf.get(name);
    flows?.delete(flow_id);
    if (flows?.size === 0) this.#flowsOf.delete(name);
  }

  #forget(endpoint: KeptEndpoint): void {
    const { flow, number } = endpoint;
    for (const name of endpoint.names()) this.#unname(name, flow.id);
    this.#endpoints.delete(flow.id);
    this.#numbers.delete(number);
    this.#rounds.remove(endpoint);
    if (flow.transport !== "udp") this.#parts.transports.flowById(flow.id)?.unwatch(this);
  }

  #visit(endpoint: KeptEndpoint, now: number): void {
    const ended = endpoint.expire(now);
    for (const name of ended) this.#ended(endpoint.flow, name);
    if (ended.length > 0 && endpoint.idle) this.#forget(endpoint);
    else if (this.#enabled) this.#ping(endpoint, now);
  }

  #ping(endpoint: KeptEndpoint, now: number): void {
    if (endpoint.waiting_since !== null) this.#missed(endpoint);
    endpoint.waiting_since = null;
    const flow = this.#flowOf(endpoint);
    if (flow === null || !flow.send(this.#writer.write(endpoint, flow, this.#rules))) {
      this.#metrics.unsent.inc(); // our own trouble tells nothing of the phone
      return;
    }
    if (this.#rules.method !== "zero_bytes") endpoint.waiting_since = now;
    endpoint.sent++;
    this.#metrics.sent(this.#rules.method);
  }

  #flowOf(endpoint: KeptEndpoint): Flow | null {
    if (endpoint.live?.open === true) return endpoint.live;
    const { id, transport } = endpoint.flow;
    if (transport !== "udp") return this.#parts.transports.flowById(id);
    endpoint.live = this.#udpFlow(endpoint.flow);
    return endpoint.live;
  }

  #udpFlow({ local_address, local_port, remote_address, remote_port }: KeptFlow): Flow | null {
    const { transports } = this.#parts;
    const isItsSocket = ({ address, port, transport: t }: LocalEndpoint): boolean =>
      t === "udp" && port === local_port && address === local_address;
    const local = transports.endpoints().find(isItsSocket);
    return local === undefined ? null : transports.flowTo("udp", remote_address, remote_port, local);
  }

  #missed(endpoint: KeptEndpoint): void {
    endpoint.missed++;
    this.#metrics.missed.inc();
    const { lost_after } = this.#rules;
    if (lost_after === 0 || endpoint.lost || endpoint.missed < lost_after) return;
    endpoint.lost = true;
    this.#metrics.lost.inc();
    this.#tell(endpoint, true);
  }

  #back(endpoint: KeptEndpoint): void {
    endpoint.lost = false;
    this.#tell(endpoint, false);
  }

  #tell(endpoint: KeptEndpoint, lost: boolean): void {
    const snapshot = endpoint.snapshot();
    this.#parts.log.info(lost ? "flow-lost" : "flow-back", {
      flow: snapshot.flow_id,
      missed: snapshot.missed,
    });
    this.onChange?.(snapshot, lost);
  }
}

const NOBODY = { token: "", cseq: -1, flow: null };
