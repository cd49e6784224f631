/** The running transactions as the status shows them. */
import type { TimerWheel } from "../base/timers.ts";
import type { Transaction } from "./transaction.ts";

export interface TransactionRow {
  readonly machine: string;
  readonly state: string;
  readonly method: string;
  readonly key: string;
  readonly age_ms: number;
}

export interface TransactionsSnapshot {
  readonly server: number;
  readonly client: number;
  readonly timers: number;
  /** How many are in each state, by `machine.state`. */
  readonly states: Readonly<Record<string, number>>;
  readonly transactions: readonly TransactionRow[];
}

type Transactions = ReadonlyMap<string, Transaction>;

/** At most `max` of them one by one. */
export function snapshotOf(
  [servers, clients]: readonly [Transactions, Transactions],
  wheel: TimerWheel,
  max: number,
): TransactionsSnapshot {
  const states: Record<string, number> = {};
  const transactions: TransactionRow[] = [];
  const now = wheel.now();
  for (const side of [servers, clients])
    for (const { machine, state, method, key, startedAt } of side.values()) {
      const name = `${machine.name}.${state}`;
      states[name] = (states[name] ?? 0) + 1;
      if (transactions.length < max)
        transactions.push({
          machine: machine.name,
          state,
          method,
          key,
          age_ms: Math.round(now - startedAt),
        });
    }
  return { server: servers.size, client: clients.size, timers: wheel.size, states, transactions };
}
