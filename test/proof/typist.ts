/** Somebody at a terminal: reads questions and types answers. */
import { eventually } from "../support/process.ts";

const ENDED_MS = 15_000;

export class Typist {
  readonly #argv: readonly string[];
  readonly #child: Bun.Subprocess;
  #output = "";
  /** What is before here has been answered. */
  #answered = 0;

  constructor(argv: readonly string[]) {
    this.#argv = argv;
    const decoder = new TextDecoder();
    this.#child = Bun.spawn([...argv], {
      terminal: {
        cols: 100,
        rows: 30,
        data: (_terminal, bytes) => {
          this.#output += decoder.decode(bytes, { stream: true });
        },
      },
    });
  }

  /** Waits for the question, then types the answer and presses Enter. */
  async answer(question: RegExp, text: string): Promise<void> {
    await eventually(
      () => `${this.#argv.join(" ")} to ask ${question}; it said:\n${this.#output}`,
      () => question.test(this.#output.slice(this.#answered)),
    );
    this.#answered = this.#output.length;
    this.#child.terminal!.write(`${text}\r`);
  }

  /** Waits for its end; fails when it is not a good one. */
  async ended(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), ENDED_MS);
    const code = await this.#child.exited;
    clearTimeout(timer);
    this.#child.terminal!.close();
    if (code !== 0) throw new Error(`${this.#argv.join(" ")}: ${code}:\n${this.#output}`);
  }
}
