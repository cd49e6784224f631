/** Rules between media.engine and [[rtpengine]], in the manner of rules.ts. */
import { canonicalAddress } from "./hosts.ts";
import type { KeyPath } from "./key-path.ts";
import { NOTHING } from "./mistakes.ts";

/** The keys these rules look at; a mistaken value is undefined. */
export interface EnginesDraft {
  readonly media?:
    | {
        readonly engine?: string | undefined;
        readonly rtpengine_networks?: readonly (string | undefined)[] | undefined;
      }
    | undefined;
  readonly rtpengine?:
    | readonly (
        | {
            readonly address?: string | undefined;
            readonly port?: number | undefined;
          }
        | undefined
      )[]
    | undefined;
}

type Tell = (path: KeyPath, found: string | number, allowed: string) => void;

export const RTPENGINE_RULES = [engineIsNamed, enginesOnce, twoNetworksOrNone] as const;

function engineIsNamed({ media, rtpengine }: EnginesDraft, tell: Tell): void {
  if (media?.engine === "rtpengine" && rtpengine !== undefined && rtpengine.length === 0)
    tell(["rtpengine"], NOTHING, 'at least one [[rtpengine]], for media.engine is "rtpengine"');
}

function enginesOnce({ rtpengine = [] }: EnginesDraft, tell: Tell): void {
  const first = new Map<string, number>();
  for (const [index, entry] of rtpengine.entries()) {
    const { address, port } = entry ?? {};
    if (address === undefined || port === undefined) continue;
    const point = `${canonicalAddress(address)} port ${port}`;
    const other = first.get(point);
    if (other === undefined) first.set(point, index);
    else tell(["rtpengine", index], point, `each once: rtpengine[${other}] has it already`);
  }
}

function twoNetworksOrNone({ media }: EnginesDraft, tell: Tell): void {
  const count = media?.rtpengine_networks?.length ?? 0;
  if (count !== 0 && count !== 2)
    tell(["media", "rtpengine_networks"], `${count} names`, "two names, the inner one first, or none");
}
