/**
 * One look-up of RFC 3263 §4: NAPTR → SRV → A and AAAA, each step only when the one before leaves it open.
 * Bounded in queries, in places and in time; what is known when the time is over is the result.
 */

import { ipFamily } from "../base/address.ts";
import type { Alarm, Clock } from "../base/clock.ts";
import type { Dice } from "../base/dice.ts";
import type { TransportName } from "../base/flow.ts";
import type { LocatorOptions, LookupEnd } from "./locator.ts";
import type { Place, Wanted } from "./place.ts";
import { defaultPort, defaultTransport, isSecure, placeKey } from "./place.ts";
import type { Answer, Failure, NameService, RecordData, RecordType, Service } from "./records.ts";
import type { ServiceName } from "./srv-order.ts";
import { assumedServices, offeredServices, orderServices } from "./srv-order.ts";

/** Places of one URI that are kept. */
export const PLACES_MAX = 16;
/** Questions that one look-up asks. */
export const QUERIES_MAX = 40;
/** Hosts whose addresses are looked up at the same time; the next ones only when these have none. */
const HOSTS_MAX = 8;
/** How long the rest may take once the place to be tried first is known (RFC 8305 §3 calls it Resolution Delay). */
const GRACE_MS = 250;
/** What NAPTR, and then SRV, may take of the time that is left, so that addresses get their turn. */
const STAGE_SHARE = 0.5;

/** A server whose addresses are sought. */
interface Route {
  readonly transport: TransportName;
  readonly host: string;
  readonly port: number;
}

interface Addresses {
  readonly ipv4: string[];
  readonly ipv6: string[];
  /** Questions without an answer yet. */
  open: number;
}

export interface LookupParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly names: NameService;
}

/** The end of a look-up, and in words why it found nothing ("" when it did). */
export type LookupDone = (places: readonly Place[], end: LookupEnd, why: string) => void;

const OUT_OF_BUDGET = { kind: "failed", reason: "budget" } as const;

export class Lookup {
  readonly #parts: LookupParts;
  readonly #options: LocatorOptions;
  readonly #wanted: Wanted;
  readonly #done: LookupDone;
  readonly #deadline_ms: number;
  readonly #addresses = new Map<string, Addresses>();
  #routes: readonly Route[] = [];
  #queries = 0;
  /** The last thing that name service did not tell; null: it told everything. */
  #failure: Failure | null = null;
  /** Name service says that the name itself does not exist. */
  #nameless = false;
  #over = false;
  #alarm: Alarm | null = null;
  #stageAlarm: Alarm | null = null;

  constructor(parts: LookupParts, options: LocatorOptions, wanted: Wanted, done: LookupDone) {
    this.#parts = parts;
    this.#options = options;
    this.#wanted = wanted;
    this.#done = done;
    this.#deadline_ms = parts.clock.now() + options.lookup_ms;
  }

  /** `done` may be called before this returns. */
  start(): void {
    const { host, port, transport, secure } = this.#wanted;
    if (port !== null) {
      // §4.2: a port means addresses only; §4.1: without a transport it is UDP then, TLS for sips.
      this.#locate([{ transport: transport ?? defaultTransport(secure), host, port }]);
    } else if (transport !== null || !this.#options.naptr) this.#assume();
    else this.#gather([{ name: host, type: "NAPTR" }], ([answer]) => this.#offered(answer));
    if (!this.#over) this.#alarm = this.#parts.clock.after(this.#options.lookup_ms, () => this.end());
  }

  /** Ends it with what is known. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#alarm?.cancel();
    this.#stageAlarm?.cancel();
    const places = this.#places();
    if (places.length > 0) return this.#done(places, "found", "");
    const { host } = this.#wanted;
    if (this.#nameless) return this.#done(places, "absent", absentText(host, false));
    const late = this.#parts.clock.now() >= this.#deadline_ms;
    const failure = this.#failure ?? (late ? "timeout" : null);
    if (failure === null) this.#done(places, "absent", absentText(host, true));
    else this.#done(places, "failed", failureText(host, failure));
  }

  /** §4.1: the domain's own choice of transports. */
  #offered(answer: Answer<RecordData["NAPTR"]> | undefined): void {
    const records = answer?.kind === "records" ? answer.records : [];
    const { transports } = this.#options;
    const services = offeredServices(records, transports, this.#wanted.secure);
    if (services.length > 0) this.#services(services);
    else this.#assume();
  }

  /** §4.1: no NAPTR record for us, or none needed. */
  #assume(): void {
    const { host, transport, secure } = this.#wanted;
    this.#services(assumedServices(host, transport, this.#options.transports, secure));
  }

  #services(services: readonly ServiceName[]): void {
    const questions = services.map(({ name }) => ({ name, type: "SRV" as const }));
    this.#gather(questions, (answers) => this.#served(services, answers));
  }

