/**
 * Calls by Call-ID and the caller's tag. Nearly every Call-ID has one call only, so that is found by the Call-ID alone,
 * and no text is put together to ask for it.
 */
import type { Call } from "./call.ts";

/** The one call of a Call-ID, or all of them by the caller's tag. */
type Found = Call | Map<string, Call>;

export class CallIndex {
  readonly #byCallId = new Map<string, Found>();

  /** Undefined: there is none. A caller without a tag has a place of his own: no tag is empty. */
  get(call_id: string, tag: string | null): Call | undefined {
    const found = this.#byCallId.get(call_id);
    if (found === undefined) return undefined;
    if (found instanceof Map) return found.get(tag ?? "");
    return tagOf(found) === (tag ?? "") ? found : undefined;
  }

  /** Takes the place of another one of the same Call-ID and tag. */
  add(call: Call): void {
    const { call_id } = call.facts;
    const found = this.#byCallId.get(call_id);
    if (found === undefined) this.#byCallId.set(call_id, call);
    else if (found instanceof Map) found.set(tagOf(call), call);
    else this.#byCallId.set(call_id, new Map([found, call].map((each) => [tagOf(each), each])));
  }

  /** Harmless when it is not there. */
  delete(call: Call): void {
    const { call_id } = call.facts;
    const found = this.#byCallId.get(call_id);
    if (found === call) this.#byCallId.delete(call_id);
    if (!(found instanceof Map) || found.get(tagOf(call)) !== call) return;
    found.delete(tagOf(call));
    if (found.size === 0) this.#byCallId.delete(call_id);
  }
}

const tagOf = ({ facts }: Call): string => facts.from_tag ?? "";
