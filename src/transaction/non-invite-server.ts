import { compile } from "./machine.ts";

/**
 * Non-INVITE server transaction: RFC 3261 §17.2.2 Figure 8, with the 100 of RFC 4320 §4.1.
 * RFC 6026 §8.8 keeps a server transaction in its state when the transport fails, but redraws only
 * Figure 7, because of INVITEs that would come in again. Figure 8 is kept as it stands: its errors come
 * from connections, and nobody repeats a request on one.
 */
export const nonInviteServer = compile({
  name: "non_invite_server",
  source: "RFC 3261 Figure 8, RFC 4320 §4.1",
  initial: "Trying",
  states: {
    Trying: {
      timers: ["100"],
      on: {
        request: {},
        "100": { to: "Proceeding", do: ["send100"] },
        send1xx: { to: "Proceeding", do: ["send"] },
        send2xx: { to: "Completed", do: ["send"] },
        send300_699: { to: "Completed", do: ["send"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" }, // no answer came and 408 must not be sent (RFC 4320 §4.2)
      },
    },
    Proceeding: {
      on: {
        request: { do: ["resend"] },
        send1xx: { do: ["send"] },
        send2xx: { to: "Completed", do: ["send"] },
        send300_699: { to: "Completed", do: ["send"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Completed: {
      timers: ["J"],
      on: {
        request: { do: ["resend"] },
        send1xx: {},
        send2xx: {},
        send300_699: {},
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        J: { to: "Terminated" },
        abandon: {},
      },
    },
    Terminated: { on: {} },
  },
});
