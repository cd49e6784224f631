import { compile } from "./machine.ts";

/**
 * INVITE client transaction: RFC 3261 §17.1.1 Figure 5, with the Accepted state and Timer M of
 * RFC 6026 §7.2. Timer C is the proxy's (§16.8), not the transaction's.
 */
export const inviteClient = compile({
  name: "invite_client",
  source: "RFC 3261 Figure 5, RFC 6026 §8.4",
  initial: "Calling",
  states: {
    Calling: {
      timers: ["A", "B"],
      on: {
        A: { do: ["resend", "backOff"] },
        B: { to: "Terminated", do: ["tellTimeout"] },
        receive1xx: { to: "Proceeding", do: ["pass"] },
        receive2xx: { to: "Accepted", do: ["pass"] },
        receive300_699: { to: "Completed", do: ["sendAck", "pass"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Proceeding: {
      on: {
        receive1xx: { do: ["pass"] },
        receive2xx: { to: "Accepted", do: ["pass"] },
        receive300_699: { to: "Completed", do: ["sendAck", "pass"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Accepted: {
      timers: ["M"],
      on: {
        receive1xx: {},
        receive2xx: { do: ["pass"] }, // each 2xx, also one from another fork below us, goes to the user
        receive300_699: {},
        transportError: {},
        M: { to: "Terminated" },
        abandon: {},
      },
    },
    Completed: {
      timers: ["D"],
      on: {
        receive1xx: {},
        receive2xx: {},
        receive300_699: { do: ["sendAck"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        D: { to: "Terminated" },
        abandon: {},
      },
    },
    Terminated: { on: {} },
  },
});
