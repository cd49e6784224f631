/** B-31 to B-33: who is let in, at which rate, and who is kept out. On a virtual clock. */
import { describe, expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { Ban } from "../../src/guard/bans.ts";
import { BANS_MAX, Bans, sourceNamed, sourceOf } from "../../src/guard/bans.ts";
import type { GuardRules } from "../../src/guard/guard.ts";
import { Guard } from "../../src/guard/guard.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const RULES: GuardRules = {
  enabled: true,
  deny: ["203.0.113.128/25"],
  allow: [],
  tries: 5,
  window_s: 600,
  ban_s: 600,
  ban_max_s: 3000,
  account_tries: 20,
  rate_per_s: 10,
  burst: 30,
  scanners: ["Evil Dialer"],
};
const STRANGER = "203.0.113.66";
const PEER = "198.51.100.1";
const PLAIN = Buffer.from("OPTIONS sip:x SIP/2.0\r\nUser-Agent: Phone 1\r\n\r\n");

function site(rules: Partial<GuardRules> = {}, stored = new Map<string, Ban>()) {
  const clock = new VirtualClock();
  const banned: string[] = [];
  const store = {
    load: () => stored,
    put: (source: string, ban: Ban) => void stored.set(source, ban),
    remove: (source: string) => void stored.delete(source),
  };
  const guard = new Guard(
    {
      ...{ clock, store, log: silentLog, metrics: new Metrics() },
      isExempt: (address) => address === PEER,
      onBanned: (source) => void banned.push(source),
    },
    { ...RULES, ...rules },
  );
  const fail = (address: string, times: number, account = "alice", isProved = true): void => {
    for (let i = 0; i < times; i++) guard.failed(address, account, isProved);
  };
  return { clock, guard, banned, fail, stored };
}

describe("B-33 networks", () => {
  test("denied ones are not looked at, allowed ones alone are", () => {
    const { guard } = site();
    expect([guard.admits("203.0.113.200"), guard.admits(STRANGER)]).toEqual([false, true]);
    guard.configure({ ...RULES, allow: ["10.0.0.0/8"] });
    expect([guard.admits("10.1.2.3"), guard.admits(STRANGER)]).toEqual([true, false]);
  });
});

