/**
 * What measurement knows about codecs: clock rates of payload types (RFC 3551 §6) and the E-model's equipment
 * impairment (ITU-T G.113 Appendix I). A value that is in no such table says so: `listed` is false.
 */
import { PAYLOAD_TYPES } from "./rtp.ts";

/** Bandwidth of the quality scale: narrow 300–3400 Hz, wide 50–7000, super-wide 20–14000, full 10–20000 (P.800.1). */
export type Scale = "N" | "W" | "S" | "F";

export interface Codec {
  /** The encoding name of the rtpmap, in lower case. */
  readonly name: string;
  readonly scale: Scale;
  /** Equipment impairment Ie without loss, in points of R (G.107 §7.6). */
  readonly ie: number;
  /** Packet-loss robustness Bpl; the larger, the better a lost packet is concealed. */
  readonly bpl: number;
  /** What the encoder waits for beyond the packet itself. */
  readonly look_ahead_ms: number;
  /** True when Ie and Bpl stand in G.113 Appendix I; false when they are borrowed from a codec close to it. */
  readonly listed: boolean;
}

/** Name, scale, Ie, Bpl, look-ahead in ms, listed. */
type Row = readonly [string, Scale, number, number, number, boolean];

/** Phones conceal lost packets of G.711 (G.711 Appendix I) unless somebody knows better: see `WITHOUT_CONCEALMENT`. */
const ROWS: readonly Row[] = [
  ["pcmu", "N", 0, 25.1, 0, true],
  ["pcma", "N", 0, 25.1, 0, true],
  ["g729", "N", 11, 19, 5, true], // G.729A with VAD, what phones mean by G729
  ["g723", "N", 15, 16.1, 7.5, true], // 6.3 kbit/s
  ["gsm-efr", "N", 5, 10, 0, true],
  // Ie is listed, Bpl is not; it is borrowed: waveform codecs from G.711 without concealment, the others from GSM-EFR.
  ["g726-40", "N", 2, 4.3, 0, false],
  ["g726-32", "N", 7, 4.3, 0, false],
  ["g726-24", "N", 25, 4.3, 0, false],
  ["g726-16", "N", 50, 4.3, 0, false],
  ["g728", "N", 7, 10, 0, false],
  ["gsm", "N", 20, 10, 0, false],
  // AMR at 12.2 kbit/s is GSM-EFR bit for bit (3GPP TS 26.071); lower modes are worse.
  ["amr", "N", 5, 10, 5, false],
  // iLBC decodes each packet by itself, so loss hurts less (RFC 3951 §1); Ie as G.729A.
  ["ilbc", "N", 11, 25.1, 5, false],
  ["l16", "N", 0, 25.1, 0, false],
  // The narrowband model is used for these too: comparable with each other, not on the scale of G.107.1 and G.107.2.
  ["g722", "W", 0, 25.1, 1.5, false],
  ["g7221", "W", 5, 10, 20, false],
  ["amr-wb", "W", 5, 10, 5, false],
  ["silk", "W", 0, 19, 5, false],
  ["speex", "N", 11, 19, 10, false],
  ["evs", "S", 0, 19, 12, false],
  ["opus", "F", 0, 19, 6.5, false],
];

const CODECS: ReadonlyMap<string, Codec> = new Map(
  ROWS.map(([name, scale, ie, bpl, look_ahead_ms, listed]) => [
    name,
    { name, scale, ie, bpl, look_ahead_ms, listed },
  ]),
);

/** Bpl of G.711 when its receiver plays nothing for a lost packet (G.113 Appendix I). */
export const WITHOUT_CONCEALMENT = { ie: 0, bpl: 4.3 } as const;

/** The codec of an encoding name in any case (`PCMU`, `G729`, `opus`), or null. `speex` at 16 kHz is wideband. */
export function codecByName(name: string, clock_hz = 0): Codec | null {
  const codec = CODECS.get(name.toLowerCase());
  if (codec === undefined) return null;
  return codec.name === "speex" && clock_hz > 8000 ? { ...codec, scale: "W" } : codec;
}

/** One rtpmap line (RFC 8866 §6.6). */
export interface RtpMap {
  readonly type: number;
  readonly name: string;
  readonly clock_hz: number;
}

/** Payload types with a fixed meaning (RFC 3551 §6, tables 4 and 5). G.722's clock is 8000 by an old mistake (§4.5.2). */
const STATIC: readonly (readonly [number, string, number])[] = [
  [0, "pcmu", 8000],
  [3, "gsm", 8000],
  [4, "g723", 8000],
  [5, "dvi4", 8000],
  [6, "dvi4", 16_000],
  [7, "lpc", 8000],
  [8, "pcma", 8000],
  [9, "g722", 8000],
  [10, "l16", 44_100],
  [11, "l16", 44_100],
  [12, "qcelp", 8000],
  [13, "cn", 8000],
  [14, "mpa", 90_000],
  [15, "g728", 8000],
  [16, "dvi4", 11_025],
  [17, "dvi4", 22_050],
  [18, "g729", 8000],
  [25, "celb", 90_000],
  [26, "jpeg", 90_000],
  [28, "nv", 90_000],
  [31, "h261", 90_000],
  [32, "mpv", 90_000],
  [33, "mp2t", 90_000],
  [34, "h263", 90_000],
];

/** Its timestamp stands still for as long as a key is held (RFC 4733 §2.2.1): it says nothing about jitter. */
const NOT_PACED: ReadonlySet<string> = new Set(["telephone-event", "tone"]);
const CLOCK_HZ_MAX = 2 ** 31 - 1;

/** What the payload types of one stream mean: the fixed ones, and over them what the session description says. */
export class PayloadTypes {
  /** Hz by payload type; 0 where unknown or where timestamps do not follow time, so no jitter is computed. */
  readonly pacing: Int32Array = new Int32Array(PAYLOAD_TYPES);
  readonly #names: string[] = new Array<string>(PAYLOAD_TYPES).fill("");
  readonly #clock_hz = new Int32Array(PAYLOAD_TYPES);

  constructor(maps: Iterable<RtpMap> = []) {
    for (const [type, name, clock_hz] of STATIC) this.#set(type, name, clock_hz);
    for (const { type, name, clock_hz } of maps) {
      const known = Number.isInteger(type) && type >= 0 && type < PAYLOAD_TYPES;
      if (known && clock_hz > 0 && clock_hz <= CLOCK_HZ_MAX) this.#set(type, name.toLowerCase(), clock_hz);
    }
  }

  /** The encoding name in lower case; empty when nothing says what it is. */
  name(type: number): string {
    return this.#names[type] ?? "";
  }

  /** Hz; 0 when nothing says what it is. */
  clockHz(type: number): number {
    return this.#clock_hz[type] ?? 0;
  }

  /** What the E-model knows of it, or null (video, events, codecs without values). */
  codec(type: number): Codec | null {
    return codecByName(this.name(type), this.clockHz(type));
  }

  #set(type: number, name: string, clock_hz: number): void {
    this.#names[type] = name;
    this.#clock_hz[type] = clock_hz;
    this.pacing[type] = NOT_PACED.has(name) ? 0 : clock_hz;
  }
}

/** Nothing but the fixed payload types. */
export function staticPayloadTypes(): PayloadTypes {
  return new PayloadTypes();
}
