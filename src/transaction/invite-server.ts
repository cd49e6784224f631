import { compile } from "./machine.ts";

/**
 * INVITE server transaction: RFC 3261 §17.2.1 Figure 7, with the Accepted state and Timer L of
 * RFC 6026 §7.1.
 */
export const inviteServer = compile({
  name: "invite_server",
  source: "RFC 3261 Figure 7, RFC 6026 §8.5",
  initial: "Proceeding",
  states: {
    Proceeding: {
      on: {
        request: { do: ["resend"] },
        ACK: {},
        send1xx: { do: ["send"] },
        send2xx: { to: "Accepted", do: ["sendOnce"] },
        send300_699: { to: "Completed", do: ["send"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Accepted: {
      timers: ["L"],
      on: {
        request: {}, // absorbed: it must not start a second call (RFC 6026 §7.1)
        ACK: { do: ["pass"] },
        send1xx: {},
        send2xx: { do: ["sendOnce"] },
        send300_699: {},
        transportError: {},
        L: { to: "Terminated" },
        abandon: {},
      },
    },
    Completed: {
      timers: ["G", "H"],
      on: {
        request: { do: ["resend"] },
        ACK: { to: "Confirmed" },
        G: { do: ["resend", "backOff"] },
        H: { to: "Terminated", do: ["tellTimeout"] },
        send1xx: {},
        send2xx: { do: ["sendOnce"] }, // a late 2xx of another branch is forwarded all the same (§16.7 step 5)
        send300_699: {},
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: {},
      },
    },
    Confirmed: {
      timers: ["I"],
      on: {
        request: {},
        ACK: {},
        send1xx: {},
        send2xx: { do: ["sendOnce"] },
        send300_699: {},
        transportError: {},
        I: { to: "Terminated" },
        abandon: {},
      },
    },
    Terminated: { on: {} },
  },
});
