/** The shapes of `/v1/keepalive`. */
import * as v from "valibot";
import { count, text, yes } from "./kinds.ts";

export const KeptEndpoint = v.object({
  flow_id: text("Names the flow here and in the log"),
  remote: text("The phone's end of the flow as we see it, host:port"),
  conditions: v.pipe(
    v.array(v.picklist(["registration", "subscription", "dialog"])),
    v.description("Why it is kept open"),
  ),
  sent: count("Pings sent"),
  answered: count("Pings answered"),
  missed: count("Pings without an answer, in a row"),
  latency_ms: v.nullable(v.pipe(v.number(), v.description("Of the last answer; null: there was none yet"))),
  lost: yes("It has missed so many that it is out of use"),
});

export const Keepalive = v.object({
  enabled: yes("Whether pings are sent"),
  endpoints: count("Flows that are kept open"),
  registered: count("By a registration"),
  subscribed: count("By a subscription"),
  in_dialog: count("By a call"),
  flows: v.pipe(v.array(KeptEndpoint), v.description("Some of them, at most ?limit=")),
});

/** What `PUT /v1/keepalive` brings. */
export const NewKeepalive = v.strictObject({
  enabled: v.pipe(v.boolean("true or false is needed"), v.description("Until the next start")),
});
