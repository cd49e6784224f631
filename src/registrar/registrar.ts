/**
 * The registrar: RFC 3261 §10.3 step by step. A binding is stored before its 200 leaves, and a request
 * that fails changes nothing.
 */
import type { Clock } from "../base/clock.ts";
import type { Flow } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Binding } from "../location/binding.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore, StoreFailure } from "../location/store.ts";
import { H } from "../message/header-names.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";
import type { NatJudge } from "../nat/judge.ts";
import { applyRegister } from "./bindings.ts";
import type { ExpiryLimits } from "./read-register.ts";
import { readRegister } from "./read-register.ts";
import { flowTimer_s, ownUri, successLines } from "./success.ts";

export interface RegistrarLimits extends ExpiryLimits {
  readonly max_contacts: number;
  /** Phones are told to send their calls through the listener they registered at (RFC 3608). */
  readonly service_route: boolean;
  /** After so long without data a connection is closed. */
  readonly tcp_idle_s: number;
}

/** How the registrar answers: status and header lines, or a refusal. Called exactly once. */
export interface RegisterReply {
  ok(headers: readonly string[]): void;
  refused(refusal: Refusal): void;
}

export interface RegistrarOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly limits: RegistrarLimits;
  readonly judge: NatJudge;
}

const RETRY_AFTER_S = 10;

export class Registrar {
  limits: RegistrarLimits;
  /** Told after the 200 has left: the bindings before and after. */
  onChange: ((user: string, before: readonly Binding[], after: readonly Binding[]) => void) | null = null;
  readonly #clock: Clock;
  readonly #domains: Domains;
  readonly #store: LocationStore;
  readonly #judge: NatJudge;
  readonly #accepted: Counter;
  readonly #date: DateLine;

  constructor(options: RegistrarOptions) {
    this.#clock = options.clock;
    this.#domains = options.domains;
    this.#store = options.store;
    this.limits = options.limits;
    this.#judge = options.judge;
    this.#accepted = options.metrics.counter(
      "sipedge_register_accepted_total",
      "REGISTER requests answered 200",
    );
    this.#date = new DateLine();
  }

  /** Step 5: the user whose AOR stands in the To header; a refusal when it is none of ours (404). */
  userOf(request: SipMessage): string | Refusal {
    const to = parseNameAddr(request.text(H.To) ?? "");
    if (to instanceof ParseError)
      return { status: 400, reason: `Malformed To (${to.code})`, section: "RFC 3261 §10.3 step 5" };
    if (to.uri.scheme !== "sip" && to.uri.scheme !== "sips")
      return { status: 400, reason: "To is no SIP address-of-record", section: "RFC 3261 §10.3 step 5" };
    const user = this.#domains.userOf(to.uri);
    return user ?? { status: 404, reason: "No such user in this domain", section: "RFC 3261 §10.3 step 5" };
  }

  /**
   * Carries out a REGISTER whose sender was authenticated as `account` (null: comes from a trusted
   * network and may register anybody here).
   */
  register(request: SipMessage, flow: Flow, account: string | null, reply: RegisterReply): void {
    const user = this.userOf(request);
    if (typeof user !== "string") return reply.refused(user);
    if (account !== null && account !== user) return reply.refused(NOT_YOURS); // step 4
    const update = readRegister(request, flow, user, this.limits, this.#judge);
    if ("status" in update) return reply.refused(update);
    if (update.contacts.some(({ uri }) => this.#isOwnGruu(uri))) return reply.refused(GOES_ROUND);
    const current = this.#store.bindings(user);
    const now = this.#clock.wall();
    const next = applyRegister(current, update, this.limits, now);
    if ("status" in next) return reply.refused(next);
    if (next === current) return reply.ok(this.#success(current, request, flow, now, false)); // a query changes nothing
    this.#store.replace(user, next, (failure) => {
      if (failure !== null) return reply.refused(failed(failure));
      reply.ok(this.#success(next, request, flow, now, update.outbound)); // step 8
      this.onChange?.(user, current, next);
    });
  }

  /** A GRUU of ours leads back to the registration that it is to become. */
  #isOwnGruu(uri: SipUri): boolean {
    return uri.params !== "" && uriParam(uri, "gr") !== null && this.#domains.isOurs(uri);
  }

  /** Step 8. `outbound`: this request registered a flow. */
  #success(
    bindings: readonly Binding[],
    request: SipMessage,
    flow: Flow,
    now: number,
    outbound: boolean,
  ): string[] {
    this.#accepted.inc();
    const { service_route, tcp_idle_s } = this.limits;
    const headers = successLines(bindings, request, now);
    if (outbound) headers.push("Require: outbound", `Flow-Timer: ${flowTimer_s(flow, tcp_idle_s)}`);
    if (service_route) headers.push(`Service-Route: <${ownUri(flow)}>`);
    headers.push(this.#date.at(now));
    return headers;
  }
}

const GOES_ROUND: Refusal = {
  status: 403,
  reason: "A Contact is a GRUU of this domain",
  section: "RFC 5627 §5.1",
};
const NOT_YOURS: Refusal = {
  status: 403,
  reason: "The account may not register this address-of-record",
  section: "RFC 3261 §10.3 step 4",
};

/** A full table is ours to say 503 to as well: the phone comes again, elsewhere or later. */
function failed(failure: StoreFailure): Refusal {
  return {
    status: 503,
    reason: `Location store: ${failure.code}`,
    section: "RFC 3261 §10.3 step 7",
    headers: [`Retry-After: ${RETRY_AFTER_S}`],
  };
}

/** `Date: …`, made once a second (§20.17). */
class DateLine {
  #second = 0;
  #line = "";

  at(now: number): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#line = `Date: ${new Date(now).toUTCString()}`;
    }
    return this.#line;
  }
}
