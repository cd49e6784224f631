/**
 * Why a request is not carried out: what goes into the answer, the counter and the trace.
 */
export interface Refusal {
  readonly status: number;
  /** The reason in a few plain words; becomes the answer's Warning text and a counter's label. */
  readonly reason: string;
  /** The rule it follows, e.g. `RFC 3261 §16.3 step 3`. */
  readonly section: string;
  /** Whole header lines, without CRLF, that the answer must carry (Unsupported, Retry-After …). */
  readonly headers?: readonly string[];
}
