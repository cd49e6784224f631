/**
 * Name service through the platform: /etc/hosts and the system's resolver for addresses, its name
 * servers for SRV.
 */
import { lookup, Resolver as PlatformResolver } from "node:dns/promises";
import type { Resolver, Service } from "./locate.ts";

const TIMEOUT_MS = 2000;
const TRIES = 2;

/** Answers that mean "there is no such record", as against "I could not find out". */
const ABSENT = new Set(["ENODATA", "ENOTFOUND", "ENODOMAIN", "NODATA", "NOTFOUND", "DNS_ENOTFOUND"]);

export class SystemResolver implements Resolver {
  readonly #platform = new PlatformResolver({ timeout: TIMEOUT_MS, tries: TRIES });

  async addresses(name: string): Promise<readonly string[]> {
    return unlessAbsent(async () => {
      const found = await lookup(name, { all: true });
      return found.map((entry) => entry.address);
    });
  }

  async services(name: string): Promise<readonly Service[]> {
    return unlessAbsent(() => this.#platform.resolveSrv(name));
  }
}

async function unlessAbsent<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (ABSENT.has(code)) return [];
    throw error;
  }
}
