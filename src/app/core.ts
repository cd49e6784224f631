/**
 * Rows 1 to 4 wired together: everything between the sockets and the status API. Takes its clock,
 * dice, sockets and store as arguments, so that a test runs the whole of it on virtual ones.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { Flow, LocalEndpoint, Receiver, Transports } from "../base/flow.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import { Networks } from "../base/networks.ts";
import type { CallRecord } from "../calls/call-record.ts";
import { SessionTimers } from "../calls/session-timer.ts";
import type { Config } from "../config/schema.ts";
import { DeadTargets } from "../dns/dead-targets.ts";
import { Locator } from "../dns/locator.ts";
import type { NameService } from "../dns/records.ts";
import type { BanStore } from "../guard/bans.ts";
import type { Guard } from "../guard/guard.ts";
import { Overload } from "../guard/overload.ts";
import { Domains } from "../location/domains.ts";
import type { ForwardStore } from "../location/forwards.ts";
import type { LocationStore } from "../location/store.ts";
import type { UserStore } from "../location/users.ts";
import type { MediaRelay } from "../media/media-session.ts";
import type { NgPool } from "../media/ng-pool.ts";
import { Edits } from "../message/edits.ts";
import { Scanner } from "../message/scan.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { FlowTokens } from "../nat/flow-token.ts";
import { NatJudge } from "../nat/judge.ts";
import { Keepalive } from "../nat/keepalive.ts";
import type { KeptState } from "../nat/kept-flow.ts";
import { RouteTokens } from "../nat/route-token.ts";
import type { Prober } from "../peers/prober.ts";
import { Screening } from "../peers/screening.ts";
import { KeptFlows } from "../proxy/flow-keeper.ts";
import { OwnContacts } from "../proxy/own-contacts.ts";
import { Registrar } from "../registrar/registrar.ts";
import type { Traces } from "../trace/traces.ts";
import type { TransactionUser } from "../transaction/layer.ts";
import { TransactionLayer } from "../transaction/layer.ts";
import type { ServerTransaction } from "../transaction/server-transaction.ts";
import { Answers, OUR_MISTAKE } from "./answers.ts";
import { Authentication } from "./authentication.ts";
import { CallWatch } from "./call-watch.ts";
import { ConfigDirectory } from "./directory.ts";
import { AppFlowKeeper, keepaliveRules } from "./flow-keeper.ts";
import { makeForwarding } from "./forwarding.ts";
import { GuardedReceiver, guardRules, knowBindings, makeGuard } from "./guarding.ts";
import { Identities } from "./identities.ts";
import { Intake } from "./intake.ts";
import type { AnyRelay } from "./make-relay.ts";
import { makeRelay } from "./make-relay.ts";
import { answerCancel } from "./own-requests.ts";
import { makeProber, probePlace } from "./probes.ts";
import { QualityReports } from "./quality-reports.ts";
import type { ChainRooms } from "./request-chain.ts";
import { isCallForHelp, passThrough } from "./request-chain.ts";
import { locatorRules, proxyRules, registrarLimits, sessionRules } from "./room-rules.ts";
import { makeTracing, traceRules } from "./tracing.ts";
import { AppTrunks } from "./trunks.ts";

export interface CoreParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly store: LocationStore;
  readonly users: UserStore;
  readonly forwards: ForwardStore;
  readonly resolver: NameService;
  /** What keep-alive knows of calls and subscriptions from before a restart. */
  readonly keptState: KeptState;
  /** Where bans outlive a restart. */
  readonly bans: BanStore;
  /** What came from a source that is banned now is to end. */
  readonly onBanned: (source: string) => void;
  /** Where the record of a call goes that is over. */
  readonly record: (record: CallRecord) => void;
  /** 32 secret bytes for dialog tokens, the same after a restart. */
  readonly tokenKey: Uint8Array;
  /** Relays the media of calls; null: nobody does. */
  readonly media: MediaRelay | null;
  /** Relays it in place of `media`; null: no rtpengine does. */
  readonly engine: NgPool | null;
  readonly config: Config;
}

export class Core implements TransactionUser {
  /** Where the transports deliver. */
  readonly receiver: Receiver;
  readonly layer: TransactionLayer;
  readonly domains = new Domains();
  readonly locator: Locator;
  /** Places that failed lately. */
  readonly deadTargets: DeadTargets;
  readonly trunks: AppTrunks;
  readonly keepalive: Keepalive;
  readonly keeper: AppFlowKeeper;
  readonly calls: CallWatch;
  readonly relay: AnyRelay;
  readonly qualityReports: QualityReports;
  readonly traces: Traces;
  readonly guard: Guard;
  readonly #parts: CoreParts;
  readonly #intake: Intake;
  readonly #rooms: ChainRooms;
  readonly #authentication: Authentication;
  readonly #directory: ConfigDirectory;
  readonly #prober: Prober;
  readonly #overload: Overload;
  readonly #sessionTimers: SessionTimers;
  #config: Config;
  #endpoints: readonly LocalEndpoint[];

