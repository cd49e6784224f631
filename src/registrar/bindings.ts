/**
 * What a REGISTER makes of the bindings of one address-of-record: pure, all or nothing
 * (RFC 3261 §10.3 steps 6 and 7).
 */
import type { Binding, BindingFlow } from "../location/binding.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { parseUri, sameUri } from "../message/uri.ts";

/** One Contact of the request, or none of them for a query. */
export interface ContactUpdate {
  readonly uri: SipUri;
  /** Its header parameters but q and expires, as written. */
  readonly params: string;
  /** Thousandths, 0 to 1000. */
  readonly q: number;
  /** Seconds; 0 removes the binding. */
  readonly expires_s: number;
  readonly instance: string | null;
  /** Null without an instance, too: it would name nothing (RFC 5626 §6). */
  readonly reg_id: number | null;
}

export interface RegisterUpdate {
  readonly user: string;
  /** `Contact: *` with Expires 0: remove all (§10.2.2). */
  readonly removeAll: boolean;
  readonly contacts: readonly ContactUpdate[];
  readonly call_id: string;
  readonly cseq: number;
  readonly path: readonly string[];
  readonly user_agent: string | null;
  /** Its flows are to be kept to (RFC 5626 §6). */
  readonly outbound: boolean;
  readonly flow: BindingFlow;
}

/** The new list of bindings (unchanged ones are the same objects), or why nothing changes. */
export function applyRegister(
  current: readonly Binding[],
  update: RegisterUpdate,
  limits: { readonly max_contacts: number },
  nowMs: number,
): readonly Binding[] | Refusal {
  if (update.removeAll) return current.some((binding) => isOutOfOrder(binding, update)) ? OUT_OF_ORDER : [];
  let next: Binding[] | null = null;
  for (const contact of update.contacts) {
    const list: readonly Binding[] = next ?? current;
    const at = list.findIndex((binding) => isSameContact(binding, contact, update));
    const old = at < 0 ? null : list[at]!;
    if (old !== null && isOutOfOrder(old, update)) return OUT_OF_ORDER;
    next ??= [...current];
    if (contact.expires_s === 0) {
      if (at >= 0) next.splice(at, 1);
    } else if (at >= 0) next[at] = bindingOf(update, contact, old, nowMs);
    else next.push(bindingOf(update, contact, null, nowMs));
  }
  if (next === null) return current;
  let kept: readonly Binding[] = next.filter((binding) => !isReplaced(binding, update, nowMs));
  if (kept.length > limits.max_contacts && kept.length > current.length) kept = withoutOldestGhost(kept);
  if (kept.length > limits.max_contacts && kept.length > current.length) return TOO_MANY;
  return kept;
}

const OUT_OF_ORDER: Refusal = {
  status: 400,
  reason: "CSeq is lower than that of an earlier REGISTER of this Call-ID",
  section: "RFC 3261 §10.3 step 7",
};

const TOO_MANY: Refusal = {
  status: 403,
  reason: "More contacts than registrar.max_contacts",
  section: "registrar.max_contacts",
};

/**
 * Departs from §10.3 step 7: an equal CSeq passes. It is the same request again, whose 200 was lost,
 * perhaps with our process; refusing it would leave a registered phone believing that it is not.
 */
function isOutOfOrder(binding: Binding, update: RegisterUpdate): boolean {
  return binding.call_id === update.call_id && update.cseq < binding.cseq;
}

/** RFC 5626 §6: instance and reg-id name a flow's binding; without reg-id the URI does (§19.1.4). */
function isSameContact(binding: Binding, contact: ContactUpdate, update: RegisterUpdate): boolean {
  if (contact.instance !== null && contact.reg_id !== null)
    return binding.instance === contact.instance && binding.reg_id === contact.reg_id;
  if (binding.reg_id !== null) return false;
  if (isBehindAnotherNat(binding, update)) return false;
  if (binding.contact === contact.uri.text) return true;
  const uri = parseUri(binding.contact);
  return !(uri instanceof ParseError) && sameUri(uri, contact.uri);
}

/**
 * Departs from §10.3 step 7 behind NATs: there the same Contact at two sites is two phones, 192.168.1.10 being
 * somebody in each. One that moved still has the Call-ID of its registration.
 */
function isBehindAnotherNat({ call_id, flow }: Binding, update: RegisterUpdate): boolean {
  return (
    flow.nat !== "" &&
    update.flow.nat !== "" &&
    flow.remote_address !== update.flow.remote_address &&
    call_id !== update.call_id
  );
}

/** Of two bindings behind NATs with the same Contact the older may be a phone that has moved on: it makes room. */
function withoutOldestGhost(bindings: readonly Binding[]): readonly Binding[] {
  let oldest: Binding | null = null;
  for (const binding of bindings) {
    if (binding.flow.nat === "" || binding.instance !== null) continue;
    const isGhost = bindings.some(
      ({ contact, registered_at_ms }) =>
        contact === binding.contact && registered_at_ms > binding.registered_at_ms,
    );
    if (isGhost && (oldest === null || binding.registered_at_ms < oldest.registered_at_ms)) oldest = binding;
  }
  return oldest === null ? bindings : bindings.filter((binding) => binding !== oldest);
}

/** The same device at an address it no longer names in this request: it has moved there, or now registers flows. */
function isReplaced(binding: Binding, update: RegisterUpdate, nowMs: number): boolean {
  if (binding.instance === null || binding.reg_id !== null || binding.registered_at_ms === nowMs)
    return false;
  let moved = false;
  for (const contact of update.contacts) {
    if (contact.instance !== binding.instance) continue;
    if (isSameContact(binding, contact, update)) return false;
    if (contact.expires_s > 0) moved = true;
  }
  return moved;
}

function bindingOf(
  update: RegisterUpdate,
  contact: ContactUpdate,
  old: Binding | null,
  nowMs: number,
): Binding {
  return {
    user: update.user,
    key: old?.key ?? keyOf(contact, update),
    contact: contact.uri.text,
    params: contact.params,
    q: contact.q,
    expires_at_ms: nowMs + contact.expires_s * 1000,
    registered_at_ms: nowMs,
    call_id: update.call_id,
    cseq: update.cseq,
    instance: contact.instance,
    reg_id: contact.reg_id,
    outbound: update.outbound && contact.reg_id !== null,
    path: update.path,
    user_agent: update.user_agent,
    flow: update.flow,
  };
}

function keyOf({ instance, reg_id, uri }: ContactUpdate, { call_id, flow }: RegisterUpdate): string {
  if (instance !== null && reg_id !== null) return `${instance};reg-id=${reg_id}`;
  return flow.nat === "" ? uri.text : `${uri.text} ${call_id}`;
}
