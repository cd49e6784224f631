/**
 * The form of a transaction's state table, and its compiled shape. A table is data that a reader can
 * lay beside the RFC's figure: state → input → next state and effects. Timers belong to states: one
 * that the next state does not name is stopped, so nobody can forget it.
 */

/** What can happen to a transaction. Letters are timers that fired. */
export const INPUTS = [
  "request", // the request again (server)
  "ACK", // an ACK that matches (INVITE server)
  "send1xx", // the transaction user answers (server)
  "send2xx",
  "send300_699",
  "receive1xx", // an answer arrived (client)
  "receive2xx",
  "receive300_699",
  "transportError",
  "abandon", // the transaction user gives it up without an answer
  "A",
  "B",
  "D",
  "E",
  "F",
  "G",
  "H",
  "I",
  "J",
  "K",
  "L",
  "M",
  "100", // RFC 4320 gives it no letter: a non-INVITE has waited long enough for its 100
] as const;
export type Input = (typeof INPUTS)[number];

export type TimerLetter = "A" | "B" | "D" | "E" | "F" | "G" | "H" | "I" | "J" | "K" | "L" | "M" | "100";

/**
 * What a step asks for. The last three hand something to the transaction user: they stand last in
 * their row, so that whatever the user does next finds the step complete.
 */
export const EFFECTS = [
  "send", // the bytes just given, and keep them for "resend"
  "sendOnce", // the bytes just given; nothing in this state asks for them again
  "resend", // the last request or answer once more
  "backOff", // restart the retransmission timer with its next interval
  "backOffToT2", // restart it with T2 (Timer E once a provisional answer is there, §17.1.2.2)
  "send100", // a 100 of our own (RFC 4320 §4.1), and keep it for "resend"
  "sendAck", // ACK for an answer other than 2xx (§17.1.1.3)
  "pass", // the answer, or the ACK, to the user
  "tellTimeout",
  "tellTransportError",
] as const;
export type Effect = (typeof EFFECTS)[number];

/** The effects that call the transaction user. */
export const USER_EFFECTS: readonly Effect[] = ["pass", "tellTimeout", "tellTransportError"];

export interface Row<S extends string> {
  /** Next state; the same one when absent. */
  readonly to?: S;
  readonly do?: readonly Effect[];
}

export interface StateTable<S extends string> {
  /** Timers that run in this state. One that also runs in the state before goes on. */
  readonly timers?: readonly TimerLetter[];
  readonly on: Readonly<Partial<Record<Input, Row<S>>>>;
}

export interface MachineTable<S extends string> {
  readonly name: string;
  /** Where to look it up. */
  readonly source: string;
  readonly initial: S;
  readonly states: Readonly<Record<S, StateTable<S>>>;
}

export interface CompiledRow {
  readonly next: number;
  readonly effects: readonly Effect[];
}

export interface Machine {
  readonly name: string;
  readonly source: string;
  readonly states: readonly string[];
  readonly initial: number;
  readonly terminated: number;
  readonly timers: readonly (readonly TimerLetter[])[];
  /** Whether anything in the state needs the last message sent: else its memory is given back. */
  readonly repeats: readonly boolean[];
  /** rows[state][input]; undefined is an input the figure does not have there. */
  readonly rows: readonly (readonly (CompiledRow | undefined)[])[];
}

const NO_EFFECTS: readonly Effect[] = [];
export const INPUT_NUMBER = Object.fromEntries(INPUTS.map((input, i) => [input, i])) as Readonly<
  Record<Input, number>
>;

/** Turns names into numbers, once, at start. Every machine has a state "Terminated". */
export function compile<S extends string>(table: MachineTable<S>): Machine {
  const states = Object.keys(table.states) as S[];
  const number = (state: S) => states.indexOf(state);
  return {
    name: table.name,
    source: table.source,
    states,
    initial: number(table.initial),
    terminated: (states as string[]).indexOf("Terminated"),
    timers: states.map((state) => table.states[state].timers ?? []),
    repeats: states.map((state) => Object.values<Row<S>>(table.states[state].on).some(needsLastMessage)),
    rows: states.map((state) =>
      INPUTS.map((input) => {
        const row = table.states[state].on[input];
        return row && { next: number(row.to ?? state), effects: row.do ?? NO_EFFECTS };
      }),
    ),
  };
}

function needsLastMessage(row: Row<string>): boolean {
  return row.do?.some((effect) => effect === "resend" || effect === "sendAck") ?? false;
}
