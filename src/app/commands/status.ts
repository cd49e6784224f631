/** `sipedge status`: asks the running process over HTTP and prints what it says for a person. */

import { hostPort } from "../../base/flow.ts";
import type { Config } from "../../config/schema.ts";
import { statusText } from "../status-text.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

const TIMEOUT_MS = 5000;

export async function status({ words, config: file, url }: Invocation): Promise<number> {
  if (words.length > 0) return usage("status takes no words");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const base = url ?? `http://${hostPort(config.http.address, config.http.port)}`;
  try {
    const [state, registrations] = await Promise.all([
      ask(`${base}/v1/status`, config),
      ask(`${base}/v1/registrations?limit=20`, config),
    ]);
    process.stdout.write(statusText(state, registrations));
    return 0;
  } catch (error) {
    process.stderr.write(`sipedge: ${complaint(base, error)}
`);
    return 1;
  }
}

async function ask(url: string, config: Config) {
  const headers: Record<string, string> =
    config.http.token === undefined ? {} : { authorization: `Bearer ${config.http.token}` };
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Refused(response.status);
  return response.json();
}

class Refused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

function complaint(base: string, error: unknown): string {
  if (error instanceof Refused)
    return error.status === 401
      ? `${base} wants its http.token: give the config file that has it (--config FILE)`
      : `${base} answers ${error.message}`;
  return `nothing answers at ${base}: is sipedge running? One with a config of its own: status --config FILE`;
}
