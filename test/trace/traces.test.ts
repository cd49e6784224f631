/** What is kept of messages, within its bounds, on the whole appliance and alone. */
import { describe, expect, test } from "bun:test";
import { Metrics } from "../../src/base/metrics.ts";
import { Scanner } from "../../src/message/scan.ts";
import { CHUNK_BYTES } from "../../src/trace/chunk-store.ts";
import type { TraceEntry } from "../../src/trace/trace.ts";
import type { TraceRules } from "../../src/trace/traces.ts";
import { Traces } from "../../src/trace/traces.ts";
import { calleeDialog, callerDialog, inside, lab, Phone } from "../proxy/kit.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function site(toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  alice.register();
  bob.register();
  return { world, alice, bob, traces: world.core.traces };
}

const notesOf = (entries: readonly TraceEntry[]): string[] =>
  entries.flatMap((entry) => (entry.kind === "note" ? [entry.text] : []));
const startsOf = (entries: readonly TraceEntry[]): string[] =>
  entries.flatMap((entry) =>
    entry.kind === "note"
      ? []
      : [
          `${entry.kind} ${entry.bytes
            .latin1Slice(0, 11)
            .split("\r", 1)[0]!
            .replace(/SIP\/2\.0 /, "")}`.trim(),
        ],
  );

describe("why did this call fail?", () => {
  test("a call: every message in and out in its order, who the caller is, the target, the end", () => {
    const { world, alice, bob, traces } = site();
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1", headers: ["Contact: <sip:a@10.0.0.7>"] });
    const invite = bob.incoming("INVITE");
    bob.answer(invite, 180);
    bob.answer(invite, 200, { headers: [`Contact: <${bob.contact}>`] });
    const caller = callerDialog(alice.last());
    alice.request("ACK", caller.target, inside(caller, {}));
    world.run(60_000);
    expect(traces.find("c1")).toMatchObject({ state: "running", status: 200 });
    const callee = calleeDialog(invite, "bob-tag");
    bob.request("BYE", callee.target, inside(callee, { cseq: 2 }));
    alice.answer(alice.incoming("BYE"), 200);
    const trace = traces.find("c1")!;
    expect(trace).toMatchObject({ state: "done", method: "INVITE", status: 200, left_out: 0 });
    expect(traces.find(trace.id)).toBe(trace);
    expect(startsOf(trace.entries)).toEqual(
      [
        "received INVITE sip",
        "sent 100",
        "sent INVITE sip",
        "received 180",
        "sent 180",
        "received 200",
        "sent 200",
      ]
        .concat(["received ACK sip:bob", "sent ACK sip:bob"])
        .concat(["received BYE sip:ali", "sent BYE sip:ali", "received 200", "sent 200"])
        .map((line) => expect.stringContaining(line.slice(0, 13)) as unknown as string),
    );
    expect(notesOf(trace.entries)).toEqual([
      "caller: trusted network, behind a NAT (private_contact)",
      expect.stringMatching(
        /^target: sip:bob@198\.51\.100\.8\S* \(registered by .+\), over udp:192\.0\.2\.1:5060>/,
      ),
      expect.stringMatching(/^sip:bob@\S+ takes the call$/),
      "over, ended by callee",
    ]);
  });

  test("one target after the other: each says how it ended, and the call counts as failed", () => {
    const { world, alice, bob, traces } = site();
    alice.request("INVITE", "sip:bob@example.test", { callId: "c2" });
    bob.answer(bob.incoming("INVITE"), 486);
    expect(traces.find("c2")).toMatchObject({ state: "failed", status: 486 });
    expect(notesOf(traces.find("c2")!.entries)).toContainEqual(
      expect.stringMatching(/^sip:bob@\S+ ended: 486 \w+ \(its own answer\)$/),
    );
    bob.host.on = () => {};
    alice.request("INVITE", "sip:bob@example.test", { callId: "c3", branch: "z9hG4bKc3" });
    world.run(200_000);
    const notes = notesOf(traces.find("c3")!.entries);
    expect(notes).toContainEqual(expect.stringMatching(/^sip:bob@\S+ ended: 408 No answer/));
    expect(notes.at(-1)).toMatch(/^refused: 408 No answer/);
  });

  test("one that is not let in keeps its reason, and is no call", () => {
    const { world, traces } = site();
    const stranger = new Phone(world, "mallory", "203.0.113.66");
    stranger.request("INVITE", "sip:bob@example.test", { callId: "s1" });
    const trace = traces.find("s1")!;
    expect(trace.state).toBe("passing");
    expect(notesOf(trace.entries)[0]).toMatch(/^refused: 40[37] /);
    expect(trace.status).toBeGreaterThan(400);
  });

  test("registrations are kept by their Call-ID: only the newest messages of each", () => {
    const { alice, traces } = site();
    for (let i = 0; i < 50; i++) alice.register();
    const [trace] = traces.newest(1, "passing");
    expect(trace).toMatchObject({ method: "REGISTER", status: 200 });
    expect(trace!.entries.length).toBeLessThanOrEqual(24);
  });

  test("what begins nothing is not kept: probes, and requests in dialogs that nobody knows", () => {
    const { alice, traces } = site();
    const before = traces.size;
    alice.request("OPTIONS", "sip:example.test", { callId: "o1" });
    alice.request("BYE", "sip:bob@example.test", { callId: "b1", toTag: "x" });
    expect(traces.size).toBe(before);
  });

  test("[trace] enabled = false: nothing is kept", () => {
    const { alice, bob, traces } = site("[trace]\nenabled = false\n");
    alice.request("INVITE", "sip:bob@example.test", { callId: "c1" });
    bob.answer(bob.incoming("INVITE"), 486);
    expect([traces.size, traces.bytes]).toEqual([0, 0]);
  });
});

