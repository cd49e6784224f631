/** A piece of text that does not follow its grammar: a value, never thrown. */
export class ParseError {
  /** Stable word for counters and tests, e.g. `via_host`. */
  readonly code: string;
  /** Byte offset in the message, or character offset in the text that was parsed. */
  readonly offset: number;

  constructor(code: string, offset: number) {
    this.code = code;
    this.offset = offset;
  }
}
