/**
 * Who sees every message as it comes and leaves. A tap changes nothing, and must not throw.
 */
import type { Flow } from "./flow.ts";

export interface MessageTap {
  /** One whole message was handed to a flow; `isSent`: it left or is queued. */
  sent(bytes: Buffer, flow: Flow, isSent: boolean): void;
}
