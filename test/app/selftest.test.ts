/** The parts of the self-test that are pure: which listeners it takes, what its phones write, the tone. */
import { describe, expect, test } from "bun:test";
import { Failed, Patience } from "../../src/app/selftest/failed.ts";
import { keptOut } from "../../src/app/selftest/kept-out.ts";
import { credentialsFor, requestBytes } from "../../src/app/selftest/sip-text.ts";
import { targetsOf } from "../../src/app/selftest/targets.ts";
import { CALLEE_HZ, CALLER_HZ, PCMA, Tone } from "../../src/app/selftest/tone.ts";
import type { Watch } from "../../src/app/selftest/watch.ts";
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { Scanner } from "../../src/message/scan.ts";
import { configOf } from "../config/support.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const HERE = ["127.0.0.1", "::1", "192.0.2.7", "192.0.2.8", "2001:db8::7"];
const targets = (toml: string, bound: number | null = null) =>
  targetsOf(configOf(toml), HERE, () => bound).map(
    ({ transport, address, port, domain, serverName }) =>
      `${transport} ${address} ${port} ${domain} ${serverName}`,
  );

describe("B-77 selftest: which listeners", () => {
  test("any is one address of each family, one that others reach", () =>
    expect(targets("config_version = 1")).toEqual([
      "udp 192.0.2.7 5060 192.0.2.7 null",
      "udp 2001:db8::7 5060 [2001:db8::7] null",
      "tcp 192.0.2.7 5060 192.0.2.7 null",
      "tcp 2001:db8::7 5060 [2001:db8::7] null",
    ]));
  test("a given address is that, under the first domain", () =>
    expect(
      targets(
        'domains = ["a.test", "b.test"]\n[[listen]]\naddress = "192.0.2.8"\nport = 5070\n' +
          '[[listen]]\naddress = "192.0.2.7"\n[[listen]]\ntransport = "tcp"\naddress = "::1"\n',
      ),
    ).toEqual([
      "udp 192.0.2.8 5070 a.test a.test",
      "udp 192.0.2.7 5060 a.test a.test",
      "tcp ::1 5060 a.test a.test",
    ]));
  test("a free port is the one that the running appliance tells, and left out while nobody knows", () => {
    const toml = '[[listen]]\naddress = "127.0.0.1"\nport = 0\n';
    expect(targets(toml, 40_000)).toEqual(["udp 127.0.0.1 40000 127.0.0.1 null"]);
    expect(targets(toml)).toEqual([]);
  });
});

const DRAFT = {
  ...{
    method: "INVITE",
    uri: "sip:b@a.test",
    callId: "c",
    routes: ["<sip:r;lr>"],
    lines: [],
    body: "v=0\r\n",
  },
  ...{ from: "<sip:a@a.test>;tag=t", to: "<sip:b@a.test>" },
};
const TRANSACTION = {
  transport: "tcp",
  sentBy: "192.0.2.9:5",
  branch: "z9hG4bKx",
  cseq: 2,
  credentials: [],
} as const;

/** What a challenge is answered with; null: nothing. */
function proof(challenge: string): string | null {
  const text = `SIP/2.0 407 No\r\nCall-ID: c\r\n${challenge}\r\n\r\n`;
  const answer = new Scanner().scan(Buffer.from(text))!;
  return credentialsFor(answer, DRAFT, { name: "a", password: "p" }, "cn");
}

describe("B-77 selftest: the guard", () => {
  const why = (toml: string, address = "192.0.2.7", bans: readonly string[] = []) => {
    const rows = bans.map((source) => ({ source, reason: "guesses" }));
    const watch = { bans: () => Promise.resolve(rows) } as unknown as Watch;
    return keptOut(configOf(toml), watch, address);
  };
  test("guard.deny, guard.allow and bans of an address or its network are each named; else nothing is", async () => {
    expect(await why('[guard]\ndeny = ["192.0.2.0/24"]')).toContain("guard.deny keeps 192.0.2.7 out");
    expect(await why('[guard]\nallow = ["10.0.0.0/8"]')).toContain("guard.allow leaves 192.0.2.7 out");
    expect(await why('[guard]\nallow = ["192.0.2.0/24"]')).toBeNull();
    const ban = await why("", "192.0.2.7", ["198.51.100.1", "192.0.2.0/24"]);
    expect(ban).toContain("keeps 192.0.2.0/24 out (guesses): DELETE /v1/bans/192.0.2.0%2F24");
    expect(await why("", "192.0.2.7", ["198.51.100.1"])).toBeNull();
  });
  test("an API that does not answer leaves it open", async () => {
    const watch = { bans: () => Promise.reject(new Failed("gone", "")) } as unknown as Watch;
    expect(await keptOut(configOf(""), watch, "192.0.2.7")).toBeNull();
  });
});

