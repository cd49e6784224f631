/** Asks the running process over HTTP, and what to say when that does not work. */
import { hostPort } from "../../base/flow.ts";
import type { Config } from "../../config/schema.ts";

const TIMEOUT_MS = 5000;

export interface Api {
  readonly base: string;
  /** Rejects where nothing answers, or it answers with an error. */
  get(path: string): Promise<Response>;
}

/** `url`: where it is, in place of what the config says. */
export function askApi({ http }: Config, url: string | null): Api {
  const base = url ?? `http://${hostPort(http.address, http.port)}`;
  const headers: Record<string, string> =
    http.token === undefined ? {} : { authorization: `Bearer ${http.token}` };
  return {
    base,
    async get(path) {
      const response = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) return response;
      throw new Refused(response.status, await messageOf(response));
    },
  };
}

/** For a person, in one line. */
export function complaintOf(base: string, error: unknown): string {
  if (error instanceof Refused) {
    if (error.status === 401)
      return `${base} wants its http.token: give the config file that has it (--config FILE)`;
    return error.said ?? `${base} answers HTTP ${error.status}`;
  }
  if (error instanceof Error && "syscall" in error && "path" in error)
    return `${String(error.path)}: ${error.message}`;
  return `nothing answers at ${base}: is sipedge running? One with a config of its own: --config FILE`;
}

async function messageOf(response: Response): Promise<string | null> {
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null && "message" in body ? String(body.message) : null;
  } catch {
    return null;
  }
}

class Refused extends Error {
  readonly status: number;
  /** In its own words; null: it has none. */
  readonly said: string | null;
  constructor(status: number, said: string | null) {
    super(`HTTP ${status}`);
    this.status = status;
    this.said = said;
  }
}
