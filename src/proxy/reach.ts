/**
 * Which phones of a user a request may go to: not those of less safety than it asks for, of another instance, or at a
 * place that [[screen]] would refuse if its user had set it as a forward.
 */
import type { Binding } from "../location/binding.ts";
import type { LocationStore } from "../location/store.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri } from "../message/uri.ts";
import { NOT_REGISTERED } from "./absence.ts";
import { isSecure, ofInstance } from "./targets.ts";
import type { Trail } from "./trail.ts";

type Refuses = (user: string, uri: SipUri) => Refusal | null;

export class Reach {
  readonly #store: LocationStore;
  readonly #asked: SipUri;
  readonly #trail: Trail;
  readonly #refusalOf: Refuses;
  #refusal: Refusal | null = null;

  /** `asked` is the Request-URI; `refusalOf` says why a user may not take the call there. */
  constructor(store: LocationStore, asked: SipUri, trail: Trail, refusalOf: Refuses) {
    this.#store = store;
    this.#refusalOf = refusalOf;
    this.#asked = asked;
    this.#trail = trail;
  }

  /** What the caller is told when no phone is left: why the last one was left out, or that there is none. */
  get absence(): Refusal {
    return this.#refusal ?? NOT_REGISTERED;
  }

  /** RFC 5630 §5.3: a sips: call goes nowhere without TLS. */
  isTakenDown(uri: SipUri): boolean {
    return this.#asked.scheme === "sips" && uri.scheme !== "sips";
  }

  bindings(user: string): readonly Binding[] {
    return this.callable(this.#store.bindings(user));
  }

  /** Those of the contacts that this request may go to; a GRUU means one instance until the call is forwarded. */
  callable(bindings: readonly Binding[]): readonly Binding[] {
    const allowed = bindings.filter((binding) => this.#mayCall(binding));
    const secure = this.#asked.scheme === "sips" ? allowed.filter(isSecure) : allowed;
    return !this.#trail.isForwarded ? ofInstance(secure, this.#asked) : secure;
  }

  /** A contact elsewhere than its REGISTER came from makes it a forward: somebody may have registered a dear number. */
  #mayCall({ user, contact, flow, outbound, path }: Binding): boolean {
    if (outbound || flow.nat !== "" || path.length > 0) return true; // its flow leads to the phone, whatever it says
    const uri = parseUri(contact);
    if (uri instanceof ParseError || uri.host === flow.remote_address) return true;
    const refusal = this.#refusalOf(user, uri);
    if (refusal !== null) this.#refusal = refusal;
    return refusal === null;
  }
}
