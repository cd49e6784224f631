/**
 * Queries to bytes and bytes to answers (RFC 1035 §4, RFC 6891, RFC 2308), on the `dns-packet` codec.
 * Pure; whatever bytes arrive, nothing is thrown.
 */
import type { Answer as PacketAnswer } from "dns-packet";
import { AUTHENTIC_DATA, decode, encode, RECURSION_DESIRED } from "dns-packet";
import { type AnyRecord, asName, type Naptr, RECORDS_MAX, type RecordType, type Service } from "./records.ts";

/** What is asked for. */
export interface Question {
  /** As `asName` gives it. */
  readonly name: string;
  readonly type: RecordType;
}

/** A question as it went out. */
export interface Query extends Question {
  readonly id: number;
  /** The name with its letters in random case (draft-vixie-dnsext-dns0x20): one more thing to guess. */
  readonly spelled: string;
}

/** What one reply says about its question. */
export type Reply =
  | { kind: "records"; records: readonly AnyRecord[]; ttl_s: number; authentic: boolean }
  /** The answer is an alias, and what stands behind it is to be asked for. */
  | { kind: "alias"; to: string; ttl_s: number }
  /** `ttl_s` is null without an SOA record (RFC 2308 §5). */
  | { kind: "none"; exists: boolean; ttl_s: number | null }
  /** The server would not or could not answer. */
  | { kind: "refused"; rcode: string }
  /** More aliases in a row than are followed, or a circle of them. */
  | { kind: "alias-loop" };

export type Arrived =
  | { kind: "reply"; reply: Reply }
  | { kind: "ignored"; reason: "malformed" | "id" | "question" }
  /** The right reply but for the case of its letters. */
  | { kind: "case" }
  | { kind: "truncated" };

/** The answer that fits a datagram on every path (the DNS flag day of 2020). */
export const EDNS_BYTES = 1232;
/** Aliases followed for one question. */
export const ALIASES_MAX = 10;
/** A TTL with its first bit set means 0 (RFC 2181 §8). */
const TTL_S_MAX = 2 ** 31 - 1;

/** The name with each letter's case drawn from `bits`. */
export function spell(name: string, bits: Uint8Array): string {
  let spelled = "";
  for (let i = 0; i < name.length; i++) {
    const char = name[i] ?? "";
    spelled += ((bits[(i >> 3) % bits.length] ?? 0) >> (i & 7)) & 1 ? char.toUpperCase() : char;
  }
  return spelled;
}

/** The query as bytes; with `edns` it says that long answers are welcome (RFC 6891). */
export function encodeQuery({ id, spelled, type }: Query, edns: boolean): Buffer {
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED | AUTHENTIC_DATA, // AD in a query asks for AD in the answer (RFC 6840 §5.7)
    questions: [{ name: spelled, type, class: "IN" }],
    additionals: edns
      ? [
          {
            type: "OPT",
            name: ".",
            udpPayloadSize: EDNS_BYTES,
            extendedRcode: 0,
            ednsVersion: 0,
            flags: 0,
            flag_do: false,
            options: [],
          },
        ]
      : [],
  });
}

type Decoded = ReturnType<typeof decode> & { readonly rcode?: string };

/** Reads what a server sent as a reply to `query`. */
export function readReply(bytes: Buffer, query: Query): Arrived {
  let packet: Decoded;
  try {
    packet = decode(bytes) as Decoded;
  } catch {
    return { kind: "ignored", reason: "malformed" };
  }
  if (packet.type !== "response" || packet.id !== query.id) return { kind: "ignored", reason: "id" };
  const [question, more] = packet.questions ?? [];
  const rcode = packet.rcode ?? "";
  // A server that does not understand the query may leave the question out (RFC 6891 §7).
  if (question === undefined && (rcode === "FORMERR" || rcode === "NOTIMP"))
    return { kind: "reply", reply: { kind: "refused", rcode } };
  if (question === undefined || more !== undefined || question.type !== query.type)
    return { kind: "ignored", reason: "question" };
  if (question.name.toLowerCase() !== query.name) return { kind: "ignored", reason: "question" };
  if (question.name !== query.spelled) return { kind: "case" };
  if (packet.flag_tc) return { kind: "truncated" };
  return { kind: "reply", reply: replyOf(packet, rcode, query) };
}

function replyOf(packet: Decoded, rcode: string, query: Question): Reply {
  if (rcode !== "NOERROR" && rcode !== "NXDOMAIN") return { kind: "refused", rcode };
  const answers = packet.answers ?? [];
  let name = query.name;
  let ttl_s = TTL_S_MAX;
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const owned = answers.filter((answer) => asName(answer.name) === name);
    const found = owned.filter((answer) => answer.type === query.type);
    if (found.length > 0) {
      for (const each of found) ttl_s = Math.min(ttl_s, ttlOf(each));
      const records = inOrder(found.map(recordOf).filter((record) => record !== null));
      if (records.length > 0) return { kind: "records", records, ttl_s, authentic: packet.flag_ad };
      return { kind: "none", exists: true, ttl_s: null };
    }
    const alias = owned.find((answer) => answer.type === "CNAME");
    const to = alias?.type === "CNAME" ? asName(alias.data) : null;
    if (alias === undefined || to === null) return withoutRecord(packet, rcode, { name, query, ttl_s });
    ttl_s = Math.min(ttl_s, ttlOf(alias));
    name = to;
  }
  return { kind: "alias-loop" };
}

/** No record of the type under the name that the aliases lead to: RFC 2308 §2 tells what that means. */
function withoutRecord(
  packet: Decoded,
  rcode: string,
  { name, query, ttl_s }: { name: string; query: Question; ttl_s: number },
): Reply {
  const soa = (packet.authorities ?? []).find((authority) => authority.type === "SOA");
  const exists = rcode !== "NXDOMAIN";
  if (soa?.type === "SOA") {
    // RFC 2308 §5: the lesser of the SOA's own TTL and its MINIMUM field.
    return { kind: "none", exists, ttl_s: Math.min(ttlOf(soa), soa.data.minimum ?? 0, ttl_s) };
  }
  if (exists && name !== query.name) return { kind: "alias", to: name, ttl_s };
  return { kind: "none", exists, ttl_s: null };
}

function ttlOf(answer: PacketAnswer): number {
  const ttl = "ttl" in answer ? (answer.ttl ?? 0) : 0;
  return ttl > TTL_S_MAX ? 0 : ttl;
}

function recordOf(answer: PacketAnswer): AnyRecord | null {
  switch (answer.type) {
    case "A":
    case "AAAA":
      return answer.data;
    case "SRV": {
      const { priority = 0, weight = 0, port, target } = answer.data;
      // RFC 2782: a target of "." says that there is decidedly no such service.
      return { priority, weight, port, target: asName(target) ?? "" };
    }
    case "NAPTR": {
      const { order, preference, flags, services, regexp, replacement } = answer.data;
      return { order, preference, flags, services, regexp, replacement: asName(replacement) ?? "" };
    }
    default:
      return null;
  }
}

const rankOf = (record: Service | Naptr): readonly [number, number] =>
  "order" in record ? [record.order, record.preference] : [record.priority, 0];

/** The first of them by their own numbers, so that a bound cuts off the least wanted. */
function inOrder(records: readonly AnyRecord[]): readonly AnyRecord[] {
  const ranked = [...records].sort((a, b) => {
    if (typeof a === "string" || typeof b === "string") return 0;
    const [x, y] = [rankOf(a), rankOf(b)];
    return x[0] - y[0] || x[1] - y[1];
  });
  return ranked.slice(0, RECORDS_MAX);
}
