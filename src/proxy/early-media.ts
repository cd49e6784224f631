/**
 * Whose early media a caller gets when several phones send some: at once they clip or mix on many callers' phones
 * (RFC 3960 §2).
 */
import { H } from "../message/header-names.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Branch } from "./branch.ts";

export class EarlyMedia {
  /** The branch that is heard. */
  #heard: Branch | null = null;

  /** Whether a provisional answer goes back. With `first`, a body of another branch waits until that one is over. */
  mayPass(branch: Branch, response: SipMessage, whose: "all" | "first"): boolean {
    if (whose === "all" || response.bodyEnd === response.bodyStart) return true;
    if (response.find(H.Require) >= 0) return true; // reliable: without its PRACK the phone gives up (RFC 3262 §3)
    if (this.#heard === null || !this.#heard.pending) this.#heard = branch;
    return this.#heard === branch;
  }
}
