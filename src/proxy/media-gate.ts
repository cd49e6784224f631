/**
 * Who has to be asked about the media of a message before its copy can leave. Without one, every copy leaves in the
 * very call that brought it.
 */
import type { SipMessage } from "../message/sip-message.ts";
import type { Copy, Forwarding } from "./forward.ts";

export interface MediaGate {
  /**
   * Calls `go` once: in this very call when nobody is asked. `why`: it must not leave, for that reason. The copy is
   * to be made inside `go`.
   */
  beforeRequest(forwarding: Forwarding, copy: Copy, go: (why: string | null) => void): void;
  /** The same for an answer on its way back; false: it must not go back. */
  beforeResponse(response: SipMessage, go: (mayGo: boolean) => void): void;
}
