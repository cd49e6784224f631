/**
 * NTP finds out that the machine's clock was an hour wrong, while phones are registered and calls run. What lasts a
 * time is measured by the other clock, so nothing of it happens early or late.
 */
import { describe, expect, test } from "bun:test";
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { H } from "../../src/message/header-names.ts";
import { inside, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, setUp } from "../proxy/kit.ts";

const HOUR_MS = 3_600_000;
const REGISTERED_S = 600;

function site() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  alice.register(REGISTERED_S);
  bob.register(REGISTERED_S);
  return { world, alice, bob };
}

for (const [name, jump_ms] of [
  ["forward", HOUR_MS],
  ["back", -HOUR_MS],
] as const)
  describe(`the wall clock jumps an hour ${name}`, () => {
    test("registrations end when their time is over, not before and not an hour later", () => {
      const { world, bob } = site();
      world.clock.wallOffset += jump_ms;
      world.run((REGISTERED_S - 2) * 1000);
      expect(world.store.bindings("bob")).toHaveLength(1);
      world.run(4000);
      expect(world.store.bindings("bob")).toHaveLength(0);
      bob.register(REGISTERED_S, [], "reg-again");
      expect(bob.last().text(H.Contact)).toContain(`expires=${REGISTERED_S}`);
      expect(world.store.bindings("bob")).toHaveLength(1);
    });

    test("a call goes on, can be hung up, and its record says how long it was", () => {
      const { world, alice, bob } = site();
      const { caller } = setUp(alice, bob);
      world.run(10_000);
      world.clock.wallOffset += jump_ms;
      world.run(10_000);
      expect(world.core.calls.table.size).toBe(1);
      alice.request("BYE", caller.target, inside(caller, { cseq: 2 }));
      bob.answer(bob.incoming("BYE"), 200);
      expect(alice.statuses("BYE")).toEqual([200]);
      const [record] = world.records;
      expect(record!.ended_ms - record!.answered_ms!).toBeGreaterThanOrEqual(20_000);
      expect(record!.ended_ms - record!.answered_ms!).toBeLessThan(25_000);
      world.run(SETTLE_MS);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });

    test("Timer B fires after 64 * T1, and the caller hears 408", () => {
      const { world, alice } = site();
      alice.request("INVITE", "sip:bob@example.test");
      world.clock.wallOffset += jump_ms;
      world.run(31_000);
      expect(alice.statuses("INVITE")).toEqual([]);
      world.run(2000);
      expect(new Set(alice.statuses("INVITE"))).toEqual(new Set([408]));
      world.run(2 * SETTLE_MS);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });

    test("a challenge from before is answered: at worst with a new one (RFC 7616 §3.3 stale), then accepted", () => {
      const { world } = site();
      world.account("carol", "wonderland");
      const carol = new Phone(world, "carol", "203.0.113.9");
      const register = (headers: readonly string[], cseq: number) =>
        carol.request("REGISTER", "sip:example.test", {
          to: "<sip:carol@example.test>",
          callId: "reg-carol",
          cseq,
          headers: [`Contact: <${carol.contact}>`, "Expires: 600", ...headers],
        });
      const answer = (challenge: string): string => {
        const nonce = /nonce="([^"]+)"/.exec(challenge)?.[1] ?? "";
        const uri = "sip:example.test";
        const hash = ha1("MD5", "carol", "example.test", "wonderland");
        const response = digestResponse("MD5", hash, "REGISTER", uri, nonce, "00000001", "c");
        return `Authorization: Digest username="carol", realm="example.test", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, cnonce="c", qop=auth, nc=00000001`;
      };
      register([], 1);
      expect(carol.last().status).toBe(401);
      world.clock.wallOffset += jump_ms;
      register([answer(carol.last().text(H.WwwAuthenticate) ?? "")], 2);
      if (carol.last().status === 401) {
        const again = carol.last().text(H.WwwAuthenticate) ?? "";
        expect(again).toContain("stale=true");
        register([answer(again)], 3);
      }
      expect(carol.last().status).toBe(200);
    });
  });
