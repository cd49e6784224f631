/** Whether calls and registrations are taken, and if not, why. */
import type { Answer } from "./schemas.ts";
import type { ApiSources } from "./sources.ts";

/** Each reason is a stable word, a colon and a sentence. */
export function readiness(sources: Pick<ApiSources, "appliance" | "store">): Answer<"Readiness"> {
  const { phase, listeners } = sources.appliance();
  const store = sources.store.health();
  const reasons: string[] = [];
  if (phase === "starting") reasons.push("starting: the appliance is not up yet");
  if (phase === "draining") reasons.push("draining: the appliance is stopping and takes nothing new");
  if (listeners.length === 0) reasons.push("no_listener: no address and port is listened on");
  if (!store.ok) reasons.push(`store_${store.code ?? "failed"}: ${store.message}`);
  return { ready: reasons.length === 0, reasons };
}
