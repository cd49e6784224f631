/**
 * What keep-alive is told, and what it keeps beyond a restart.
 */
import type { Flow, TransportName } from "../base/flow.ts";

/** What a flow is kept open for. */
export type KeepaliveCondition = "registration" | "subscription" | "dialog";

/** Names a flow after the flow object itself may be gone. */
export interface KeptFlow {
  readonly transport: TransportName;
  readonly local_address: string;
  readonly local_port: number;
  readonly remote_address: string;
  readonly remote_port: number;
  /** `Flow.id`. */
  readonly id: string;
}

export interface KeptRow {
  readonly condition: KeepaliveCondition;
  readonly key: string;
  /** Unix time of its end. */
  readonly until_ms: number;
  readonly flow: KeptFlow;
}

/**
 * Where calls and subscriptions of UDP flows are remembered across a restart; registrations are remembered as
 * such, and connections end with the process. Never throws; what cannot be written is lost.
 */
export interface KeptState {
  load(): readonly KeptRow[];
  put(row: KeptRow): void;
  drop(condition: KeepaliveCondition, key: string, flow_id: string): void;
}

/** Remembers nothing. */
export const NO_STATE: KeptState = { load: () => [], put() {}, drop() {} };

/** Whether a restart has to know of it from here: registrations are stored as such, and connections end. */
export function isRemembered({ transport }: KeptFlow, condition: KeepaliveCondition): boolean {
  return transport === "udp" && condition !== "registration";
}

/** Whether what came on a flow came from the other end of the one that is kept. */
export function isFrom(kept: KeptFlow | null, { remoteAddress, remotePort, local }: Flow): boolean {
  return (
    kept !== null &&
    remotePort === kept.remote_port &&
    remoteAddress === kept.remote_address &&
    local.port === kept.local_port &&
    local.address === kept.local_address
  );
}
