/**
 * A network namespace that has nothing but its loopback: what a trusted sender of nonsense makes the appliance forward
 * goes nowhere. And a process namespace, so that nothing in it outlives the command. Needs root.
 */
import { works } from "../natlab/namespace.ts";

const INSIDE = 'ip link set lo up && exec "$@"';

/** The command in a network of its own, which ends with it. */
export function inLonelyNetwork(...argv: readonly string[]): string[] {
  return [
    "unshare",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "sh",
    "-c",
    INSIDE,
    "sh",
    ...argv,
  ];
}

/** Whether there can be such networks here; says so when not. */
export function lonelyNetworks(story: string): boolean {
  const can = works(...inLonelyNetwork("true"));
  if (!can) process.stderr.write(`skipped: ${story} (no network namespaces: not root, or no iproute2?)\n`);
  return can;
}
