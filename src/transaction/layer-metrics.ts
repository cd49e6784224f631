/** What the transaction layer counts. */
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Input, Machine } from "./machine.ts";

/** The bounds on transactions, named as in [limits]. */
export type TransactionLimit = "transactions_max" | "transactions_per_source_max" | "overload";

export class LayerMetrics {
  readonly repeated: Counter;
  readonly retransmitted: Counter;
  readonly refused: Readonly<Record<TransactionLimit, Counter>>;
  readonly foreignCallIds: Counter;
  readonly detours: Counter;
  readonly #metrics: Metrics;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.repeated = metrics.counter(
      "sipedge_requests_repeated_total",
      "Requests that came again and were absorbed by their transaction",
    );
    this.retransmitted = metrics.counter(
      "sipedge_retransmissions_total",
      "Messages sent again by a timer or for a repeated request",
    );
    this.refused = {
      transactions_max: this.#refused("transactions_max"),
      transactions_per_source_max: this.#refused("transactions_per_source_max"),
      overload: this.#refused("overload"),
    };
    this.foreignCallIds = metrics.counter(
      "sipedge_responses_foreign_call_id_total",
      "Responses dropped because their Call-ID is not the request's (limits.match_call_id)",
    );
    this.detours = metrics.counter(
      "sipedge_answers_detoured_total",
      "Requests whose answers took another way because their connection was gone",
    );
  }

  /** An input that the figure does not have in that state. */
  unexpected(machine: Machine, state: string, input: Input): void {
    this.#metrics
      .counter(
        "sipedge_transaction_inputs_unexpected_total",
        "Inputs that the RFC's figure does not have in that state",
        { machine: machine.name, state, input },
      )
      .inc();
  }

  #refused(limit: TransactionLimit): Counter {
    return this.#metrics.counter(
      "sipedge_transactions_refused_total",
      "Requests answered 503 because a bound on transactions was reached, or there was too much to do",
      { limit },
    );
  }
}
