/** ARC-20, ARC-24: each try of somebody who has no account, against the whole appliance. */
import { describe, expect, test } from "bun:test";
import { digestResponse, ha1 } from "../../src/auth/digest.ts";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { H } from "../../src/message/header-names.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { lab, Phone } from "../proxy/kit.ts";
import { REALM } from "../support/world.ts";

const ATTACKER = "203.0.113.66";
const NEIGHBOUR = "203.0.113.67";

function site(toml = "") {
  const world = lab(toml);
  world.account("alice", "the password");
  const mallory = new Phone(world, "mallory", ATTACKER);
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  return { world, mallory, bob };
}

/** What the last answer asks for, answered with this password. */
function credentials(
  answer: SipMessage,
  header: string,
  method: string,
  uri: string,
  password: string,
): string {
  const [challenge] = answer.texts(header === "Authorization" ? H.WwwAuthenticate : H.ProxyAuthenticate);
  const parsed = parseAuthParams(challenge ?? "");
  if (parsed instanceof ParseError) throw new Error("no challenge");
  const nonce = parsed.params.get("nonce")!;
  const response = digestResponse(
    "MD5",
    ha1("MD5", "alice", REALM, password),
    method,
    uri,
    nonce,
    "00000001",
    "c",
  );
  return `${header}: Digest username="alice", realm="${REALM}", nonce="${nonce}", uri="${uri}", qop=auth, nc=00000001, cnonce="c", algorithm=MD5, response="${response}"`;
}

describe("guessing a password", () => {
  function guess({ mallory }: ReturnType<typeof site>, times: number): number {
    const uri = `sip:${REALM}`;
    const to = `<sip:alice@${REALM}>`;
    let answers = 0;
    for (let i = 0; i < times; i++) {
      mallory.request("REGISTER", uri, { to, callId: `g${i}`, branch: `z9hG4bKg${i}`, cseq: 1 });
      const before = mallory.statuses("REGISTER").length;
      const line = credentials(mallory.last(), "Authorization", "REGISTER", uri, `guess ${i}`);
      mallory.request("REGISTER", uri, {
        to,
        callId: `g${i}`,
        branch: `z9hG4bKh${i}`,
        cseq: 2,
        headers: [line],
      });
      answers += mallory.statuses("REGISTER").length - before;
    }
    return answers;
  }

  test("is answered so often, then the source is banned, and nobody else", () => {
    const from = site("[guard]\ntries = 8\n");
    guess(from, 10);
    expect(from.world.banned).toEqual([ATTACKER]);
    const { guard } = from.world.core;
    expect([guard.admits(ATTACKER), guard.admits(NEIGHBOUR), guard.admits("198.51.100.8")]).toEqual([
      false,
      true,
      true,
    ]);
    expect(guard.bans.running()[0]).toMatchObject({ reason: "8 wrong passwords", by: "guard", times: 1 });
  });

  test("with a nonce that was issued to somebody else it bans nobody: the sender could be forged", () => {
    const from = site("[guard]\ntries = 3\n");
    const { world, mallory } = from;
    const uri = `sip:${REALM}`;
    const to = `<sip:alice@${REALM}>`;
    mallory.request("REGISTER", uri, { to, callId: "n", branch: "z9hG4bKn" });
    const line = credentials(mallory.last(), "Authorization", "REGISTER", uri, "x");
    const victim = new Phone(world, "victim", NEIGHBOUR);
    for (let i = 0; i < 20; i++)
      victim.request("REGISTER", uri, { to, callId: `v${i}`, branch: `z9hG4bKv${i}`, headers: [line] });
    expect(world.banned).toEqual([]);
  });
});

test("whoever proves an account and never registers is no stranger: its rate is not bounded", () => {
  const { world, mallory: pbx } = site("[guard]\nburst = 20\nrate_per_s = 1\n");
  const uri = `sip:bob@${REALM}`;
  const from = `<sip:alice@${REALM}>`;
  pbx.request("INVITE", uri, { from, callId: "p", branch: "z9hG4bKp1", cseq: 1 });
  const line = credentials(pbx.last(), "Proxy-Authorization", "INVITE", uri, "the password");
  pbx.request("INVITE", uri, { from, callId: "p", branch: "z9hG4bKp2", cseq: 2, headers: [line] });
  const { guard } = world.core;
  const passed = Array.from({ length: 100 }, () => guard.takes(Buffer.from("x"), ATTACKER, false));
  expect(passed).not.toContain(false);
});

describe("a stranger finds no way", () => {
  for (const [name, uri, more] of [
    ["to call out", "sip:00491234567@example.test", {}],
    ["to call somebody elsewhere", "sip:someone@elsewhere.test", {}],
    ["as one of ours", "sip:bob@example.test", { from: "<sip:alice@example.test>" }],
    ["as one of ours, to call out", "sip:00491234567@example.test", { from: "<sip:alice@example.test>" }],
    ["by a Route through us", "sip:x@198.51.100.200", { headers: ["Route: <sip:192.0.2.1;lr>"] }],
    [
      "by a Route with a token of his own making",
      "sip:x@198.51.100.200",
      {
        headers: ["Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@192.0.2.1;lr>"],
      },
    ],
    ["by a To tag that says it is a dialog", "sip:x@198.51.100.200", { toTag: "x" }],
    ["by an emergency number from outside", "sip:112@example.test", {}],
    ["by a sub-address", "sip:bob%40elsewhere.test@example.test", {}],
  ] as const)
    test(`${name}: nothing leaves, and it is answered`, () => {
      const { world, mallory, bob } = site();
      const gateway = new Phone(world, "x", "198.51.100.200");
      mallory.request("INVITE", uri, { callId: "s", ...more } as never);
      expect([bob.count("INVITE"), gateway.count("INVITE")]).toEqual([0, 0]);
      expect(mallory.last().status).toBeGreaterThanOrEqual(400);
    });

  test("to register over somebody, nor to take his registration away", () => {
    const { world, mallory } = site();
    const before = [...world.store.all()].length;
    for (const headers of [["Contact: <sip:x@203.0.113.66>"], ["Contact: *", "Expires: 0"]])
      mallory.request("REGISTER", `sip:${REALM}`, {
        to: `<sip:bob@${REALM}>`,
        callId: `r${headers.length}`,
        branch: `z9hG4bKr${headers.length}`,
        headers,
      });
    expect(mallory.statuses("REGISTER")).toEqual([401, 401]);
    expect([...world.store.all()]).toHaveLength(before);
  });

  test("to learn who is here: an account and a name that is none get the same answer", () => {
    const { mallory } = site();
    const answers = ["bob", "nobody"].map((name, i) => {
      mallory.request("INVITE", `sip:${name}@${REALM}`, { callId: `e${i}`, branch: `z9hG4bKe${i}` });
      return mallory.last().status;
    });
    expect(answers[0]).toBe(answers[1]!);
  });
});
