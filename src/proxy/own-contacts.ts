/**
 * Contacts of phones behind NATs, hidden from the other side where the config says so (`nat.contact`).
 */
import type { Flow } from "../base/flow.ts";
import type { Domains } from "../location/domains.ts";
import type { Edits } from "../message/edits.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { SipUri } from "../message/uri.ts";
import { uriParam } from "../message/uri.ts";
import type { RevealedContact } from "../nat/contact.ts";
import { hideContact, revealContact } from "../nat/contact.ts";
import type { FlowTokens } from "../nat/flow-token.ts";
import type { Answerer } from "./callee-identity.ts";
import type { Forwarding } from "./forward.ts";

export class OwnContacts {
  /** Whether they are hidden; what was hidden before is found in any case. */
  hides: boolean;
  readonly #tokens: FlowTokens;
  readonly #domains: Domains;

  constructor(tokens: FlowTokens, domains: Domains, hides: boolean) {
    this.#tokens = tokens;
    this.#domains = domains;
    this.hides = hides;
  }

  editRequest(edits: Edits, { request, source, senderIsNatted }: Forwarding): void {
    if (this.hides && senderIsNatted && request.method !== "REGISTER") this.#hide(edits, request, source);
  }

  /** A redirection names others, and a refusal nobody. */
  editResponse(edits: Edits, response: SipMessage, { flow, bound }: Answerer): void {
    if (!this.hides || !bound || flow === null || response.status >= 300) return;
    const { cseq } = response;
    if (!(cseq instanceof ParseError) && cseq.method !== "REGISTER") this.#hide(edits, response, flow);
  }

  /** What a Request-URI was before it was hidden; null: it never was; "forged": not by us. */
  reveal(uri: SipUri): RevealedContact | "forged" | null {
    return revealContact(uri, this.#tokens);
  }

  #hide(edits: Edits, message: SipMessage, flow: Flow): void {
    const { contact } = message;
    if (contact === null || contact instanceof ParseError) return;
    const { uri } = contact;
    if (uriParam(uri, "gr") !== null && this.#domains.isOurs(uri)) return; // a GRUU means something everywhere
    const line = message.find(H.Contact);
    const [from, to] = [message.valueStart(line), message.valueEnd(line)];
    const hidden = hideContact(message.bytes.latin1Slice(from, to), contact, flow, this.#tokens);
    if (hidden !== null) edits.replace(from, to, hidden);
  }
}
