/** Which listeners the self-test calls through: each of the config, at an address of this machine. Pure. */
import { isIP } from "node:net";
import type { TransportName } from "../../base/flow.ts";
import { hostPort } from "../../base/flow.ts";
import { Networks } from "../../base/networks.ts";
import type { Config } from "../../config/schema.ts";
import type { LinkTarget } from "../../transport/client-link.ts";

export interface Target extends LinkTarget {
  /** What accounts are registered under, as a URI host. */
  readonly domain: string;
}

/** The port of a listener that took a free one; null: nobody knows. */
export type BoundPort = (transport: TransportName, address: string) => number | null;

const LOOPBACK = new Networks(["127.0.0.0/8", "::1"]);

/**
 * `here`: the addresses of this machine. Of `any` one address of each family is taken, rather one that others reach
 * than loopback.
 */
export function targetsOf(config: Config, here: readonly string[], boundPort: BoundPort): Target[] {
  const found = new Map<string, Target>();
  for (const { transport, address, port } of config.listen)
    for (const each of address === "any" ? onePerFamily(here) : [address]) {
      const known = port === 0 ? boundPort(transport, each) : port;
      if (known === null) continue;
      const domain = config.domains[0] ?? each;
      found.set(`${transport} ${each} ${known}`, {
        ...{ transport, address: each, port: known },
        serverName: isIP(domain) === 0 ? domain : null,
        domain: domain.includes(":") ? `[${domain}]` : domain,
      });
    }
  return [...found.values()];
}

function onePerFamily(here: readonly string[]): string[] {
  return [4, 6].flatMap((family) => {
    const fitting = here.filter((address) => isIP(address) === family);
    const best = fitting.find((address) => !LOOPBACK.has(address)) ?? fitting[0];
    return best === undefined ? [] : [best];
  });
}

export const targetText = ({ transport, address, port }: LinkTarget): string =>
  `${transport} ${hostPort(address, port)}`;
