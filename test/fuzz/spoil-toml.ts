/**
 * Configurations as tired people write them: keys of the example file in wrong sections, with values of other keys or
 * of other types, sections that come twice, text that is no TOML. All from one seeded Dice.
 */
import type { SeededDice } from "../support/seeded-dice.ts";

const VALUES = [
  "true",
  "0",
  "-1",
  "1e400",
  "-nan",
  "9223372036854775807",
  "0.5",
  '""',
  '"x"',
  '"a\\u0000b"',
  '"file:/nowhere"',
  '"env:NOTHING"',
  "[]",
  "[[]]",
  "{}",
  "{ a = 1 }",
  '[1, "a", {}]',
  "1979-05-27T07:32:00Z",
  "07:32:00",
  '"""\nmany\nlines"""',
  "''",
  "'",
  '"',
  "[",
  "",
];
const LINES = [
  "[",
  "[[]]",
  "[a.b.c]",
  "[[user]]",
  "[user]",
  "[__proto__]",
  "constructor = 1",
  "=",
  "a = = 1",
  "\u0000",
  "é = 1",
];
const KEPT_LINES_MAX = 60;

export class TomlSpoiler {
  readonly #dice: SeededDice;
  /** The example's lines, those that are switched off as well. */
  readonly #lines: readonly string[];
  readonly #values: readonly string[];
  readonly #secret: string;

  /** `secret` stands wherever a password does in the example, and nowhere else. */
  constructor(dice: SeededDice, example: string, secret: string) {
    this.#dice = dice;
    this.#secret = secret;
    this.#lines = example
      .split("\n")
      .map((line) => line.replace(/^#(?! )/, ""))
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.replace(/^(password|token|read_token) = .*/, `$1 = "${secret}"`));
    const values = this.#lines.flatMap((line) => / = (.*)/.exec(line)?.[1] ?? []);
    this.#values = [...values.filter((value) => !value.includes(secret)), ...VALUES];
  }

  /** Another configuration. */
  next(): string {
    const from = this.#below(this.#lines.length);
    const lines = this.#lines.slice(from, from + 1 + this.#below(KEPT_LINES_MAX));
    const section = this.#lines.slice(0, from).findLast((line) => line.startsWith("["));
    if (section !== undefined) lines.unshift(section);
    for (let i = this.#below(6); i > 0; i--) this.#spoil(lines);
    const text = lines.join(this.#pick(["\n", "\n", "\n", "\r\n"]));
    return this.#below(5) === 0 ? this.#flip(text) : text;
  }

  #spoil(lines: string[]): void {
    const at = this.#below(lines.length);
    const line = lines[at] ?? "";
    switch (this.#below(6)) {
      case 0:
        return void lines.splice(
          at,
          1,
          line.replace(/ = .*/, () => ` = ${this.#pick(this.#values)}`),
        );
      case 1:
        return void lines.splice(
          at,
          1,
          line.replace(/ = .*/, () => ` = ${this.#pick(VALUES)}`),
        );
      case 2:
        return void lines.splice(at, 0, this.#pick(this.#lines));
      case 3:
        return void lines.splice(at, 0, line);
      case 4:
        return void lines.splice(at, 0, this.#pick(LINES));
      default:
        return void lines.splice(
          at,
          1,
          line.replace(/^\w+/, (key) => key.slice(1)),
        );
    }
  }

  /** One character becomes another; not inside the secret, which could not be known again. */
  #flip(text: string): string {
    const at = this.#below(text.length);
    const near = text.slice(Math.max(0, at - this.#secret.length), at + this.#secret.length);
    if (near.includes(this.#secret)) return text;
    return text.slice(0, at) + String.fromCharCode(this.#below(128)) + text.slice(at + 1);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #below(n: number): number {
    return Math.floor(this.#dice.fraction() * n);
  }
}
