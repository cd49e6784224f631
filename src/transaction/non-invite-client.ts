import { compile } from "./machine.ts";

/** Non-INVITE client transaction: RFC 3261 §17.1.2 Figure 6. */
export const nonInviteClient = compile({
  name: "non_invite_client",
  source: "RFC 3261 Figure 6",
  initial: "Trying",
  states: {
    Trying: {
      timers: ["E", "F"],
      on: {
        E: { do: ["resend", "backOff"] },
        F: { to: "Terminated", do: ["tellTimeout"] },
        receive1xx: { to: "Proceeding", do: ["pass"] },
        receive2xx: { to: "Completed", do: ["pass"] },
        receive300_699: { to: "Completed", do: ["pass"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Proceeding: {
      timers: ["E", "F"],
      on: {
        E: { do: ["resend", "backOffToT2"] },
        F: { to: "Terminated", do: ["tellTimeout"] },
        receive1xx: { do: ["pass"] },
        receive2xx: { to: "Completed", do: ["pass"] },
        receive300_699: { to: "Completed", do: ["pass"] },
        transportError: { to: "Terminated", do: ["tellTransportError"] },
        abandon: { to: "Terminated" },
      },
    },
    Completed: {
      timers: ["K"],
      on: {
        receive1xx: {},
        receive2xx: {},
        receive300_699: {},
        transportError: {},
        K: { to: "Terminated" },
        abandon: {},
      },
    },
    Terminated: { on: {} },
  },
});