describe("B-77 selftest: what its phones write", () => {
  test("a request that can be read, with its mark and its routes", () => {
    const message = new Scanner().scan(requestBytes(DRAFT, TRANSACTION))!;
    expect(message.fault).toBeNull();
    expect([message.method, message.uriText, message.body.toString()]).toEqual([
      "INVITE",
      "sip:b@a.test",
      "v=0\r\n",
    ]);
    const text = message.bytes.toString();
    for (const line of ["User-Agent: sipedge selftest", "Route: <sip:r;lr>", "CSeq: 2 INVITE"])
      expect(text).toContain(`\r\n${line}\r\n`);
  });
  test("RFC 7616 §3.4: the first algorithm and qop that it knows; a body is covered where it has to be", () => {
    const hash = ha1("SHA-256", "a", "r", "p");
    const body = Buffer.from(DRAFT.body);
    const expected = digestResponse("SHA-256", hash, "INVITE", DRAFT.uri, "n", "00000001", "cn", body);
    const line = proof(
      'Proxy-Authenticate: Digest realm="r", nonce="o", algorithm=SHA-512-256, qop="auth"\r\n' +
        'Proxy-Authenticate: Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int"',
    );
    expect(line).toStartWith("Proxy-Authorization: Digest ");
    expect(line).toContain(`response="${expected}"`);
  });
  test("a challenge that offers nothing is answered with nothing", () =>
    expect(proof('Proxy-Authenticate: Digest realm="r", nonce="n", qop="later"')).toBeNull());
});

describe("B-77 selftest: media", () => {
  /** One hears what the other plays for a second, but for the packets that `drops` says. */
  function heard(drops: (n: number) => boolean, hz = CALLER_HZ) {
    const clock = new VirtualClock();
    const parts = { clock, dice: new SeededDice(1) };
    const [from, to] = [new Tone(parts, hz, CALLEE_HZ), new Tone(parts, CALLEE_HZ, CALLER_HZ)];
    let n = 0;
    const send = (bytes: Uint8Array) => {
      if (!drops(n++)) to.heard(Buffer.from(bytes));
      return true;
    };
    from.play({ send, close() {} }, { address: "192.0.2.1", port: 4000, type: PCMA }, 1000);
    clock.advance(1100);
    expect(from.sent).toBe(50);
    return to.report();
  }
  test("a tone that comes whole: nothing lost, no other sound, the best MOS of G.711", () => {
    const { packets, others, loss_percent, jitter_ms, mos } = heard(() => false);
    expect([packets, others, loss_percent, Math.round(jitter_ms)]).toEqual([50, 0, 0, 0]);
    expect(mos).toBeCloseTo(4.41, 2);
  });
  test("every fifth packet lost: 20 %, and a MOS that says so", () => {
    const { packets, loss_percent, mos } = heard((n) => n % 5 === 3);
    expect(packets).toBe(40);
    expect(loss_percent).toBeCloseTo(20, 0);
    expect(mos!).toBeLessThan(3);
  });
  test("another sound is told from the tone; nothing at all has no MOS", () => {
    expect(heard(() => false, 800).others).toBe(50);
    expect(heard(() => true).mos).toBeNull();
  });
});

describe("B-77 selftest: waits end", () => {
  const never = new Promise<void>(() => {});
  test("at their time, and when somebody stops it; what is put away is not stopped", async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const patience = new Patience(clock, stop.signal);
    const late = patience.wait(never, 1000, new Failed("late", "wait"));
    clock.advance(1000);
    await expect(late).rejects.toThrow("late");
    const stopped = patience.wait(never, 1000, new Failed("late", "wait"));
    stop.abort();
    await expect(stopped).rejects.toThrow("stopped");
    await expect(patience.wait(never, 1000, new Failed("late", "wait"))).rejects.toThrow("stopped");
    patience.tidy();
    expect(await patience.wait(Promise.resolve("put away"), 1000, new Failed("late", "wait"))).toBe(
      "put away",
    );
  });
});