  constructor(parts: CoreParts) {
    const { clock, dice, log, metrics, transports, config } = parts;
    this.#parts = parts;
    this.#config = config;
    const edits = new Edits();
    const scanner = new Scanner();
    const answers = new Answers(edits, dice, metrics, log);
    this.layer = new TransactionLayer({
      clock,
      metrics,
      transports,
      edits,
      scanner,
      user: this,
      timers: config.timers,
      transactionsMax: config.limits.transactions_max,
      transactionsPerSourceMax: config.limits.transactions_per_source_max,
      isExempt: (address) => this.#rooms.trusted.has(address),
      isUrgent: (request, flow) => isCallForHelp(this.#rooms, request, flow),
      matchCallId: config.limits.match_call_id,
      lookUpReply: (sentBy, found) => this.locator.lookUpResponse(sentBy, found),
    });
    const judge = new NatJudge(config.nat.reasons);
    const { traces, notes } = makeTracing({ clock, metrics, layer: this.layer, answers }, config);
    this.traces = traces;
    this.#intake = new Intake({
      ...{ scanner, layer: this.layer, answers, metrics, log, limits: config.limits },
      onReceived: (message, flow) => traces.received(message, flow),
      takesPing: (bytes, flow) => this.keepalive.takes(bytes, flow),
    });
    this.#endpoints = transports.endpoints();
    this.domains.configure(config.domains, this.#endpoints);
    this.#authentication = new Authentication(parts, config);
    const { authenticator } = this.#authentication;
    const isExempt = (address: string): boolean =>
      this.#rooms.trusted.has(address) || this.trunks.book.peerAt(address) !== null;
    this.guard = makeGuard({ ...parts, store: parts.bans, isExempt }, authenticator, config);
    this.#overload = new Overload(parts);
    this.layer.refusesNew = (method) => this.#overload.refuses(method);
    const callsOf = (account: string): number => this.calls.table.countOf(account);
    const screening = new Screening({ clock, metrics, callsOf }, config);
    this.#directory = new ConfigDirectory({ ...parts, screening }, config);
    const { domains } = this;
    const names = parts.resolver;
    this.trunks = new AppTrunks({ clock, dice, log, metrics, domains, names, screening }, config);
    this.receiver = new GuardedReceiver(this.guard, this.#intake, this.trunks.book);
    const tokens = new RouteTokens(parts.tokenKey);
    const flowTokens = new FlowTokens(parts.tokenKey);
    const contactTokens = new FlowTokens(parts.tokenKey, "contact");
    const contacts = new OwnContacts(contactTokens, domains, config.nat.contact === "rewrite");
    const { keptState: state, store } = parts;
    this.keepalive = new Keepalive({ clock, dice, log, metrics, transports, state }, keepaliveRules(config));
    this.keeper = new AppFlowKeeper(this.keepalive, clock, log, config);
    this.deadTargets = new DeadTargets(clock, metrics, config.dns.dead_target_s * 1000);
    this.locator = new Locator(
      { clock, dice, metrics, names: parts.resolver, dead: this.deadTargets },
      locatorRules(this.#config, this.#endpoints),
    );
    this.calls = new CallWatch(
      {
        ...{ clock, dice, log, metrics, domains, layer: this.layer, record: parts.record },
        onHungUp: (callId) => {
          this.keeper.over(callId);
          this.trunks.dialogEnded(callId);
        },
        onOver: ({ facts, answered_ms }, end) => notes.over(facts.call_id, end, answered_ms !== null),
      },
      config,
    );
    const { relay, gate, observers } = makeRelay(parts, this.calls);
    this.relay = relay;
    this.#sessionTimers = new SessionTimers(this.calls.table, sessionRules(config));
    const { proxy, stateless } = makeForwarding({
      ...{ dice, metrics, transports, layer: this.layer, domains, store, edits, tokens, answers },
      ...{ trunks: this.trunks, deadTargets: this.deadTargets, locator: this.locator },
      ...{ directory: this.#directory, keeper: this.keeper },
      observers: [notes, new KeptFlows(this.keeper), this.calls, ...observers],
      ...{ relay, gate, tap: traces, sessionTimers: this.#sessionTimers, contacts },
      isPeer: (flow) => this.trunks.book.peerOf(flow) !== null,
      isTrusted: (address) => this.#rooms.trusted.has(address),
      peerLines: (flow, account) => this.trunks.calleeLines(flow, account),
      rules: proxyRules(config),
    });
    proxy.onAck = (ack, flow) => this.ack(ack, flow);
    this.qualityReports = new QualityReports(() => clock.wall(), dice, metrics);
    this.#rooms = {
      ...{ reports: this.qualityReports, answers, authenticator, domains, proxy, stateless },
      registrar: new Registrar({ clock, metrics, domains, judge, store, limits: registrarLimits(config) }),
      ...{ tokens, flowTokens, contacts, transports, judge, sessionTimers: this.#sessionTimers, screening },
      trusted: new Networks(config.auth.trusted_networks),
      acceptForeignCallers: config.calls.accept_foreign_callers,
      emergencyNetworks: new Networks(config.emergency.networks),
      identities: new Identities(config),
      isKnown: (address) => this.guard.knows(address),
      isEmergency: (user) => this.#directory.emergency(user) !== null,
      peerOf: (source) => this.trunks.book.peerOf(source)?.name ?? null,
      isServed: (host) => this.trunks.book.serving(host) !== null,
      sosUri: () => this.#directory.sosUri(this.domains.canonical),
      draining: false,
    };
    const probing = { dice, transports, locator: this.locator, layer: this.layer, domains };
    this.deadTargets.probe = (place, done) => probePlace(probing, place, done);
    this.#prober = makeProber(probing, clock, this.trunks.book);
    this.#rooms.registrar.onChange = (user, before, after) => {
      this.keeper.registered(before, after);
      knowBindings(this.guard, after);
      proxy.registered(user, before, after);
    };
    this.keeper.follow(store);
    knowBindings(this.guard, store.all());
  }

  /** Takes over a changed config; running transactions keep the timers they have. */
  configure(config: Config): void {
    this.#config = config;
    this.layer.timers = config.timers;
    this.layer.transactionsMax = config.limits.transactions_max;
    this.layer.transactionsPerSourceMax = config.limits.transactions_per_source_max;
    this.layer.matchCallId = config.limits.match_call_id;
    this.#intake.limits = config.limits;
    this.#authentication.configure(config);
    const { contacts, judge, proxy, registrar } = this.#rooms;
    proxy.rules = proxyRules(config);
    this.#directory.configure(config);
    this.#rooms.identities.configure(config);
    this.keeper.configure(config, this.#parts.store.all());
    this.calls.configure(config);
    this.#rooms.screening.configure(config);
    this.#sessionTimers.rules = sessionRules(config);
    this.relay.configure(config);
    this.traces.configure(traceRules(config));
    this.guard.configure(guardRules(config));
    this.trunks.configure(config);
    this.#prober.configure();
    registrar.limits = registrarLimits(config);
    judge.counted = new Set(config.nat.reasons);
    contacts.hides = config.nat.contact === "rewrite";
    this.deadTargets.dead_ms = config.dns.dead_target_s * 1000;
    this.#rooms.trusted = new Networks(config.auth.trusted_networks);
    this.#rooms.emergencyNetworks = new Networks(config.emergency.networks);
    this.#rooms.acceptForeignCallers = config.calls.accept_foreign_callers;
    this.#endpoints = [];
    this.#followEndpoints();
  }

  /** Our addresses come and go with the machine's; the list is a new one whenever it changes. */
  #followEndpoints(): void {
    const endpoints = this.#parts.transports.endpoints();
    if (endpoints === this.#endpoints) return;
    this.#endpoints = endpoints;
    this.domains.configure(this.#config.domains, endpoints);
    this.locator.options = locatorRules(this.#config, this.#endpoints);
    this.relay.follow(endpoints);
  }

  /** Every name and address we answer for now, the main name first. */
  get names(): readonly string[] {
    this.#followEndpoints();
    return this.domains.names;
  }

  /** Begins what goes on by itself: probes of peers, pings. To be called once the listeners are open. */
  start(): void {
    this.relay.follow(this.#parts.transports.endpoints());
    this.keeper.configure(this.#config, this.#parts.store.all());
    this.#prober.configure();
  }

  /** Ends that, and every timer. */
  close(): void {
    this.#prober.stop();
    this.#overload.close();
    this.keepalive.close();
    this.calls.table.close();
    this.deadTargets.stop();
    this.layer.close();
  }

  /** From now on nothing new is begun: requests outside dialogs get 503. */
  drain(): void {
    this.#rooms.draining = true;
  }

  get draining(): boolean {
    return this.#rooms.draining;
  }

  request(transaction: ServerTransaction, request: SipMessage): void {
    this.#followEndpoints();
    try {
      passThrough(this.#rooms, request, transaction.source, transaction);
    } catch (error) {
      this.#intake.exception(error, transaction.source);
      this.#rooms.answers.refuse(transaction, OUR_MISTAKE);
    }
  }

  cancel(transaction: ServerTransaction, request: SipMessage, invite: ServerTransaction | null): void {
    answerCancel(this.#rooms.answers, transaction, request, invite);
  }

  ack(request: SipMessage, flow: Flow): void {
    this.#followEndpoints();
    passThrough(this.#rooms, request, flow, null);
  }

  strayResponse(response: SipMessage, flow: Flow): void {
    if (this.keepalive.answered(response, flow)) return;
    this.#rooms.stateless.strayResponse(response, flow);
  }
}
