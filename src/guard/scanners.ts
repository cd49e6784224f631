/**
 * Programs that look for open telephone systems, by the name that they give themselves. Whoever changes that name is
 * found by what he does.
 */

/** In a User-Agent, in any case. */
const NAMES = [
  "friendly-scanner", // sipvicious
  "sipvicious",
  "sip-scan",
  "sipcli",
  "sipsak-scan",
  "vaxsipuseragent",
  "pplsip",
  "sundayddr",
  "iwar",
  "siparmyknife",
  "smap",
  "gulp",
  "eyebeam release 3004t",
  "custom-scanner",
] as const;

/** How far into a message its User-Agent is looked for. */
const LOOK_BYTES = 2048;

export class Scanners {
  readonly #pattern: RegExp;

  /** `more`: names beside the known ones. */
  constructor(more: readonly string[]) {
    const names = [...NAMES, ...more.map((name) => name.toLowerCase())];
    const words = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
    this.#pattern = new RegExp(`^user-agent[ \\t]*:[^\\r\\n]*(?:${words})`, "im");
  }

  /** Whether the message calls itself one of them; nothing else of it is read. */
  names(bytes: Buffer): boolean {
    return this.#pattern.test(bytes.latin1Slice(0, Math.min(bytes.length, LOOK_BYTES)));
  }
}
