/**
 * The four figures of RFC 3261 §17, with RFC 6026, walked state by state and input by input. The tables
 * here are written from the RFCs' text, not from the code.
 */
import { describe, expect, test } from "bun:test";
import { Timer } from "../../src/base/timers.ts";
import { inviteClient } from "../../src/transaction/invite-client.ts";
import { inviteServer } from "../../src/transaction/invite-server.ts";
import type { Input, Machine } from "../../src/transaction/machine.ts";
import { EFFECTS, INPUTS, USER_EFFECTS } from "../../src/transaction/machine.ts";
import { nonInviteClient } from "../../src/transaction/non-invite-client.ts";
import { nonInviteServer } from "../../src/transaction/non-invite-server.ts";
import type { Transaction } from "../../src/transaction/transaction.ts";
import { Rig, request, response } from "./rig.ts";

/** What an input leads to: the next state (null: the same) and what happens, in order. */
type Outcome = readonly [next: string | null, ...events: string[]];
type Figure = Readonly<Record<string, Readonly<Partial<Record<Input, Outcome>>>>>;

const STAY: Outcome = [null];

const INVITE_CLIENT: Figure = {
  Calling: {
    A: [null, "send INVITE"],
    B: ["Terminated", "timedOut"],
    receive1xx: ["Proceeding", "answered 180"],
    receive2xx: ["Accepted", "answered 200"],
    receive300_699: ["Completed", "send ACK", "answered 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Proceeding: {
    receive1xx: [null, "answered 180"],
    receive2xx: ["Accepted", "answered 200"],
    receive300_699: ["Completed", "send ACK", "answered 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Accepted: {
    receive1xx: STAY,
    receive2xx: [null, "answered 200"],
    receive300_699: STAY,
    transportError: STAY,
    M: ["Terminated"],
    abandon: STAY,
  },
  Completed: {
    receive1xx: STAY,
    receive2xx: STAY,
    receive300_699: [null, "send ACK"],
    transportError: ["Terminated", "transportFailed"],
    D: ["Terminated"],
    abandon: STAY,
  },
};

const NON_INVITE_CLIENT: Figure = {
  Trying: {
    E: [null, "send OPTIONS"],
    F: ["Terminated", "timedOut"],
    receive1xx: ["Proceeding", "answered 180"],
    receive2xx: ["Completed", "answered 200"],
    receive300_699: ["Completed", "answered 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Proceeding: {
    E: [null, "send OPTIONS"],
    F: ["Terminated", "timedOut"],
    receive1xx: [null, "answered 180"],
    receive2xx: ["Completed", "answered 200"],
    receive300_699: ["Completed", "answered 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Completed: {
    receive1xx: STAY,
    receive2xx: STAY,
    receive300_699: STAY,
    transportError: STAY,
    K: ["Terminated"],
    abandon: STAY,
  },
};

const INVITE_SERVER: Figure = {
  Proceeding: {
    request: [null, "send 180"],
    ACK: STAY,
    send1xx: [null, "send 183"],
    send2xx: ["Accepted", "send 200"],
    send300_699: ["Completed", "send 486"],
    transportError: [null, "transportFailed"], // RFC 6026 §8.8: "MUST remain in the current state"
    abandon: ["Terminated"],
  },
  Accepted: {
    request: STAY,
    ACK: [null, "acknowledged"],
    send1xx: STAY,
    send2xx: [null, "send 200"],
    send300_699: STAY,
    transportError: [null, "transportFailed"],
    L: ["Terminated"],
    abandon: STAY,
  },
  Completed: {
    request: [null, "send 486"],
    ACK: ["Confirmed"],
    G: [null, "send 486"],
    H: ["Terminated", "timedOut"],
    send1xx: STAY,
    send2xx: [null, "send 200"], // §16.7 step 5: also after another final answer
    send300_699: STAY,
    transportError: [null, "transportFailed"],
    abandon: STAY,
  },
  Confirmed: {
    request: STAY,
    ACK: STAY,
    I: ["Terminated"],
    send1xx: STAY,
    send2xx: [null, "send 200"],
    send300_699: STAY,
    transportError: STAY,
    abandon: STAY,
  },
};

const NON_INVITE_SERVER: Figure = {
  Trying: {
    request: STAY,
    "100": ["Proceeding", "send 100"], // RFC 4320 §4.1
    send1xx: ["Proceeding", "send 183"],
    send2xx: ["Completed", "send 200"],
    send300_699: ["Completed", "send 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Proceeding: {
    request: [null, "send 180"],
    send1xx: [null, "send 183"],
    send2xx: ["Completed", "send 200"],
    send300_699: ["Completed", "send 486"],
    transportError: ["Terminated", "transportFailed"],
    abandon: ["Terminated"],
  },
  Completed: {
    request: [null, "send 486"],
    send1xx: STAY,
    send2xx: STAY,
    send300_699: STAY,
    transportError: ["Terminated", "transportFailed"],
    J: ["Terminated"],
    abandon: STAY,
  },
};

/** The steps of a transaction, which are its own affair outside of this file. */
interface Steps {
  step(input: Input, bytes: Buffer | null, message: unknown): void;
  timerFired(timer: Timer): void;
}
const stepsOf = (transaction: Transaction) => transaction as unknown as Steps;

const ANSWERS: Partial<Record<Input, number>> = {
  send1xx: 183,
  send2xx: 200,
  send300_699: 486,
  receive1xx: 180,
  receive2xx: 200,
  receive300_699: 486,
};

const isTimer = (input: Input) => input.length === 1 || input === "100";

/** Feeds one input, by the public door where there is one. */
function feed(rig: Rig, transaction: Transaction, input: Input): void {
  const steps = stepsOf(transaction);
  const status = ANSWERS[input];
  if (isTimer(input)) {
    const timer = new Timer(transaction);
    timer.letter = input;
    steps.timerFired(timer);
  } else if (input.startsWith("receive"))
    steps.step(input, null, rig.scan(response(status!, transaction.method)));
  else if (input.startsWith("send")) steps.step(input, Buffer.from(`SIP/2.0 ${status} X\r\n\r\n`), null);
  else if (input === "ACK" && "acknowledge" in transaction)
    (transaction as unknown as { acknowledge(ack: unknown, flow: unknown): void }).acknowledge(
      rig.scan(request("ACK")),
      rig.flow(),
    );
  else steps.step(input, null, null);
}

interface Walk {
  readonly machine: Machine;
  readonly source: string;
  readonly figure: Figure;
  /** Inputs that lead from the initial state to each of the others. */
  readonly paths: Readonly<Record<string, readonly Input[]>>;
  readonly make: (rig: Rig) => Transaction;
}

function serverOf(rig: Rig, method: string): Transaction {
  rig.receive(request(method), rig.flow());
  return rig.requests[0]!;
}

const WALKS: readonly Walk[] = [
  {
    machine: inviteClient,
    source: "RFC 3261 §17.1.1 Figure 5, RFC 6026 §8.4",
    figure: INVITE_CLIENT,
    paths: {
      Calling: [],
      Proceeding: ["receive1xx"],
      Accepted: ["receive2xx"],
      Completed: ["receive300_699"],
    },
    make: (rig) => rig.send("INVITE", rig.flow()),
  },
  {
    machine: nonInviteClient,
    source: "RFC 3261 §17.1.2 Figure 6",
    figure: NON_INVITE_CLIENT,
    paths: { Trying: [], Proceeding: ["receive1xx"], Completed: ["receive2xx"] },
    make: (rig) => rig.send("OPTIONS", rig.flow()),
  },
  {
    machine: inviteServer,
    source: "RFC 3261 §17.2.1 Figure 7, RFC 6026 §8.7",
    figure: INVITE_SERVER,
    paths: {
      Proceeding: ["send1xx"],
      Accepted: ["send2xx"],
      Completed: ["send300_699"],
      Confirmed: ["send300_699", "ACK"],
    },
    make: (rig) => serverOf(rig, "INVITE"),
  },
  {
    machine: nonInviteServer,
    source: "RFC 3261 §17.2.2 Figure 8, RFC 4320 §4.1",
    figure: NON_INVITE_SERVER,
    paths: { Trying: [], Proceeding: ["send1xx"], Completed: ["send300_699"] },
    make: (rig) => serverOf(rig, "OPTIONS"),
  },
];

/** What the last answer in Proceeding was: the path there sent 183. */
const asSentBefore = (event: string, input: Input) =>
  input === "request" && event === "send 180" ? "send 183" : event;

for (const { machine, source, figure, paths, make } of WALKS) {
  describe(`${source} (${machine.name})`, () => {
    test("has the states of the figure and no other", () => {
      expect([...machine.states].toSorted()).toEqual([...Object.keys(figure), "Terminated"].toSorted());
    });

    for (const [state, rows] of Object.entries(figure)) {
      const at = (): [Rig, Transaction] => {
        const rig = new Rig();
        const transaction = make(rig);
        for (const input of paths[state]!) feed(rig, transaction, input);
        expect(transaction.state).toBe(state);
        rig.take();
        return [rig, transaction];
      };

      for (const input of INPUTS) {
        const row = rows[input];
        if (row === undefined)
          test(`${state}, ${input}: not in the figure, counted, nothing happens`, () => {
            const [rig, transaction] = at();
            feed(rig, transaction, input);
            expect([transaction.state, ...rig.take()]).toEqual([state]);
            expect(rig.counter("sipedge_transaction_inputs_unexpected_total")).toBe(1);
          });
        else
          test(`${state}, ${input}: ${[row[0] ?? "stays", ...row.slice(1)].join(", ")}`, () => {
            const [rig, transaction] = at();
            feed(rig, transaction, input);
            const [next, ...events] = row;
            expect(transaction.state).toBe(next ?? state);
            expect(rig.take()).toEqual(events.map((event) => asSentBefore(event, input)));
            expect(rig.counter("sipedge_transaction_inputs_unexpected_total")).toBe(0);
          });
      }
    }

    test("Terminated: every input is counted, nothing happens, and nothing is left", () => {
      const rig = new Rig();
      const transaction = make(rig);
      feed(rig, transaction, "abandon");
      expect(transaction.terminated).toBe(true);
      rig.take();
      for (const input of INPUTS) feed(rig, transaction, input);
      expect(rig.take()).toEqual([]);
      // A closed flow is no input to what has ended: only the others count.
      expect(rig.counter("sipedge_transaction_inputs_unexpected_total")).toBe(INPUTS.length);
      expect(rig.leftovers()).toEqual({ server: 0, client: 0, timers: 0, alarms: 0 });
    });

    test("effects that call the user stand last in every row", () => {
      for (const rows of machine.rows)
        for (const row of rows) {
          const effects = row?.effects ?? [];
          const first = effects.findIndex((effect) => USER_EFFECTS.includes(effect));
          if (first >= 0) expect(first).toBe(effects.length - 1);
        }
    });

    test("every effect of the table is a known one", () => {
      for (const rows of machine.rows)
        for (const row of rows)
          for (const effect of row?.effects ?? []) expect(EFFECTS as readonly string[]).toContain(effect);
    });
  });
}

/** Timers that run in each state, from the RFCs' text. */
const TIMERS_OF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  invite_client: { Calling: "AB", Proceeding: "", Accepted: "M", Completed: "D", Terminated: "" },
  non_invite_client: { Trying: "EF", Proceeding: "EF", Completed: "K", Terminated: "" },
  invite_server: { Proceeding: "", Accepted: "L", Completed: "GH", Confirmed: "I", Terminated: "" },
  non_invite_server: { Trying: "100", Proceeding: "", Completed: "J", Terminated: "" },
};

describe("RFC 3261 §17 and RFC 6026: which timers run in which state", () => {
  for (const { machine } of WALKS)
    test(machine.name, () => {
      const timers = machine.states.map((state, i) => [state, machine.timers[i]!.toSorted().join("")]);
      expect(Object.fromEntries(timers)).toEqual({ ...TIMERS_OF[machine.name]! });
    });
});

describe("what the user does from inside a callback", () => {
  test("answering from within request: the transaction is already there to take it", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS"), rig.flow());
    rig.respond(rig.requests[0]!, 200);
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.take()).toEqual(["request OPTIONS", "send 200", "send 200"]);
  });

  test("abandoning in the callback of a provisional answer: the step before it was complete", () => {
    const rig = new Rig();
    const states: string[] = [];
    const transaction = rig.layer.send(
      Buffer.from(request("INVITE", "z9hG4bKmine", "192.0.2.1:5060")),
      "INVITE",
      "z9hG4bKmine",
      "call-1@198.51.100.7",
      rig.flow(),
      {
        answered(each) {
          states.push(each.state);
          each.abandon();
          states.push(each.state);
        },
        timedOut() {},
        transportFailed() {},
      },
    );
    rig.receive(response(180, "INVITE"), rig.flow());
    expect([...states, transaction.state]).toEqual(["Proceeding", "Terminated", "Terminated"]);
    expect(rig.leftovers()).toEqual({ server: 0, client: 0, timers: 0, alarms: 0 });
  });
});
