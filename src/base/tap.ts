/**
 * Who sees every message as it comes and leaves. A tap changes nothing, and must not throw.
 */
import type { Flow } from "./flow.ts";

export interface MessageTap {
  /** One whole message of that Call-ID was handed to a flow; `isSent`: it left or is queued. */
  sent(bytes: Buffer, callId: string, flow: Flow, isSent: boolean): void;
}