  /** §4.2: the servers of each service in the order of RFC 2782; without SRV records the name itself. */
  #served(services: readonly ServiceName[], answers: readonly (Answer<Service> | undefined)[]): void {
    const { dice } = this.#parts;
    const routes: Route[] = [];
    let any = false;
    services.forEach(({ transport }, i) => {
      const answer = answers[i];
      if (answer?.kind !== "records") return;
      any = true;
      for (const { target, port } of orderServices(answer.records, () => dice.fraction())) {
        // RFC 2782: a target of "." says that there is no such service.
        if (target !== "" && port > 0) routes.push({ transport, host: target, port });
      }
    });
    if (any) return this.#locate(routes);
    const { host, transport: wanted, secure } = this.#wanted;
    const transport = wanted ?? services[0]?.transport ?? defaultTransport(secure);
    this.#locate([{ transport, host, port: defaultPort(transport) }]);
  }

  #locate(routes: readonly Route[]): void {
    this.#routes = routes;
    this.#nextHosts();
  }

  /** Asks for the addresses of the next few hosts; ends the look-up when there are none left. */
  #nextHosts(): void {
    const hosts = new Set<string>();
    for (const { host } of this.#routes) {
      if (hosts.size < HOSTS_MAX && !this.#addresses.has(host)) hosts.add(host);
    }
    if (hosts.size === 0) return this.end();
    for (const host of hosts)
      this.#addresses.set(host, { ipv4: [], ipv6: [], open: this.#options.families.length });
    for (const host of hosts) this.#askAddresses(host);
  }

  #askAddresses(host: string): void {
    const known = this.#addresses.get(host);
    if (known === undefined) return;
    const family = ipFamily(host);
    if (family !== 0) {
      // RFC 2782 wants a name as target; an address there can only mean itself.
      (family === 4 ? known.ipv4 : known.ipv6).push(host);
      known.open = 0;
      return this.#progress();
    }
    for (const name of this.#options.families) {
      this.#ask(host, name === "ipv4" ? "A" : "AAAA", (answer) => {
        if (answer.kind === "records") known[name].push(...answer.records.slice(0, PLACES_MAX));
        known.open--;
        this.#progress();
      });
    }
  }

  /** An answer has come: all of them may be there, or enough to begin with. */
  #progress(): void {
    if (this.#over) return;
    let open = 0;
    for (const each of this.#addresses.values()) open += each.open;
    if (open === 0) {
      if (this.#places().length > 0) this.end();
      else this.#nextHosts();
    } else if (this.#stageAlarm === null && this.#knowsFirst()) {
      this.#stageAlarm = this.#parts.clock.after(GRACE_MS, () => this.end());
    }
  }

  /** Whether nothing that is still open can come before the first place that is known. */
  #knowsFirst(): boolean {
    for (const { host } of this.#routes) {
      const known = this.#addresses.get(host);
      if (known === undefined) return false;
      if (known.ipv4.length + known.ipv6.length > 0) return true;
      if (known.open > 0) return false;
    }
    return false;
  }

  /** The places known so far: the families of each server in turns, the preferred one first (RFC 7984 §4). */
  #places(): Place[] {
    const places = new Map<string, Place>();
    for (const { transport, host, port } of this.#routes) {
      const known = this.#addresses.get(host);
      if (known === undefined) continue;
      const longest = Math.max(known.ipv4.length, known.ipv6.length);
      for (let i = 0; i < longest; i++) {
        for (const family of this.#options.families) {
          const address = known[family][i];
          if (address === undefined) continue;
          const place = isSecure(transport)
            ? { transport, address, port, name: this.#wanted.host }
            : { transport, address, port };
          places.set(placeKey(place), places.get(placeKey(place)) ?? place);
          if (places.size === PLACES_MAX) return [...places.values()];
        }
      }
    }
    return [...places.values()];
  }

  /** Asks all questions at once and goes on when every answer is there, or the step's share of the time is over. */
  #gather<T extends RecordType>(
    questions: readonly { readonly name: string; readonly type: T }[],
    go: (answers: readonly (Answer<RecordData[T]> | undefined)[]) => void,
  ): void {
    const answers: (Answer<RecordData[T]> | undefined)[] = questions.map(() => undefined);
    let open = questions.length;
    let gone = false;
    const once = () => {
      if (gone || this.#over) return;
      gone = true;
      this.#stageAlarm?.cancel();
      this.#stageAlarm = null;
      go(answers);
    };
    questions.forEach(({ name, type }, i) => {
      this.#ask(name, type, (answer) => {
        answers[i] = answer;
        if (--open === 0) once();
      });
    });
    if (open === 0) return once();
    const share_ms = STAGE_SHARE * (this.#deadline_ms - this.#parts.clock.now());
    this.#stageAlarm = this.#parts.clock.after(share_ms, () => {
      this.#failure ??= "timeout";
      once();
    });
  }

  #ask<T extends RecordType>(name: string, type: T, use: (answer: Answer<RecordData[T]>) => void): void {
    if (this.#queries >= QUERIES_MAX) {
      this.#failure ??= "budget";
      return use(OUT_OF_BUDGET);
    }
    this.#queries++;
    this.#parts.names.ask(name, type, (answer) => {
      if (this.#over) return;
      if (answer.kind === "failed") this.#failure = answer.reason;
      if (answer.kind === "none" && !answer.exists && name === this.#wanted.host) this.#nameless = true;
      use(answer);
    });
  }
}

const FAILURE_TEXT: Readonly<Record<Failure, string>> = {
  SERVFAIL: "the name servers fail (SERVFAIL)",
  REFUSED: "the name servers refuse to answer",
  timeout: "no answer from any name server in time",
  unreachable: "no name server can be reached",
  "alias-loop": "its aliases lead nowhere",
  busy: "too many questions are open",
  budget: "it takes too many questions",
  closed: "name service is closed",
};
/** Longer names are cut off in answers. */
const NAME_SHOWN_MAX = 100;

const shownName = (host: string): string => host.slice(0, NAME_SHOWN_MAX);

/** Name service has said it: there is no such name, or nothing at it that we could send to. */
function absentText(host: string, exists: boolean): string {
  return exists
    ? `DNS: ${shownName(host)} has no server and no address`
    : `DNS: no such name ${shownName(host)}`;
}

/** Why it is not known where that is. */
export function failureText(host: string, failure: Failure): string {
  return `DNS: ${shownName(host)}: ${FAILURE_TEXT[failure]}`;
}
