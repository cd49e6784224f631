import { compile } from "./machine.ts";

/**
 * INVITE server transaction: RFC 3261 §17.2.1 Figure 7 as RFC 6026 §8.7 redraws it: the Accepted state,
 * Timer L, and a transport error that is told but ends nothing (RFC 6026 §8.8), so that the repeated
 * INVITE still finds its transaction. In Proceeding the end comes with the user's final answer, after
 * that with Timer H or L.
 * Departs from RFC 6026 Figure 7: Timer H is told to the user, as §17.2.1 demands in words.
 */
export const inviteServer = compile({
  name: "invite_server",
  source: "RFC 3261 Figure 7, RFC 6026 §8.7",
  initial: "Proceeding",
  states: {
    Proceeding: {
      on: {
        request: { do: ["resend"] },
        ACK: {},
        send1xx: { do: ["send"] },
        send2xx: { to: "Accepted", do: ["sendOnce"] },
        send300_699: { to: "Completed", do: ["send"] },
        transportError: { do: ["tellTransportError"] },
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
        transportError: { do: ["tellTransportError"] },
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
        transportError: { do: ["tellTransportError"] },
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
