/** The rtpengines that relay media, as `/v1/status` shows them. */
import * as v from "valibot";
import { count, text, time, yes } from "./kinds.ts";

export const Engine = v.object({
  instance: text("The address and port of its ng protocol"),
  up: yes("It answers"),
  since: time("Since when it is as it is"),
  weight: count("Its share of the calls; 0: a stand-by"),
  calls: count("Calls that it relays"),
  commands_under_way: count("Commands that it has not answered yet"),
});
