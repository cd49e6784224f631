/** What bytes can do at the door (RFC 3261 §8.1.1, §16.3 step 1, §18.1.2): answered or dropped and counted, never an exception. */
import { describe, expect, test } from "bun:test";
import { lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "../proxy/kit.ts";
import { SeededDice } from "../support/seeded-dice.ts";

function rig() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  const send = (text: string | Buffer) => {
    alice.host.send(text);
    world.run(20);
  };
  return { world, alice, bob, send };
}

const without = (name: string) => new RegExp(`${name}: [^\\r]*\\r\\n`);

describe("RFC 3261 §8.1.1 mandatory header fields", () => {
  for (const name of ["From", "To", "Call-ID"])
    test(`without ${name}: 400, which lacks it too`, () => {
      const { alice, bob, send } = rig();
      send(alice.write("MESSAGE", "sip:bob@example.test").replace(without(name), ""));
      expect([alice.host.statuses(), bob.count("MESSAGE")]).toEqual([[400], 0]);
      expect(alice.last().bytes.toString()).not.toMatch(without(name));
    });

  for (const name of ["CSeq", "Via"])
    test(`without ${name}: nobody can be answered; dropped and counted`, () => {
      const { world, alice, bob, send } = rig();
      send(alice.write("MESSAGE", "sip:bob@example.test").replace(without(name), ""));
      expect([alice.got.length, bob.count("MESSAGE")]).toEqual([0, 0]);
      expect(world.counter("sipedge_messages_dropped_total")).toBe(1);
    });

  const wrong: readonly [string, (text: string) => string, number][] = [
    ["CSeq with another method", (text) => text.replace("1 MESSAGE", "1 INVITE"), 400],
    ["CSeq that is no number", (text) => text.replace("1 MESSAGE", "one MESSAGE"), 400],
    ["CSeq of 2^31 (§8.1.1.5)", (text) => text.replace("1 MESSAGE", "2147483648 MESSAGE"), 400],
    ["SIP/3.0", (text) => text.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505],
    [
      "a Content-Length beyond the datagram (§18.3)",
      (text) => text.replace("Content-Length: 0", "Content-Length: 9"),
      400,
    ],
    [
      "two different Content-Lengths",
      (text) => text.replace("Content-Length: 0", "Content-Length: 0\r\nl: 1"),
      400,
    ],
    ["two spaces in the request line (§7.1)", (text) => text.replace("MESSAGE sip", "MESSAGE  sip"), 400],
  ];
  for (const [name, change, status] of wrong)
    test(`${name}: ${status}, without state`, () => {
      const { world, alice, bob, send } = rig();
      world.run(SETTLE_MS);
      const before = leftovers(world);
      send(change(alice.write("MESSAGE", "sip:bob@example.test")));
      expect([alice.last().status, bob.count("MESSAGE")]).toEqual([status, 0]);
      expect(leftovers(world)).toEqual(before);
    });

  test("a stateless refusal has the same To tag each time (§8.2.7)", () => {
    const { alice, send } = rig();
    const text = alice.write("MESSAGE", "sip:bob@example.test").replace("1 MESSAGE", "x MESSAGE");
    send(text);
    send(text);
    expect(alice.got).toHaveLength(2);
    expect(alice.got[0]!.toTag).toBe(alice.got[1]!.toTag!);
  });

  test("no answer to a malformed ACK", () => {
    const { alice, send } = rig();
    send(alice.write("ACK", "sip:bob@example.test").replace("1 ACK", "x ACK"));
    expect(alice.got).toEqual([]);
  });
});

describe("what is no SIP", () => {
  for (const text of [
    "",
    "\r\n",
    "\r\n\r\n\0",
    "\0\0\0\0",
    "GET / HTTP/1.1\r\n\r\n",
    "hello",
    "SIP/2.0 200 OK\r\n\r\n",
    "SIP/2.0 999 X\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n",
  ])
    test(`${JSON.stringify(text)}: no answer, no exception`, () => {
      const { world, alice, send } = rig();
      send(Buffer.from(text, "latin1"));
      expect(alice.got).toEqual([]);
      expect(world.counter("sipedge_exceptions_total")).toBe(0);
    });
});

describe("mutated messages", () => {
  for (const seed of [1, 2, 3])
    test(`5000 of them, seed ${seed}: no exception, and everything ends`, async () => {
      const { world, alice, bob } = rig();
      const dice = new SeededDice(seed);
      bob.on = (message, phone) => {
        if (message.isRequest && message.find(1) >= 0 && dice.fraction() < 0.5)
          phone.host.send(
            mutated(phone.answer(message, [100, 180, 200, 486][Math.floor(dice.fraction() * 4)]!)),
          );
      };
      const methods = ["INVITE", "ACK", "CANCEL", "MESSAGE", "REGISTER", "OPTIONS", "BYE"];
      function mutated(text: string): Buffer {
        const bytes = Buffer.from(text, "latin1");
        const changes = Math.floor(dice.fraction() * 4);
        let out = bytes;
        for (let i = 0; i < changes; i++) {
          const at = Math.floor(dice.fraction() * out.length);
          const act = dice.fraction();
          if (act < 0.4) out[at] = Math.floor(dice.fraction() * 256);
          else if (act < 0.6)
            out = Buffer.concat([
              out.subarray(0, at),
              out.subarray(at + 1 + Math.floor(dice.fraction() * 20)),
            ]);
          else if (act < 0.8) out = Buffer.concat([out.subarray(0, at), out.subarray(Math.max(0, at - 30))]);
          else
            out = Buffer.concat([
              out.subarray(0, at),
              Buffer.from([',;<>"\r\n%@:'.charCodeAt(Math.floor(dice.fraction() * 10))]),
              out.subarray(at),
            ]);
        }
        return out;
      }
      for (let i = 0; i < 5000; i++) {
        const method = methods[Math.floor(dice.fraction() * methods.length)]!;
        const uri = method === "REGISTER" ? "sip:example.test" : "sip:bob@example.test";
        const headers = [
          "Route: <sip:192.0.2.1;lr>, <sip:198.51.100.8;lr>",
          "Path: <sip:p.test;lr>",
          `Contact: <${alice.contact}>;q=0.5, <sip:b@c>;expires=7`,
        ];
        alice.host.send(
          mutated(
            alice.write(method, uri, {
              callId: `m${i}`,
              headers: headers.slice(0, Math.floor(dice.fraction() * 4)),
            }),
          ),
        );
        if (i % 50 === 0) world.run(500);
      }
      for (let turn = 0; turn < 5; turn++) {
        await new Promise<void>((resolve) => setImmediate(resolve)); // names that mutation made are looked up
        world.run(SETTLE_MS);
      }
      expect(world.counter("sipedge_exceptions_total")).toBe(0);
      world.run(400_000);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });
});

describe("shutdown", () => {
  test("while stopping: new requests get 503 with Retry-After, dialogs go on", () => {
    const { world, alice, bob } = rig();
    world.core.drain();
    alice.request("INVITE", "sip:bob@example.test");
    expect(alice.last().status).toBe(503);
    expect(alice.last().bytes.toString()).toMatch(/\r\nRetry-After: \d+\r\n/);
    alice.request("BYE", "sip:bob@example.test", { toTag: "x" });
    expect(bob.count("BYE")).toBe(1);
  });
});
