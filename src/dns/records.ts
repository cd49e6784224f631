/**
 * The records and answers of name service as this room passes them around.
 */

/** The types that SIP needs. */
export type RecordType = "A" | "AAAA" | "SRV" | "NAPTR";

/** RFC 2782. `target` is lower case without the last dot; "" means: no such service here. */
export interface Service {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: string;
}

/** RFC 3403 §4.1. `replacement` is lower case without the last dot. */
export interface Naptr {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly services: string;
  readonly regexp: string;
  readonly replacement: string;
}

export interface RecordData {
  readonly A: string;
  readonly AAAA: string;
  readonly SRV: Service;
  readonly NAPTR: Naptr;
}

export type AnyRecord = RecordData[RecordType];

/** Why name service could not tell. */
export type Failure =
  | "SERVFAIL"
  | "REFUSED"
  | "timeout"
  | "unreachable"
  | "alias-loop"
  | "busy"
  | "budget"
  | "closed";

/**
 * `records`: at least one. `none`: surely no such record; `exists` tells whether the name has others.
 * `failed`: it is not known.
 */
export type Answer<T extends AnyRecord = AnyRecord> =
  | {
      readonly kind: "records";
      readonly records: readonly T[];
      /** The server says that it has validated the answer (AD, RFC 6840 §5.7). */
      readonly authentic: boolean;
      /** Its time to live is over; the servers could not be asked (RFC 8767). */
      readonly stale: boolean;
    }
  | { readonly kind: "none"; readonly exists: boolean }
  | { readonly kind: "failed"; readonly reason: Failure };

/** What a look-up needs of name service; `resolver.ts` is the real one. */
export interface NameService {
  /**
   * Calls `done` once: synchronously when the answer is at hand, else later. At most `RECORDS_MAX`
   * records, NAPTR and SRV in the order of their numbers.
   */
  ask<T extends RecordType>(name: string, type: T, done: (answer: Answer<RecordData[T]>) => void): void;
}

/** Records of one answer that are kept. */
export const RECORDS_MAX = 100;

const NAME_CHARS_MAX = 253;
const LABEL_CHARS_MAX = 63;

/** The name in lower case without its last dot; null when it cannot be asked for (RFC 1035 §2.3.4). */
export function asName(text: string): string | null {
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (name === "" || name.length > NAME_CHARS_MAX) return null;
  for (let from = 0; from <= name.length; ) {
    const dot = name.indexOf(".", from);
    const to = dot < 0 ? name.length : dot;
    if (to === from || to - from > LABEL_CHARS_MAX) return null;
    from = to + 1;
  }
  return /^[\x21-\x7e]+$/.test(name) ? name : null;
}
