/** The counters of the resolver, by what an operator wants to know. */
import type { Counter, Metrics } from "../base/metrics.ts";

type IgnoredReason = "source" | "id" | "question" | "malformed";
type CacheUse = "hit" | "miss" | "joined" | "stale" | "hosts";

const byLabel = <K extends string>(
  metrics: Metrics,
  [name, help, label]: readonly [name: string, help: string, label: string],
  values: readonly K[],
): Readonly<Record<K, Counter>> =>
  Object.fromEntries(
    values.map((value) => [value, metrics.counter(name, help, { [label]: value })]),
  ) as Record<K, Counter>;

export class DnsMetrics {
  /** Queries that left, by protocol. */
  readonly queries: Readonly<Record<"udp" | "tcp", Counter>>;
  readonly timeouts: Counter;
  readonly unreachable: Counter;
  /** Datagrams that cannot be answers to the query. */
  readonly ignored: Readonly<Record<IgnoredReason, Counter>>;
  readonly caseChanged: Counter;
  readonly truncated: Counter;
  /** Questions by what answered them. */
  readonly uses: Readonly<Record<CacheUse, Counter>>;
  readonly prefetched: Counter;
  readonly failed: Counter;
  /** Questions not asked because a bound was reached. */
  readonly busy: Counter;

  constructor(metrics: Metrics) {
    this.queries = byLabel(
      metrics,
      ["sipedge_dns_queries_total", "Queries sent to name servers", "protocol"],
      ["udp", "tcp"],
    );
    this.timeouts = metrics.counter(
      "sipedge_dns_timeouts_total",
      "Queries that a name server did not answer in time",
    );
    this.unreachable = metrics.counter(
      "sipedge_dns_unreachable_total",
      "Queries to a name server that could not be reached",
    );
    this.ignored = byLabel(
      metrics,
      [
        "sipedge_dns_ignored_total",
        "What arrived in place of an answer, by what was wrong with it",
        "reason",
      ],
      ["source", "id", "question", "malformed"],
    );
    this.caseChanged = metrics.counter(
      "sipedge_dns_case_changed_total",
      "Answers whose letters had changed case; they were asked for again on a stream",
    );
    this.truncated = metrics.counter(
      "sipedge_dns_truncated_total",
      "Answers too long for a datagram, asked for again on a stream",
    );
    this.uses = byLabel(
      metrics,
      ["sipedge_dns_questions_total", "Questions by what answered them", "by"],
      ["hit", "miss", "joined", "stale", "hosts"],
    );
    this.prefetched = metrics.counter(
      "sipedge_dns_prefetched_total",
      "Answers fetched anew shortly before their time was over",
    );
    this.failed = metrics.counter("sipedge_dns_failed_total", "Questions that no name server answered");
    this.busy = metrics.counter("sipedge_dns_busy_total", "Questions not asked because too many were open");
  }
}
