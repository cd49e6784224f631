/** `sipedge drain`: asks the running process to begin nothing new and to end after its last call. */
import { hostPort } from "../../base/flow.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

const TIMEOUT_MS = 5000;

export async function drain({ words, config: file, url }: Invocation): Promise<number> {
  if (words.length > 0) return usage("drain takes no words");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const base = url ?? `http://${hostPort(config.http.address, config.http.port)}`;
  const headers: Record<string, string> =
    config.http.token === undefined ? {} : { authorization: `Bearer ${config.http.token}` };
  try {
    const request = { method: "POST", headers, signal: AbortSignal.timeout(TIMEOUT_MS) };
    const response = await fetch(`${base}/v1/drain`, request);
    if (!response.ok) return complain(`${base} answers HTTP ${response.status}${adviceFor(response.status)}`);
    process.stdout.write(
      "draining: new calls and registrations get 503; the process ends after its last call\n",
    );
    return 0;
  } catch {
    return complain(`nothing answers at ${base}: is sipedge running? --config FILE says with which config`);
  }
}

function adviceFor(status: number): string {
  if (status === 401) return ": give the config file that has http.token (--config FILE)";
  return status === 403 ? ": ask from the machine itself, or set http.token" : "";
}

function complain(what: string): number {
  process.stderr.write(`sipedge: ${what}\n`);
  return 1;
}