describe("B-31 wrong passwords", () => {
  test("so many within the window, and the source is banned; less is not", () => {
    const { guard, fail, banned } = site();
    fail(STRANGER, 4);
    expect(guard.admits(STRANGER)).toBe(true);
    fail(STRANGER, 1);
    expect([guard.admits(STRANGER), banned]).toEqual([false, [STRANGER]]);
    expect(guard.admits("203.0.113.67")).toBe(true);
  });

  test("spread over a longer time they fade", () => {
    const { guard, fail, clock } = site();
    for (let i = 0; i < 40; i++) {
      fail(STRANGER, 1, `user${i}`);
      clock.advance(125_000);
    }
    expect(guard.admits(STRANGER)).toBe(true);
  });

  test("a ban ends by itself, and each next one is twice as long, up to a bound", () => {
    const { guard, fail, clock } = site();
    const lengths: number[] = [];
    for (let i = 0; i < 5; i++) {
      fail(STRANGER, 5, `user${i}`);
      const [ban] = guard.bans.running();
      lengths.push((ban!.until_ms - ban!.since_ms) / 1000);
      clock.advance(ban!.until_ms - ban!.since_ms + 1);
      expect(guard.admits(STRANGER)).toBe(true);
    }
    expect(lengths).toEqual([600, 1200, 2400, 3000, 3000]);
  });

  test("wrong tokens of the API count with them; not those of this machine, a known address or a peer", () => {
    const { guard, fail, banned, clock } = site();
    guard.registered("198.51.100.7", clock.wall() + 3_600_000);
    for (const address of ["127.0.0.1", "127.9.9.9", "::1", "198.51.100.7", PEER])
      for (let i = 0; i < 50; i++) guard.wrongToken(address);
    expect(banned).toEqual([]);
    for (let i = 0; i < 4; i++) guard.wrongToken(STRANGER);
    expect(banned).toEqual([]);
    fail(STRANGER, 1);
    expect(banned).toEqual([STRANGER]);
    for (let i = 0; i < 5; i++) guard.wrongToken("203.0.113.67");
    expect(guard.bans.running()[0]).toMatchObject({
      source: "203.0.113.67",
      reason: "5 wrong tokens or passwords",
    });
  });

  test("nor with guard.enabled off", () => {
    const { guard, banned } = site({ enabled: false });
    for (let i = 0; i < 50; i++) guard.wrongToken(STRANGER);
    expect(banned).toEqual([]);
  });

  test("what a forged datagram could say bans nobody", () => {
    const { guard, fail } = site();
    fail(STRANGER, 100, "alice", false);
    expect(guard.admits(STRANGER)).toBe(true);
  });

  test("a peer, and an address with registered phones, are never banned for it", () => {
    const { guard, fail, clock } = site();
    guard.registered("198.51.100.7", clock.wall() + 3_600_000);
    fail("198.51.100.7", 100);
    fail(PEER, 100);
    expect([guard.admits("198.51.100.7"), guard.admits(PEER)]).toEqual([true, true]);
    clock.advance(3_600_001);
    fail("198.51.100.7", 5, "other");
    expect(guard.admits("198.51.100.7")).toBe(false);
  });

  test("one account guessed from everywhere: only known addresses may try it", () => {
    const { guard, fail, clock } = site();
    guard.registered("198.51.100.7", clock.wall() + 3_600_000);
    for (let i = 0; i < 20; i++) fail(`192.0.2.${i}`, 1);
    expect(guard.mayTry("192.0.2.99", "alice")).toBe(false);
    expect([guard.mayTry("198.51.100.7", "alice"), guard.mayTry(PEER, "alice")]).toEqual([true, true]);
    expect(guard.mayTry("192.0.2.99", "bob")).toBe(true);
    clock.advance(60_000);
    expect(guard.mayTry("192.0.2.99", "alice")).toBe(true);
  });

  test("IPv6: the /64 is one source", () => {
    const { guard, fail } = site();
    for (let i = 0; i < 5; i++) fail(`2001:db8:1:2::${i}`, 1);
    expect(guard.admits("2001:db8:1:2:ffff::1")).toBe(false);
    expect(guard.admits("2001:db8:1:3::1")).toBe(true);
  });
});

describe("B-32 scanners", () => {
  for (const agent of ["friendly-scanner", "SIPVicious 1", "sipcli/v1.8", "the EVIL dialer 2"])
    test(`${agent} is dropped; over a connection it is banned`, () => {
      const { guard } = site();
      const bytes = Buffer.from(`OPTIONS sip:x SIP/2.0\r\nuser-agent : ${agent}\r\n\r\n`);
      expect(guard.takes(bytes, STRANGER, false)).toBe(false);
      expect(guard.admits(STRANGER)).toBe(true);
      expect(guard.takes(bytes, STRANGER, true)).toBe(false);
      expect(guard.admits(STRANGER)).toBe(false);
    });

  test("the same words elsewhere are nobody's business", () => {
    const { guard } = site();
    const bytes = Buffer.from(
      "OPTIONS sip:x SIP/2.0\r\nSubject: sipcli\r\nUser-Agent: Phone\r\n\r\nsipvicious",
    );
    expect(guard.takes(bytes, STRANGER, false)).toBe(true);
  });
});

