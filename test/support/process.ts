/**
 * Programs as child processes of a test: what they said, and how they ended. Every wait has a bound;
 * every program is ended by its own pid.
 */

/** What is kept of a program's output; the oldest part goes first. */
const OUTPUT_CHARS_MAX = 1_000_000;
/** How long a program may take to end after SIGTERM before it is killed. */
const GRACE_MS = 8000;
/** How long its output is read after its end: children that outlive it may hold the pipe open. */
const OUTPUT_MS = 2000;
const LOOK_MS = 20;

/** Whether the program can be found in the PATH (Debian keeps some servers in /usr/sbin). */
export function isInstalled(program: string): boolean {
  return Bun.which(program, { PATH: SEARCH_PATH }) !== null;
}

const SEARCH_PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

/** Whether any of the programs is missing, after one line that says what is skipped without it. */
export function missing(story: string, ...programs: readonly string[]): boolean {
  const absent = programs.filter((program) => !isInstalled(program));
  if (absent.length > 0) process.stderr.write(`skipped: ${story} (not installed: ${absent.join(", ")})\n`);
  return absent.length > 0;
}

/** Looks until `found` gives something; fails with `what` after `within_ms`. */
export async function eventually<T>(
  what: string | (() => string),
  found: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  within_ms = 10_000,
): Promise<T> {
  const end = performance.now() + within_ms;
  for (;;) {
    const value = await found();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > end)
      throw new Error(`not within ${within_ms} ms: ${typeof what === "string" ? what : what()}`);
    await Bun.sleep(LOOK_MS);
  }
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads on its standard input, which is closed then; without it there is none. */
  readonly stdin?: string;
}

/** A running program. */
export class Program {
  readonly name: string;
  readonly #child: Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">;
  readonly #read: Promise<unknown>;
  #output = "";

  constructor(argv: readonly string[], options: ProgramOptions = {}) {
    this.name = argv[0] ?? "";
    this.#child = Bun.spawn([...argv], {
      stdin: options.stdin === undefined ? "ignore" : Buffer.from(options.stdin),
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, PATH: SEARCH_PATH, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }) as Bun.Subprocess<"pipe" | "ignore", "pipe", "pipe">;
    this.#read = Promise.all([this.#keep(this.#child.stdout), this.#keep(this.#child.stderr)]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Everything it wrote so far, both streams as they came. */
  get output(): string {
    return this.#output;
  }

  /** Waits until the output holds the pattern. */
  says(pattern: RegExp, within_ms = 15_000): Promise<RegExpExecArray> {
    return eventually(
      () => `${this.name} to say ${pattern}; it said:\n${this.#output}`,
      () => {
        const match = pattern.exec(this.#output);
        if (match === null && this.#child.exitCode !== null)
          throw new Error(`${this.name} ended with ${this.#child.exitCode}:\n${this.#output}`);
        return match;
      },
      within_ms,
    );
  }

  /** Its exit code (128 + signal when one ended it), once its output is here. */
  async ended(within_ms = 30_000): Promise<number> {
    const late = Symbol();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const bound = new Promise<typeof late>((resolve) => {
      timer = setTimeout(() => resolve(late), within_ms);
    });
    const code = await Promise.race([this.#child.exited, bound]);
    clearTimeout(timer);
    if (code === late) {
      this.#child.kill("SIGKILL");
      throw new Error(`${this.name} was still running after ${within_ms} ms; it said:\n${this.#output}`);
    }
    await Promise.race([this.#read, Bun.sleep(OUTPUT_MS)]);
    return code as number;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it: SIGTERM, and SIGKILL when that does not help. Gives its exit code. */
  async stop(): Promise<number> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.ended();
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    try {
      return await this.ended(2 * GRACE_MS);
    } finally {
      clearTimeout(timer);
    }
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#output += decoder.decode(chunk, { stream: true });
      if (this.#output.length > OUTPUT_CHARS_MAX) this.#output = this.#output.slice(-OUTPUT_CHARS_MAX / 2);
    }
  }
}
