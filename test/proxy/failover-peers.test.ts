/** How long a peer's place may be silent: not as long when another one is left to try (RFC 3263 §4.3). */
import { describe, expect, test } from "bun:test";
import { a } from "../dns/name-servers.ts";
import { lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";
import { named } from "./named.ts";

const [GW1, GW2] = ["198.51.100.81", "198.51.100.82"];

function rig(uris: readonly string[], routes: string) {
  const list = uris.map((uri) => `"${uri}"`).join(", ");
  const world = lab(`[[peer]]\nname = "carrier"\nuris = [${list}]\nprobe_s = 0\n${routes}`);
  const alice = new Phone(world, "alice", "198.51.100.7");
  const [gw1, gw2] = [new Phone(world, "gw1", GW1), new Phone(world, "gw2", GW2)];
  const sent = alice.request("INVITE", "sip:01@example.test");
  return { world, alice, gw1, gw2, sent };
}

const OUT = '[[route]]\nname = "out"\nnumbers = ["0."]\nto = ["peer:carrier"]\n';

describe("DNS-04 a peer without another place", () => {
  test("is slow, not dead: it answers after 10 s, and the call goes through", () => {
    const { world, alice, gw1 } = rig([`sip:${GW1}`], OUT);
    world.run(10_000);
    expect(alice.statuses("INVITE")).toEqual([]);
    gw1.answer(gw1.incoming("INVITE"), 180);
    gw1.answer(gw1.incoming("INVITE"), 200);
    expect(alice.statuses("INVITE")).toEqual([180, 200]);
  });

  test("never answers: 408 after Timer B, and nothing is left", () => {
    const { world, alice, sent } = rig([`sip:${GW1}`], OUT);
    world.run(31_900);
    expect(alice.statuses("INVITE")).toEqual([]);
    world.run(300);
    expect(alice.statuses("INVITE")[0]).toBe(408);
    alice.ackRefusal(sent, alice.last());
    world.run(2 * SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });
});

describe("ARC-12 a peer with another place, or a route with another destination", () => {
  test("the second URI gets the call after failover_s, and may be as slow as it likes: it is the last", () => {
    const { world, alice, gw2 } = rig([`sip:${GW1}`, `sip:${GW2} priority=1`], OUT);
    world.run(4_100);
    expect(gw2.count("INVITE")).toBeGreaterThan(0);
    world.run(12_000);
    expect(alice.statuses("INVITE")).toEqual([]);
    gw2.answer(gw2.incoming("INVITE"), 200);
    expect(alice.statuses("INVITE")).toEqual([200]);
  });

  test("the next destination of the route gets it after failover_s, too", () => {
    const second = `[[peer]]\nname = "second"\nuris = ["sip:${GW2}"]\nprobe_s = 0\n`;
    const { world, gw2 } = rig(
      [`sip:${GW1}`],
      `${second}${OUT.replace("]\n", "]\n").replace('["peer:carrier"]', '["peer:carrier", "peer:second"]')}`,
    );
    world.run(3_900);
    expect(gw2.count("INVITE")).toBe(0);
    world.run(200);
    expect(gw2.count("INVITE")).toBe(1);
  });
});

describe("DNS-03 a place that failed", () => {
  test("gets OPTIONS after its rest because calls wanted it, answers, and is the first again", () => {
    const [ONE, TWO] = ["198.51.100.61", "198.51.100.62"];
    const { world } = named([a("m.test", ONE, 3600), a("m.test", TWO, 3600)], "[dns]\ndead_target_s = 30\n");
    const alice = new Phone(world, "alice", "198.51.100.7");
    const call = (callId: string, ms: number) => {
      alice.request("INVITE", "sip:x@m.test:5060", { callId });
      world.run(ms);
    };
    const two = new Phone(world, "two", TWO);
    two.on = (message) => void (message.method === "INVITE" && two.reply(message, 486));
    call("first", 4_200);
    call("second", 100);
    expect(two.count("INVITE")).toBe(2); // the second at once: the silent one comes last
    const one = new Phone(world, "one", ONE);
    one.on = (message) => void one.reply(message, message.method === "OPTIONS" ? 200 : 486);
    world.run(30_000);
    expect([one.count("OPTIONS"), one.incoming("OPTIONS").uriText]).toEqual([1, `sip:${ONE}:5060`]);
    expect(world.counter("sipedge_dns_dead_target_probes_total", { result: "answered" })).toBe(1);
    const before = one.count("INVITE");
    call("third", 100);
    expect([one.count("INVITE") - before, two.count("INVITE")]).toEqual([1, 2]);
    world.core.close();
  });
});
