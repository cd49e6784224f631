/** Bad networks for scenarios: a seed that re-runs a story, duplicates, and datagrams lost by rule. */
import { hostPort } from "../../src/base/flow.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import type { World } from "../support/world.ts";

/** The seeds of a story: those given, or the one in the environment variable SEED. */
export function seeds(...given: number[]): readonly number[] {
  const wanted = Number(process.env.SEED);
  return Number.isInteger(wanted) && wanted > 0 ? [wanted] : given;
}

/** Runs a story; when it fails its seed is in the error: `SEED=… bun test …` runs it again. */
export function withSeed(seed: number, story: () => void): void {
  try {
    story();
  } catch (error) {
    throw new Error(`SEED=${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

/** Sends this share of all datagrams twice. */
export function duplicate(world: World, share: number, seed: number): void {
  const dice = new SeededDice(seed + 7919);
  const { network } = world;
  const carry = network.carry.bind(network);
  network.carry = (flow, bytes) => {
    carry(flow, bytes);
    if (!flow.reliable && dice.fraction() < share) carry(flow, bytes);
  };
}

/** Loses the first `times` sendings of each different datagram that goes from or to this address. */
export function loseFirst(world: World, address: string, times: number): { lost: number } {
  const seen = new Map<string, number>();
  const count = { lost: 0 };
  const { network } = world;
  const carry = network.carry.bind(network);
  network.carry = (flow, bytes) => {
    if (flow.local.address === address || flow.remoteAddress === address) {
      const key = `${hostPort(flow.remoteAddress, flow.remotePort)} ${bytes.toString("latin1")}`;
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      if (before < times) {
        count.lost++;
        return;
      }
    }
    carry(flow, bytes);
  };
  return count;
}
