/**
 * The guard, and who is known to it.
 */
import type { Authenticator } from "../auth/authenticator.ts";
import type { Flow, Receiver } from "../base/flow.ts";
import type { Config } from "../config/schema.ts";
import type { GuardParts, GuardRules } from "../guard/guard.ts";
import { Guard } from "../guard/guard.ts";
import type { Binding } from "../location/binding.ts";
import type { PeerBook } from "../peers/peer-book.ts";

/** Whoever proves an account and does not register (a PBX that only calls out) is known for so long. */
const PROVED_MS = 600_000;

export function guardRules({ guard }: Config): GuardRules {
  return guard;
}

/** Wrong passwords are told to it, and it says who may try. */
export function makeGuard(parts: GuardParts, authenticator: Authenticator, config: Config): Guard {
  const guard = new Guard(parts, guardRules(config));
  authenticator.mayTry = (address, account) => guard.mayTry(address, account);
  authenticator.onFailed = (address, account, isProved) => guard.failed(address, account, isProved);
  authenticator.onProved = (address) => guard.registered(address, parts.clock.wall() + PROVED_MS);
  return guard;
}

export interface PingTaker {
  /** Whether these are the bytes of an answer to a ping of ours, which is then dealt with. */
  takesPing(bytes: Buffer, flow: Flow): boolean;
}

/** What reaches `receiver` is only what the guard lets through, and what a peer sends that proved itself by its certificate. */
export class GuardedReceiver implements Receiver {
  readonly #guard: Guard;
  readonly #receiver: Receiver & PingTaker;
  readonly #peers: Pick<PeerBook, "certifiedOf">;

  constructor(guard: Guard, receiver: Receiver & PingTaker, peers: Pick<PeerBook, "certifiedOf">) {
    this.#guard = guard;
    this.#receiver = receiver;
    this.#peers = peers;
  }

  message(bytes: Buffer, flow: Flow): void {
    if (this.#receiver.takesPing(bytes, flow)) return; // it knows what we told nobody else: no stranger
    const isProved = flow.reliable && this.#peers.certifiedOf(flow) !== null;
    if (isProved || this.#guard.takes(bytes, flow.remoteAddress, flow.reliable))
      this.#receiver.message(bytes, flow);
  }

  broken(head: Buffer, flow: Flow, code: string): void {
    this.#receiver.broken(head, flow, code);
  }
}

/** Phones that have registered are no strangers. */
export function knowBindings(guard: Guard, bindings: Iterable<Binding>): void {
  for (const { flow, expires_at_ms, path } of bindings)
    if (path.length === 0) guard.registered(flow.remote_address, expires_at_ms);
}
