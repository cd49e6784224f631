/**
 * Where the packets of one side come from: learned from the first that may be its own, then held (NAT-13). It moves
 * when the side has described itself anew, or after silence, and even then only to an address that may be its own.
 */

/** A source that has been silent for so long may have got another address from its NAT. */
export const RELATCH_SILENCE_MS = 1500;

export type Verdict = "same" | "first" | "moved" | "refused";

export class Latch {
  /** Null: nothing was learned yet. */
  address: string | null = null;
  port = 0;
  #heard_ms = 0;
  #ssrc = 0;
  #isLoose = true;
  /** When it was first heard at its old address after `loosen`; -1: not since. */
  #kept_ms = -1;

  /** From now on the next packet that may be its own is believed. */
  loosen(): void {
    this.#isLoose = true;
    this.#kept_ms = -1;
  }

  /** What was learned is not true any more: it is to be learned anew. */
  forget(): void {
    this.address = null;
    this.port = 0;
    this.#isLoose = true;
  }

  /**
   * One packet. `isOwn`: whether it comes from an address that the side has named in its description or signals from;
   * `ssrc`: its synchronization source, 0 when it has none.
   */
  hear(address: string, port: number, ssrc: number, isOwn: boolean, now_ms: number): Verdict {
    if (port === this.port && address === this.address) {
      this.#heard_ms = now_ms;
      if (ssrc !== 0) this.#ssrc = ssrc;
      if (this.#isLoose) this.#keep(now_ms);
      return "same";
    }
    if (!this.#mayMove(address, ssrc, isOwn, now_ms)) return "refused";
    const verdict = this.address === null ? "first" : "moved";
    this.address = address;
    this.port = port;
    this.#heard_ms = now_ms;
    this.#ssrc = ssrc;
    this.#isLoose = false;
    return verdict;
  }

  /** What was on its way when it described itself anew still comes from the old address: that alone proves nothing. */
  #keep(now_ms: number): void {
    if (this.#kept_ms < 0) this.#kept_ms = now_ms;
    else if (now_ms - this.#kept_ms >= RELATCH_SILENCE_MS) this.#isLoose = false;
  }

  /** A new NAT mapping keeps the source's SSRC, and most often its address. */
  #mayMove(address: string, ssrc: number, isOwn: boolean, now_ms: number): boolean {
    if (this.#isLoose) return isOwn;
    if (now_ms - this.#heard_ms < RELATCH_SILENCE_MS) return false;
    return address === this.address || (ssrc !== 0 && ssrc === this.#ssrc);
  }
}
