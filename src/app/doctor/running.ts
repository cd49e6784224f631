/** What `sipedge doctor` asks the running appliance: readiness, signs of ALGs, trunks. */
import type { Answer } from "../../api/schemas.ts";
import { hostPort } from "../../base/flow.ts";
import type { Config } from "../../config/schema.ts";
import type { Finding } from "./finding.ts";
import { good, mayStop, stops } from "./finding.ts";

const TIMEOUT_MS = 5000;
const ROWS_MAX = 1000;
const SHOWN_MAX = 5;

export interface RunningAppliance {
  readonly isRunning: boolean;
  readonly findings: readonly Finding[];
}

export async function running({ http }: Config, url: string | null): Promise<RunningAppliance> {
  if (!http.enabled && url === null)
    return { isRunning: false, findings: [good("running", "not asked: http.enabled is false")] };
  const base = url ?? `http://${hostPort(http.address, http.port)}`;
  const headers: Record<string, string> =
    http.token === undefined ? {} : { authorization: `Bearer ${http.token}` };
  const ask = async (path: string): Promise<unknown> =>
    (await fetch(base + path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })).json();
  try {
    const [readiness, registrations, peers] = await Promise.all([
      ask("/readyz"),
      ask(`/v1/registrations?limit=${ROWS_MAX}`),
      ask(`/v1/peers?limit=${ROWS_MAX}`),
    ]);
    const rows = (registrations as Answer<"Registrations">).registrations;
    const trunks = (peers as Answer<"Peers">).peers;
    return {
      isRunning: true,
      findings: [ready(readiness as Answer<"Readiness">), algs(rows), ...trunkFindings(trunks)],
    };
  } catch {
    return { isRunning: false, findings: [good("running", `nothing that is sipedge answers at ${base}`)] };
  }
}

function ready({ ready: isReady, reasons }: Answer<"Readiness">): Finding {
  if (isReady) return good("running", "takes calls and registrations");
  return stops("running", reasons.join("; "), "the log says more: journalctl -u sipedge");
}

function algs(rows: Answer<"Registrations">["registrations"]): Finding {
  const suspects = rows.filter(({ alg_signs }) => alg_signs.length > 0);
  if (suspects.length === 0) return good("ALG", `no sign of one at ${rows.length} registrations`);
  const shown = suspects.slice(0, SHOWN_MAX).map(({ aor, remote }) => `${aor} at ${remote}`);
  return mayStop(
    "ALG",
    `a router rewrites SIP of ${shown.join(", ")}${suspects.length > SHOWN_MAX ? " and more" : ""}`,
    "switch off SIP ALG (SIP helper, SIP passthrough) in that router, or let the phone use another port or TCP",
  );
}

function trunkFindings(peers: Answer<"Peers">["peers"]): Finding[] {
  return peers.flatMap(({ name, uris }) =>
    uris.map(({ uri, state }) =>
      state === "up"
        ? good("peers", `${name}: ${uri} is up`)
        : mayStop(
            "peers",
            `${name}: ${uri} is ${state}`,
            "look whether it answers OPTIONS from here: name, port, firewall, its own allow list",
          ),
    ),
  );
}
