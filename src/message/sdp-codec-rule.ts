/**
 * Which payload types a codec rule takes out of an m= line, and in what order the rest stand. It never leaves a
 * stream without a codec, and says what it took and what it had to spare.
 */
import type { SdpMedia } from "./sdp.ts";
import type { Payload } from "./sdp-codecs.ts";

/** Encoding names in lower case, with clock rate (`telephone-event/16000`) or without (`g729`: any rate). */
export interface CodecRule {
  readonly remove: readonly string[];
  /** Those that go to the front, the most wanted first. The others keep their order behind them. */
  readonly prefer: readonly string[];
}

/** One payload type of one stream that a rule was about. */
export interface CodecNote {
  /** Number of the m= line, from 0. */
  readonly media: number;
  readonly type: number;
  readonly name: string;
}

export interface CodecChange {
  /** Payload types to take out, with their a=rtpmap, a=fmtp and a=rtcp-fb. */
  readonly removed: ReadonlySet<number>;
  /** Those that stay, in their new order. */
  readonly order: readonly number[];
  /** What the rule names but the stream needs: without it no codec would be left. */
  readonly spared: readonly Payload[];
}

/** Formats that carry no media of their own: a stream of these alone is silent. */
const NO_MEDIA: ReadonlySet<string> = new Set([
  "telephone-event",
  "tone",
  "cn",
  "red",
  "rtx",
  "ulpfec",
  "flexfec",
  "flexfec-03",
]);

/** What the rule does to the stream; null: nothing. */
export function applyRule(media: SdpMedia, rule: CodecRule): CodecChange | null {
  if (media.isRejected || !media.isRtp) return null;
  const { payloads } = media;
  const named = payloads.filter((payload) => rule.remove.some((name) => isCalled(payload, name)));
  const doomed = withDependents(payloads, new Set(named.map(({ type }) => type)));
  const isLeft = payloads.some(({ type, name }) => !doomed.has(type) && !NO_MEDIA.has(name.toLowerCase()));
  const removed = isLeft ? doomed : new Set<number>();
  const stay = payloads.filter(({ type }) => !removed.has(type));
  const order = inOrder(stay, rule.prefer).map(({ type }) => type);
  const isSame = removed.size === 0 && order.every((type, i) => type === payloads[i]!.type);
  const spared = isLeft ? [] : named;
  return isSame && spared.length === 0 ? null : { removed, order, spared };
}

function isCalled({ name, clock_hz }: Payload, wanted: string): boolean {
  const lower = name.toLowerCase();
  return lower === wanted || `${lower}/${clock_hz}` === wanted;
}

/** Retransmission (RFC 4588 §8.6 `apt`) and redundancy (RFC 2198 §5 `96/96`) of what goes, go with it. */
function withDependents(payloads: readonly Payload[], named: ReadonlySet<number>): ReadonlySet<number> {
  if (named.size === 0) return named;
  const all = new Set(named);
  for (const { type, name, fmtp } of payloads) {
    if (fmtp === null) continue;
    const of = name.toLowerCase() === "rtx" ? /(?:^|[; ])apt\s*=\s*(\d{1,3})/i.exec(fmtp)?.slice(1) : null;
    const carried = name.toLowerCase() === "red" ? fmtp.split("/") : (of ?? []);
    if (carried.some((base) => named.has(Number(base)))) all.add(type);
  }
  return all;
}

function inOrder(payloads: readonly Payload[], prefer: readonly string[]): readonly Payload[] {
  if (prefer.length === 0) return payloads;
  const rank = (payload: Payload): number => {
    const at = prefer.findIndex((name) => isCalled(payload, name));
    return at < 0 ? prefer.length : at;
  };
  return payloads.toSorted((a, b) => rank(a) - rank(b));
}