describe("bounds", () => {
  const RULES: TraceRules = { enabled: true, calls_max: 10, bytes_max: 100 * CHUNK_BYTES };

  function kept(rules: Partial<TraceRules> = {}) {
    const world = lab();
    const metrics = new Metrics();
    const clock = new VirtualClock();
    const traces = new Traces({ clock, metrics }, { ...RULES, ...rules });
    const flow = world.transports.flowTo("udp", "198.51.100.9", 5060)!;
    const call = (id: string, bytes = 500): void => {
      traces.received(requestOf(id, "INVITE", bytes), flow);
      traces.began(id);
    };
    return { traces, call, flow };
  }

  test("calls_max: those that ended well go first, then those that failed, running ones last", () => {
    const { traces, call } = kept();
    for (let i = 0; i < 10; i++) call(`c${i}`);
    traces.over("c3", false);
    traces.over("c1", true);
    call("c10");
    expect(traces.find("c3")).toBeNull();
    call("c11");
    expect(traces.find("c1")).toBeNull();
    call("c12");
    expect(traces.find("c0")).toBeNull();
    expect(traces.find("c12")).not.toBeNull();
  });

  test("bytes_max: never more, whatever comes, and strangers' attempts push out no call", () => {
    const { traces, call, flow } = kept({ calls_max: 100_000 });
    call("mine");
    for (let i = 0; i < 2000; i++) {
      traces.received(requestOf(`x${i}`, "INVITE", 900), flow);
      expect(traces.bytes).toBeLessThanOrEqual(RULES.bytes_max);
    }
    expect(traces.find("mine")).not.toBeNull();
    for (let i = 0; i < 500; i++) {
      call(`y${i}`, 1500);
      expect(traces.bytes).toBeLessThanOrEqual(RULES.bytes_max);
    }
  });

  test("one endless call keeps its beginning and its end, and says how much is missing", () => {
    const { traces, call, flow } = kept({ bytes_max: 10_000_000 });
    call("long");
    for (let i = 0; i < 1000; i++) traces.received(requestOf("long", "INFO", 300 + i), flow);
    const trace = traces.find("long")!;
    expect(trace.entries).toHaveLength(160);
    expect(trace.left_out).toBe(1001 - 160);
    expect(trace.entries.at(-1)).toMatchObject({ kind: "received" });
    expect(trace.first!.toString("latin1")).toStartWith("INVITE");
    expect(traces.bytes).toBe(trace.chunks * CHUNK_BYTES);
  });

  test("less than what is kept: the rest goes at once; switched off: all of it", () => {
    const { traces, call } = kept();
    for (let i = 0; i < 10; i++) call(`c${i}`);
    traces.configure({ ...RULES, calls_max: 3 });
    expect(traces.size).toBe(3);
    traces.configure({ ...RULES, enabled: false });
    expect([traces.size, traces.bytes]).toEqual([0, 0]);
  });
});

/** As the scanner gives it. */
function requestOf(callId: string, method: string, bytes: number) {
  const head = `${method} sip:bob@example.test SIP/2.0\r\nCall-ID: ${callId}\r\n\r\n`;
  const message = new Scanner().scan(Buffer.from(head.padEnd(bytes, "x"), "latin1"));
  if (message === null) throw new Error("no message");
  return message;
}
