/**
 * What keep-alive counts. The four gauges have the names operators know from nat_traversal.
 */
import type { Counter, Metrics } from "../base/metrics.ts";
import type { PingMethod } from "./keepalive-ping.ts";

interface Counts {
  readonly all: number;
  readonly registration: number;
  readonly subscription: number;
  readonly dialog: number;
}

export class KeepaliveMetrics {
  readonly answered: Counter;
  readonly missed: Counter;
  readonly lost: Counter;
  readonly unsent: Counter;
  readonly forged: Counter;
  readonly refused: Counter;
  readonly #sent: Readonly<Record<PingMethod, Counter>>;

  constructor(metrics: Metrics, counts: () => Counts) {
    const counter = (name: string, help: string, labels?: Record<string, string>): Counter =>
      metrics.counter(`sipedge_${name}_total`, help, labels);
    const sent = (method: PingMethod): Counter =>
      counter("pings_sent", "Pings sent to kept flows", { method });
    this.#sent = { options: sent("options"), notify: sent("notify"), zero_bytes: sent("zero_bytes") };
    this.answered = counter("pings_answered", "Answers to pings, of any status");
    this.missed = counter("pings_missed", "Pings without an answer before the next one");
    this.unsent = counter("pings_unsent", "Pings that could not be sent: no socket, no route, a full queue");
    this.lost = counter("flows_lost", "Flows taken out of use because they do not answer pings");
    this.forged = counter("pings_forged", "Answers to pings that were not sent there");
    this.refused = counter("keepalive_refused", "Flows or reasons not kept because there are too many");
    metrics.gauge("sipedge_keepalive_endpoints", "Flows that pings keep open", () => counts().all);
    metrics.gauge(
      "sipedge_registered_endpoints",
      "Kept flows with a registration",
      () => counts().registration,
    );
    metrics.gauge(
      "sipedge_subscribed_endpoints",
      "Kept flows with a subscription",
      () => counts().subscription,
    );
    metrics.gauge("sipedge_dialog_endpoints", "Kept flows with a call", () => counts().dialog);
  }

  sent(method: PingMethod): void {
    this.#sent[method].inc();
  }
}
