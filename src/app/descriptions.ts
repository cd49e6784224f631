/** The session description of a message that is just leaving, and what is put in its place. */
import type { Config } from "../config/schema.ts";
import { editLength, sdpPart } from "../message/body-parts.ts";
import { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import { readSdp } from "../message/sdp.ts";
import type { CodecRule } from "../message/sdp-codec-rule.ts";
import type { MediaPlan, SdpPlan } from "../message/sdp-edit.ts";
import { rewriteSdp } from "../message/sdp-edit.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { codecRuleOf } from "./codec-rule.ts";

/** The port that discards (RFC 863), at an address that is nobody's. */
const NOBODY: MediaPlan = { address: "0.0.0.0", port: 9, rtcpPort: null };

/** The text of the session description of a message; null: it has none, or one that cannot be read. */
export function descriptionOf(message: SipMessage): string | null {
  const part = sdpPart(message);
  if (part === null || readSdp(message.bytes, part.from, part.to) instanceof ParseError) return null;
  return message.bytes.latin1Slice(part.from, part.to);
}

export class DescriptionEditor {
  #codecs: CodecRule | null = null;
  /** The message that is just leaving, and what its description becomes; null: it stays. */
  #message: SipMessage | null = null;
  #sdp: string | null = null;
  readonly #edits = new Edits();

  configure(media: Config["media"]): void {
    this.#codecs = codecRuleOf(media);
  }

  /** The copies of `message` that are made within `go` have this description; null: they keep theirs. */
  leave(message: SipMessage, sdp: string | null, go: () => void): void {
    const before = { message: this.#message, sdp: this.#sdp };
    this.#message = message;
    this.#sdp = sdp;
    try {
      go();
    } finally {
      this.#message = before.message;
      this.#sdp = before.sdp;
    }
  }

  /** The description of the message, with all its media sent to nobody. */
  nowhere(message: SipMessage): string {
    const text = descriptionOf(message) ?? "";
    return this.#rewritten(text, (streams) => new Array<MediaPlan>(streams).fill(NOBODY), null);
  }

  /** Edits a copy of the message. Returns the bytes of the body as it leaves. */
  edit(edits: Edits, message: SipMessage): number {
    const length = message.bodyEnd - message.bodyStart;
    const isLeaving = message === this.#message && this.#sdp !== null;
    const part = isLeaving || (this.#codecs !== null && length > 0) ? sdpPart(message) : null;
    if (part === null) return length;
    const came = message.bytes.latin1Slice(part.from, part.to);
    const said = isLeaving ? this.#sdp! : came;
    const text = this.#codecs === null ? said : this.#rewritten(said, () => [], this.#codecs);
    if (text === came) return length;
    edits.replace(part.from, part.to, text);
    return editLength(edits, message, part, text.length - came.length);
  }

  #rewritten(text: string, media: (streams: number) => SdpPlan["media"], codecs: CodecRule | null): string {
    const bytes = Buffer.from(text, "latin1");
    const sdp = readSdp(bytes, 0, bytes.length);
    if (sdp instanceof ParseError) return text;
    this.#edits.clear();
    const plan = { ice: "strip", originAddress: null, codecs, isMarked: false } as const;
    rewriteSdp(this.#edits, sdp, { ...plan, media: media(sdp.media.length) });
    return this.#edits.apply(bytes, 0, bytes.length).latin1Slice();
  }
}
