/** Why the guard would not look at what the test phones send: said in place of a guess when nothing was answered. */
import { Networks, parseNetwork } from "../../base/networks.ts";
import type { Config } from "../../config/schema.ts";
import type { Watch } from "./watch.ts";

/** What to do about it; null: it does, as far as can be told. */
export async function keptOut(
  { guard }: Config,
  watch: Watch | null,
  address: string,
): Promise<string | null> {
  if (new Networks(guard.deny).has(address)) return `guard.deny keeps ${address} out, this machine itself`;
  if (guard.allow.length > 0 && !new Networks(guard.allow).has(address))
    return `guard.allow leaves ${address} out, this machine itself`;
  const bans = (await watch?.bans().catch(() => [])) ?? [];
  const ban = bans.find(({ source }) => parseNetwork(source) !== null && new Networks([source]).has(address));
  if (ban === undefined) return null;
  const path = `/v1/bans/${encodeURIComponent(ban.source)}`;
  return `the guard keeps ${ban.source} out (${ban.reason}): DELETE ${path} lets it in, see docs/guard.md`;
}
