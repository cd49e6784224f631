/** The shape of `/v1/dns`. */
import * as v from "valibot";
import { count, text, time, yes } from "./kinds.ts";

export const DnsServer = v.object({
  server: text("Its address"),
  dead: yes("It was silent lately and is asked last"),
  retry_in_ms: count("Until it is tried again; 0 when it is not dead"),
  sent: count("Queries sent to it"),
  answered: count("Answers of it"),
  silent: count("Queries it left unanswered"),
});

export const DnsRecord = v.object({
  name: text("What was asked for"),
  type: text("A, AAAA, SRV, NAPTR, …"),
  answer: v.picklist(["records", "none", "failed"]),
  records: count("Records in the answer"),
  expires_in_ms: v.pipe(v.number(), v.integer(), v.description("Negative: kept for want of a better one")),
  hits: count("How often it was asked for"),
});

export const DeadTarget = v.object({
  place: text("transport address:port"),
  reason: text("What happened"),
  until: time("Until when it is left alone; past: it is being asked whether it is back"),
  probes: count("How often it was asked since it failed"),
});

export const Dns = v.object({
  entries: count("Answers kept"),
  entries_max: count("At most"),
  bytes: count("What they take, roughly"),
  bytes_max: count("At most"),
  underway: count("Questions under way"),
  servers: v.array(DnsServer),
  records: v.pipe(v.array(DnsRecord), v.description("Some of the answers, at most ?limit=")),
  dead_targets: v.pipe(
    v.array(DeadTarget),
    v.description("Places that requests could not be sent to lately"),
  ),
});
