/** The shape of `/v1/history`. */
import * as v from "valibot";
import { amount, count, time } from "./kinds.ts";

export const HistorySample = v.object({
  at: time("The end of its minute"),
  registrations: count("Bindings held then"),
  calls: count("Calls being set up or running then"),
  calls_begun: count("Call attempts in that minute"),
  calls_answered: count("Calls answered in that minute"),
  rss_bytes: count("Resident set then"),
  cpu_percent: amount("CPU time in that minute, of one core"),
});

export const History = v.object({
  every_s: count("From one sample to the next"),
  samples: v.pipe(v.array(HistorySample), v.description("Of the last 24 hours, the oldest first")),
});
