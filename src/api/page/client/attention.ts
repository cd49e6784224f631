/** What somebody should look at, the worst first; nothing when all is well. */
import type { Answer } from "../../schemas.ts";
import { duration, moment, who } from "./format.ts";

export interface Finding {
  readonly tone: "bad" | "warn";
  readonly text: string;
  /** Where more stands; null: nowhere. */
  readonly link: string | null;
}

export interface Seen {
  readonly status: Answer<"Status">;
  readonly registrations: Answer<"Registrations">;
  readonly calls: Answer<"Calls">;
  readonly records: Answer<"CallRecords">;
  readonly peers: Answer<"Peers">;
}

/** Calls that came to nothing for a reason that lies with neither caller nor callee. */
const FAULTS = new Set([403, 408, 430, 482, 483, 488, 500, 502, 503, 504, 513, 580]);
const RECENT_MS = 3600_000;
const DAY_S = 86_400;
const CERTIFICATE_DAYS = 14;
const POOR_MOS = 3.6;
const CALLS_MAX = 5;

export function findings({ status, registrations, calls, records, peers }: Seen, now: number): Finding[] {
  return [
    ...ofStatus(status, now),
    ...ofPeers(peers),
    ...ofPhones(registrations),
    ...ofCalls(calls),
    ...ofRecords(records, now),
  ].sort((a, b) => Number(a.tone === "warn") - Number(b.tone === "warn"));
}

const bad = (text: string, link: string | null = null): Finding => ({ tone: "bad", text, link });
const warn = (text: string, link: string | null = null): Finding => ({ tone: "warn", text, link });

function ofStatus(
  { reasons, store, reload, certificates, rtpengines }: Answer<"Status">,
  now: number,
): Finding[] {
  const found = reasons.map((reason) => bad(`Not ready: ${reason}`));
  if (!store.ok) found.push(bad(`The store takes nothing: ${store.message}`));
  for (const error of reload?.errors ?? []) found.push(bad(`The config file was not taken over: ${error}`));
  if ((reload?.restart_needed ?? []).length > 0)
    found.push(warn(`Counts only after a restart: ${reload?.restart_needed.join(", ")}`));
  for (const { file, expires_at, problem } of certificates) {
    const left_s = (Date.parse(expires_at) - now) / 1000;
    if (problem !== null) found.push(bad(`Certificate ${file}: ${problem}`));
    if (left_s <= 0) found.push(bad(`Certificate ${file} ended ${moment(expires_at)}`));
    else if (left_s < CERTIFICATE_DAYS * DAY_S)
      found.push(warn(`Certificate ${file} ends in ${duration(left_s)}`));
  }
  for (const { instance, up } of rtpengines) if (!up) found.push(bad(`rtpengine ${instance} is down`));
  return found;
}

function ofPeers({ peers }: Answer<"Peers">): Finding[] {
  return peers.flatMap(({ name, uris }) => {
    const down = uris.filter(({ state }) => state !== "up");
    if (down.length === 0) return [];
    const list = down.map(({ uri, state }) => `${who(uri)} ${state}`).join(", ");
    return [down.length === uris.length ? bad(`Peer ${name}: ${list}`) : warn(`Peer ${name}: ${list}`)];
  });
}

function ofPhones({ registrations }: Answer<"Registrations">): Finding[] {
  return registrations.flatMap(({ aor, reachable, pings_missed, alg_signs, user_agent }) => {
    const found: Finding[] = [];
    if (!reachable)
      found.push(
        warn(
          `${aor} cannot be reached${pings_missed > 0 ? `: ${pings_missed} pings without an answer` : ""}`,
        ),
      );
    if (alg_signs.length > 0)
      found.push(
        warn(
          `${aor} (${user_agent ?? "unknown device"}): a router in between changes SIP (ALG): ${alg_signs.join(", ")}`,
        ),
      );
    return found;
  });
}

function ofCalls({ calls }: Answer<"Calls">): Finding[] {
  return calls.flatMap(({ call_id, from, to, media }) => {
    const worst = (media ?? []).filter(({ mos_lqe }) => mos_lqe !== null && mos_lqe < POOR_MOS);
    return worst.map((stream) =>
      warn(
        `${who(from)} → ${who(to)}: the ${stream.from} is heard badly (MOS ${stream.mos_lqe}, ${stream.loss_percent ?? 0} % lost)`,
        traceLink(call_id),
      ),
    );
  });
}

function ofRecords({ records }: Answer<"CallRecords">, now: number): Finding[] {
  return records
    .filter(({ ended_at, status, ended_by, answered_at }) => {
      const failed = FAULTS.has(status) || (answered_at !== null && ended_by === "nobody");
      return failed && now - Date.parse(ended_at) < RECENT_MS;
    })
    .slice(0, CALLS_MAX)
    .map(({ call_id, ended_at, from, to, status, reason }) =>
      warn(`${moment(ended_at)} ${who(from)} → ${who(to)}: ${status} ${reason}`, traceLink(call_id)),
    );
}

export const traceLink = (call_id: string): string => `#/trace/${encodeURIComponent(call_id)}`;
