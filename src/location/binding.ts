/**
 * A binding: one contact at which an address of record can be reached (RFC 3261 §10), with the flow
 * it was registered over (RFC 5626) and the path back to it (RFC 3327). Immutable: a refresh is a new object.
 */
import type { TransportName } from "../base/flow.ts";

/** Longest User-Agent kept with a binding; whoever makes a Binding cuts there. */
export const USER_AGENT_CHARS_MAX = 200;

/** Names the flow a REGISTER came on, after the flow itself may be gone. */
export interface BindingFlow {
  readonly transport: TransportName;
  readonly local_address: string;
  readonly local_port: number;
  readonly remote_address: string;
  readonly remote_port: number;
  /** Why its phone counts as behind a NAT: names of reasons with commas between them; empty: it does not. */
  readonly nat: string;
  /** Signs of a SIP ALG on its way, likewise. */
  readonly alg: string;
  /** `Flow.id`. */
  readonly id: string;
}

/** All text holds one byte per character (latin1), so that what the phone sent leaves as it came. */
export interface Binding {
  /** The user part of its address of record, escapes resolved. The domain counts nothing: all names here mean one place. */
  readonly user: string;
  /** What makes this contact the same one of its user: instance and reg-id, or the normalised URI. */
  readonly key: string;
  /** The Contact URI as registered. */
  readonly contact: string;
  /** The Contact's other parameters as raw text, echoed in answers. */
  readonly params: string;
  /** The preference in thousandths, 0 to 1000 (RFC 3261 §20.10). */
  readonly q: number;
  /** Unix time. */
  readonly expires_at_ms: number;
  /** Unix time of the last REGISTER that touched it. */
  readonly registered_at_ms: number;
  readonly call_id: string;
  readonly cseq: number;
  /** `+sip.instance`, null when absent. */
  readonly instance: string | null;
  readonly reg_id: number | null;
  /** The phone is reached over the flow it registered on only, as it asked for (RFC 5626 §6). */
  readonly outbound: boolean;
  /** Raw Path values, topmost first. */
  readonly path: readonly string[];
  readonly user_agent: string | null;
  readonly flow: BindingFlow;
}

/**
 * True when `next` differs from `old` at most by what every refresh changes: its times, Call-ID and CSeq.
 * Both must have the same user and key.
 */
export function onlyRefreshes(old: Binding, next: Binding): boolean {
  return (
    old.contact === next.contact &&
    old.params === next.params &&
    old.q === next.q &&
    old.instance === next.instance &&
    old.reg_id === next.reg_id &&
    old.outbound === next.outbound &&
    old.user_agent === next.user_agent &&
    (old.path === next.path || sameTexts(old.path, next.path)) &&
    (old.flow === next.flow || sameFlow(old.flow, next.flow))
  );
}

/** The binding with that key, or null. */
export function withKey(bindings: readonly Binding[], key: string): Binding | null {
  for (const binding of bindings) if (binding.key === key) return binding;
  return null;
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function sameFlow(a: BindingFlow, b: BindingFlow): boolean {
  return (
    a.id === b.id &&
    a.transport === b.transport &&
    a.local_address === b.local_address &&
    a.local_port === b.local_port &&
    a.remote_address === b.remote_address &&
    a.remote_port === b.remote_port &&
    a.nat === b.nat &&
    a.alg === b.alg
  );
}