describe("B-31 rates", () => {
  test("a stranger has a burst and a rate; phones, peers and other strangers are not held up", () => {
    const { guard, clock } = site();
    const passed = (address: string, messages: number): number =>
      Array.from({ length: messages }, () => guard.takes(PLAIN, address, false)).filter(Boolean).length;
    expect(passed(STRANGER, 100)).toBe(30);
    clock.advance(1000);
    expect(passed(STRANGER, 100)).toBe(10);
    guard.registered("198.51.100.7", clock.wall() + 3_600_000);
    expect([passed("198.51.100.7", 1000), passed(PEER, 1000), passed("192.0.2.9", 20)]).toEqual([
      1000, 1000, 20,
    ]);
  });

  test("enabled = false: nobody is held up, bans by hand hold", () => {
    const { guard, fail } = site({ enabled: false });
    fail(STRANGER, 100);
    expect(Array.from({ length: 100 }, () => guard.takes(PLAIN, STRANGER, false))).not.toContain(false);
    expect(guard.banBy(STRANGER, "me", "x", 60)).toBe(STRANGER);
    expect(guard.admits(STRANGER)).toBe(false);
  });
});

describe("bans by hand, and their bounds", () => {
  test("addresses and networks; lifted, and over", () => {
    const { guard, clock } = site();
    expect(guard.banBy("192.0.2.0/24", "me", "bad", 60)).toBe("192.0.2.0/24");
    expect(guard.banBy("2001:db8::7", "me", "bad", 60)).toBe("2001:db8::/64");
    expect(guard.banBy("nobody", "me", "bad", 60)).toBeNull();
    expect([guard.admits("192.0.2.77"), guard.admits("192.0.3.1"), guard.admits("2001:db8::9")]).toEqual([
      false,
      true,
      false,
    ]);
    expect([guard.lift("2001:db8::9", "me"), guard.lift("2001:db8::9", "me")]).toEqual([true, false]);
    expect(guard.admits("2001:db8::9")).toBe(true);
    clock.advance(61_000);
    expect(guard.admits("192.0.2.77")).toBe(true);
    expect(guard.bans.running()).toEqual([]);
  });

  test("they outlive a restart", () => {
    const { fail, stored } = site();
    fail(STRANGER, 5);
    expect(site({}, stored).guard.admits(STRANGER)).toBe(false);
  });

  test("BANS_MAX: the oldest gives way", () => {
    const { guard } = site();
    for (let i = 0; i <= BANS_MAX; i++)
      guard.bans.add(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, { reason: "x", by: "x", seconds: 60 });
    expect(guard.bans.running()).toHaveLength(BANS_MAX);
    expect([guard.admits("10.0.0.0"), guard.admits("10.0.0.1")]).toEqual([true, false]);
  });

  test("a mirror hears of each ban and of its end", () => {
    const said: string[] = [];
    const clock = new VirtualClock();
    const store = { load: () => new Map(), put() {}, remove() {} };
    const bans = new Bans({ clock, metrics: new Metrics(), store });
    bans.mirror = {
      banned: (source, seconds) => void said.push(`${source} ${seconds}`),
      lifted: (source) => void said.push(`${source} lifted`),
    };
    bans.add("192.0.2.1", { reason: "x", by: "x", seconds: 60 });
    bans.lift("192.0.2.1");
    expect(said).toEqual(["192.0.2.1 60", "192.0.2.1 lifted"]);
  });

  for (const [text, source] of [
    ["192.0.2.1", "192.0.2.1"],
    ["192.0.2.1/32", "192.0.2.1"],
    ["2001:DB8::1", "2001:db8::/64"],
    ["2001:db8:0:0:1::1", "2001:db8::/64"],
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["2001:db8::/32", "2001:db8::/32"],
    ["example.test", null],
    ["", null],
  ] as const)
    test(`"${text}" means ${source}`, () => expect(sourceNamed(text)).toBe(source));

  test("the address of a datagram, as it is counted", () => {
    expect([sourceOf("192.0.2.1"), sourceOf("::1"), sourceOf("fe80::1%eth0")]).toEqual([
      "192.0.2.1",
      "::/64",
      "fe80::/64",
    ]);
  });
});
