/** Challenges and proofs (RFC 3261 §22, RFC 7616, RFC 8760). */
import { describe, expect, test } from "bun:test";
import type { Account, Verdict } from "../../src/auth/authenticator.ts";
import { Authenticator } from "../../src/auth/authenticator.ts";
import type { Algorithm, Qop } from "../../src/auth/digest.ts";
import { ha1 } from "../../src/auth/digest.ts";
import { Nonces } from "../../src/auth/nonces.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { parseAuthParams } from "../../src/message/auth-params.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import { Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import type { CredentialOptions } from "./credentials.ts";
import { credentials } from "./credentials.ts";

const REALM = "example.test";
const URI = "sip:example.test";

const ALL = ["SHA-512-256", "SHA-256", "MD5"] as const;

class Rig {
  readonly clock = new VirtualClock();
  readonly metrics = new Metrics();
  readonly accounts = new Map<string, Account>();
  readonly authenticator: Authenticator;
  readonly #scanner = new Scanner();

  constructor(
    algorithms: readonly Algorithm[] = ["SHA-256", "MD5"],
    { qop = ["auth"], bindsNonces = false }: { qop?: readonly Qop[]; bindsNonces?: boolean } = {},
  ) {
    const nonces = new Nonces(this.clock, new SeededDice(3), 300_000);
    this.authenticator = new Authenticator({
      ...{ realm: REALM, realms: new Map(), algorithms, qop, bindsNonces },
      nonces,
      accounts: (name) => this.accounts.get(name) ?? null,
      metrics: this.metrics,
    });
    this.account("alice", "wonderland");
  }

  account(
    name: string,
    password: string,
    has: { md5?: boolean; sha256?: boolean; sha512?: boolean } = {},
  ): void {
    this.accounts.set(name, {
      name,
      ha1_md5: has.md5 === false ? null : ha1("MD5", name, REALM, password),
      ha1_sha256: has.sha256 === false ? null : ha1("SHA-256", name, REALM, password),
      ...(has.sha512 !== false && { ha1_sha512_256: ha1("SHA-512-256", name, REALM, password) }),
    });
  }

  request(lines: readonly string[], method = "REGISTER", uri = URI): SipMessage {
    const text = [
      `${method} ${uri} SIP/2.0`,
      "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1",
      "From: <sip:alice@example.test>;tag=1",
      "To: <sip:alice@example.test>",
      "Call-ID: 1",
      `CSeq: 1 ${method}`,
      ...lines,
      "",
      "",
    ].join("\r\n");
    return this.#scanner.scan(Buffer.from(text, "latin1"))!;
  }

  /** The challenge values offered to a request without credentials. */
  challenges(): string[] {
    return values(this.authenticator.asServer(this.request([])));
  }

  challenge(algorithm: Algorithm): string {
    return this.challenges().find((value) => value.includes(`algorithm=${algorithm}`))!;
  }

  answer(challenge: string, options: Partial<CredentialOptions> = {}): Verdict {
    const value = credentials(challenge, { method: "REGISTER", uri: URI, ...options });
    return this.authenticator.asServer(this.request([`Authorization: ${value}`]));
  }
}

const values = (verdict: Verdict) =>
  "challenge" in verdict ? verdict.challenge.map((line) => line.slice(line.indexOf(":") + 2)) : [];
const causeOf = (verdict: Verdict) => ("challenge" in verdict ? verdict.cause : `user ${verdict.user}`);

function paramsOf(value: string): ReadonlyMap<string, string> {
  const parsed = parseAuthParams(value);
  if (parsed instanceof ParseError) throw new Error(parsed.code);
  return parsed.params;
}

describe("RFC 3261 §22.1 challenges", () => {
  test("no credentials: one challenge per algorithm, the preferred first (RFC 8760 §2.4)", () => {
    const all = new Rig().challenges().map(paramsOf);
    expect(all.map((params) => params.get("algorithm"))).toEqual(["SHA-256", "MD5"]);
    for (const params of all) {
      expect([params.get("realm"), params.get("qop"), params.has("stale")]).toEqual([REALM, "auth", false]);
      expect(params.get("nonce")!.length).toBeGreaterThan(16);
    }
  });

  test("as a server WWW-Authenticate, as a proxy Proxy-Authenticate", () => {
    const rig = new Rig(["MD5"]);
    const header = (verdict: Verdict) => ("challenge" in verdict ? verdict.challenge[0]!.split(":")[0] : "");
    expect(header(rig.authenticator.asServer(rig.request([])))).toBe("WWW-Authenticate");
    expect(header(rig.authenticator.asProxy(rig.request([])))).toBe("Proxy-Authenticate");
  });

  test("each side reads its own header only", () => {
    const rig = new Rig(["MD5"]);
    const value = credentials(rig.challenge("MD5"), { method: "REGISTER", uri: URI });
    const request = rig.request([`Authorization: ${value}`]);
    expect(causeOf(rig.authenticator.asProxy(request))).toBe("no_credentials");
    expect(causeOf(rig.authenticator.asServer(request))).toBe("user alice");
  });

  test("qop is quoted in the challenge, algorithm and stale are not (RFC 7616 §3.3)", () => {
    const [value] = new Rig(["SHA-256"]).challenges();
    expect(value).toMatch(/^Digest realm="example\.test", nonce="[^"]+", algorithm=SHA-256, qop="auth"$/);
  });
});

describe("RFC 7616 §3.4 proofs", () => {
  for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"] as const) {
    test(`${algorithm}: the right password proves the account`, () => {
      const rig = new Rig(ALL);
      expect(causeOf(rig.answer(rig.challenge(algorithm)))).toBe("user alice");
    });
    test(`${algorithm}: a wrong password does not`, () => {
      const rig = new Rig(ALL);
      expect(causeOf(rig.answer(rig.challenge(algorithm), { password: "looking-glass" }))).toBe(
        "wrong_password",
      );
    });
  }

  test("no algorithm in the credentials means MD5", () => {
    const rig = new Rig();
    const options = { algorithm: "MD5", changes: { algorithm: null } } as const;
    expect(causeOf(rig.answer(rig.challenge("MD5"), options))).toBe("user alice");
  });

  test("qop, algorithm and hex digits in any case, qop quoted", () => {
    const rig = new Rig();
    const value = credentials(rig.challenge("MD5"), {
      method: "REGISTER",
      uri: URI,
      changes: { qop: '"auth"', algorithm: "md5" },
    }).replace(/response="[^"]+"/, (text) => `response="${text.slice(10, -1).toUpperCase()}"`);
    expect(causeOf(rig.authenticator.asServer(rig.request([`Authorization: ${value}`])))).toBe("user alice");
  });

  test("unknown user", () => {
    const rig = new Rig();
    expect(causeOf(rig.answer(rig.challenge("MD5"), { username: "mallory" }))).toBe("unknown_user");
  });

  test("the challenge to an unknown user looks like the one to anybody", () => {
    const rig = new Rig();
    const shape = (verdict: Verdict) => values(verdict).map((value) => value.replace(/nonce="[^"]+"/, ""));
    const unknown = rig.answer(rig.challenge("MD5"), { username: "mallory" });
    expect(shape(unknown)).toEqual(shape(rig.answer(rig.challenge("MD5"), { password: "no" })));
  });

  test("credentials of another method prove nothing", () => {
    const rig = new Rig();
    expect(causeOf(rig.answer(rig.challenge("MD5"), { method: "INVITE" }))).toBe("wrong_password");
  });

  test("credentials for another realm are as good as none", () => {
    const rig = new Rig();
    const foreign = 'Digest realm="elsewhere.test", nonce="n", algorithm=MD5, qop="auth"';
    expect(causeOf(rig.answer(foreign))).toBe("no_credentials");
  });

  test("of several credentials the ones for our realm count", () => {
    const rig = new Rig(["MD5"]);
    const ours = credentials(rig.challenge("MD5"), { method: "REGISTER", uri: URI });
    const theirs = ours.replace('realm="example.test"', 'realm="elsewhere.test"');
    const request = rig.request([`Authorization: ${theirs}`, `Authorization: ${ours}`]);
    expect(causeOf(rig.authenticator.asServer(request))).toBe("user alice");
    expect([0, 1].map((i) => rig.authenticator.isOurs(request, request.count - 2 + i))).toEqual([
      false,
      true,
    ]);
  });
});

describe("what credentials must have", () => {
  const missing: readonly [string, Readonly<Record<string, string | null>>][] = [
    ["no qop: a count could not be checked", { qop: null, nc: null, cnonce: null }],
    ["qop=auth-int, which was not offered", { qop: "auth-int" }],
    ["no nc", { nc: null }],
    ["nc of seven digits", { nc: "0000001" }],
    ["nc that is no hex", { nc: "0000000g" }],
    ["an algorithm nobody knows", { algorithm: "ROT13" }],
    ["SHA-512-256, which is not offered", { algorithm: "SHA-512-256" }],
    ["MD5-sess, which is not offered", { algorithm: "MD5-sess" }],
  ];
  for (const [name, changes] of missing)
    test(`${name}: refused as malformed`, () => {
      const rig = new Rig();
      expect(causeOf(rig.answer(rig.challenge("MD5"), { changes }))).toBe("malformed");
    });

  test("a count of zero is refused even with a right response", () => {
    const rig = new Rig();
    expect(causeOf(rig.answer(rig.challenge("MD5"), { nc: "00000000" }))).toBe("replayed_nonce");
  });

  test("broken quoting, a parameter twice, another scheme: as good as none", () => {
    const rig = new Rig();
    for (const value of [
      'Digest username="alice, realm="example.test"',
      'Digest realm="example.test", realm="example.test", username="alice"',
      'Basic realm="example.test"',
      "Digest",
      "",
    ])
      expect(causeOf(rig.authenticator.asServer(rig.request([`Authorization: ${value}`])))).toBe(
        "no_credentials",
      );
  });
});

describe("RFC 8760 choice of algorithm", () => {
  test("a user without a SHA-256 hash is offered MD5 alone once the name is known", () => {
    const rig = new Rig();
    rig.account("old", "phone", { sha256: false });
    let failures = 0;
    rig.authenticator.onFailed = () => void failures++;
    const verdict = rig.answer(rig.challenge("SHA-256"), { username: "old", password: "phone" });
    expect([causeOf(verdict), failures]).toEqual(["no_hash", 0]); // it had no chance to be right
    expect(values(verdict).map((value) => paramsOf(value).get("algorithm"))).toEqual(["MD5"]);
    const again = rig.answer(values(verdict)[0]!, { username: "old", password: "phone" });
    expect(causeOf(again)).toBe("user old");
  });

  test("a user without an MD5 hash is offered SHA-256 alone", () => {
    const rig = new Rig();
    rig.account("new", "phone", { md5: false });
    const verdict = rig.answer(rig.challenge("MD5"), { username: "new", password: "phone" });
    expect(values(verdict).map((value) => paramsOf(value).get("algorithm"))).toEqual(["SHA-256"]);
  });

  test("the order of the configuration is that of the challenges: the strongest first, MD5 last", () => {
    const named = new Rig(ALL).challenges().map((value) => paramsOf(value).get("algorithm"));
    expect(named).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
  });

  test("an algorithm that is not offered proves nothing, also when the account has its hash", () => {
    const rig = new Rig(["SHA-256"]);
    const [challenge] = rig.challenges();
    const verdict = rig.answer(challenge!, { algorithm: "MD5" });
    expect(causeOf(verdict)).not.toBe("user alice");
    expect(causeOf(rig.answer(challenge!, { nc: "00000002" }))).toBe("user alice");
  });

  test("MD5 credentials against the SHA-256 hash prove nothing", () => {
    const rig = new Rig();
    const verdict = rig.answer(rig.challenge("MD5"), { algorithm: "MD5", changes: { algorithm: "SHA-256" } });
    expect(causeOf(verdict)).toBe("wrong_password");
  });
});

describe("RFC 7616 §3.3 stale", () => {
  test("an old nonce with the right password: stale=true and a nonce that works", () => {
    const rig = new Rig();
    const challenge = rig.challenge("MD5");
    rig.clock.advance(300_001);
    const verdict = rig.answer(challenge);
    expect(causeOf(verdict)).toBe("stale_nonce");
    for (const value of values(verdict)) expect(paramsOf(value).get("stale")).toBe("true");
    expect(causeOf(rig.answer(values(verdict).find((value) => value.includes("MD5"))!))).toBe("user alice");
  });

  test("an old nonce with a wrong password: no stale, the user must be asked", () => {
    const rig = new Rig();
    const challenge = rig.challenge("MD5");
    rig.clock.advance(300_001);
    const verdict = rig.answer(challenge, { password: "no" });
    expect(causeOf(verdict)).toBe("wrong_password");
    for (const value of values(verdict)) expect(paramsOf(value).has("stale")).toBe(false);
  });

  test("a forged nonce with the right password: stale (a restart looks the same)", () => {
    const rig = new Rig();
    const forged = rig.challenge("MD5").replace(/nonce="[^"]+"/, 'nonce="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"');
    expect(causeOf(rig.answer(forged))).toBe("stale_nonce");
  });
});

describe("RFC 7616 §3.4 nc", () => {
  test("the same credentials again are a replay; the next count passes", () => {
    const rig = new Rig();
    const challenge = rig.challenge("MD5");
    expect(causeOf(rig.answer(challenge))).toBe("user alice");
    const again = rig.answer(challenge);
    expect(causeOf(again)).toBe("replayed_nonce");
    expect(paramsOf(values(again)[0]!).get("stale")).toBe("true");
    expect(causeOf(rig.answer(challenge, { nc: "00000002" }))).toBe("user alice");
  });

  test("counts that overtake each other pass, each once", () => {
    const rig = new Rig();
    const challenge = rig.challenge("SHA-256");
    const nc = (n: number) => causeOf(rig.answer(challenge, { nc: n.toString(16).padStart(8, "0") }));
    expect([3, 1, 2, 3, 1].map(nc)).toEqual([
      "user alice",
      "user alice",
      "user alice",
      "replayed_nonce",
      "replayed_nonce",
    ]);
  });

  test("a wrong password uses no count up", () => {
    const rig = new Rig();
    const challenge = rig.challenge("MD5");
    rig.answer(challenge, { password: "no" });
    expect(causeOf(rig.answer(challenge))).toBe("user alice");
  });
});

describe("SIP-37 RFC 7616 §3.4.3 auth-int", () => {
  const BODY = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";
  const rigged = () => new Rig(["SHA-256", "MD5"], { qop: ["auth-int", "auth"] });
  /** What becomes of a request with `body`, whose credentials were made for BODY. */
  function outcome(rig: Rig, algorithm: Algorithm, body: string, qop: Qop = "auth-int"): string {
    const options = { method: "MESSAGE", uri: URI, qop, body: BODY };
    const value = credentials(rig.challenge(algorithm), options);
    const lines = [`Authorization: ${value}`, `Content-Length: ${body.length}`, "", body];
    return causeOf(rig.authenticator.asServer(rig.request(lines, "MESSAGE")));
  }

  test("is offered in the order of the configuration", () => {
    expect(
      rigged()
        .challenges()
        .map((value) => paramsOf(value).get("qop")),
    ).toEqual(["auth-int,auth", "auth-int,auth"]);
  });

  for (const algorithm of ["MD5", "SHA-256"] as const)
    test(`${algorithm}: the body that was signed passes, another one does not`, () => {
      expect(outcome(rigged(), algorithm, BODY)).toBe("user alice");
      expect(outcome(rigged(), algorithm, BODY.replace("4000", "4002"))).toBe("wrong_password");
      expect(outcome(rigged(), algorithm, "")).toBe("wrong_password");
    });

  test("without a body the hash is of nothing", () => {
    const rig = rigged();
    expect(causeOf(rig.answer(rig.challenge("MD5"), { qop: "auth-int" }))).toBe("user alice");
  });

  test("qop=auth beside it leaves the body alone; a proof of one kind is none of the other", () => {
    expect(outcome(rigged(), "MD5", "another", "auth")).toBe("user alice");
    const rig = rigged();
    const changes = { qop: "auth" };
    expect(causeOf(rig.answer(rig.challenge("MD5"), { qop: "auth-int", changes }))).toBe("wrong_password");
  });

  test("auth-int alone: qop=auth is refused", () => {
    const rig = new Rig(["MD5"], { qop: ["auth-int"] });
    expect(causeOf(rig.answer(rig.challenge("MD5")))).toBe("malformed");
  });
});

describe("SIP-37 a nonce bound to the address it was sent to", () => {
  const HOME = "198.51.100.7";
  const AWAY = "203.0.113.66";
  function outcomes(bindsNonces: boolean): string[] {
    const rig = new Rig(["MD5"], { bindsNonces });
    const challenge = values(rig.authenticator.asServer(rig.request([]), HOME))[0]!;
    const from = (address: string, value: string, nc: string) => {
      const written = credentials(value, { method: "REGISTER", uri: URI, nc });
      return rig.authenticator.asServer(rig.request([`Authorization: ${written}`]), address);
    };
    const away = from(AWAY, challenge, "00000001");
    const again = "challenge" in away ? [causeOf(from(AWAY, values(away)[0]!, "00000001"))] : [];
    return [causeOf(away), ...again, causeOf(from(HOME, challenge, "00000002"))];
  }

  test("on: from elsewhere a new challenge, which works there; at home the old one goes on", () => {
    expect(outcomes(true)).toEqual(["nonce_of_another", "user alice", "user alice"]);
  });
  test("off: it works from anywhere", () => expect(outcomes(false)).toEqual(["user alice", "user alice"]));
});

describe("RFC 3261 §22.4 the digest-uri", () => {
  const cases: readonly [string, string, string][] = [
    ["sip:bob@example.test", "sip:bob@example.test", "user alice"],
    ["sip:bob@example.test", "sip:example.test", "user alice"],
    ["sip:bob@example.test", "sip:carol@example.test", "uri_mismatch"],
    ["sip:bob@example.test", "not a uri", "uri_mismatch"],
  ];
  for (const [target, uri, outcome] of cases)
    test(`request for ${target}, digest-uri "${uri}": ${outcome}`, () => {
      const rig = new Rig(["MD5"]);
      const value = credentials(rig.challenge("MD5"), { method: "INVITE", uri });
      const request = rig.request([`Proxy-Authorization: ${value}`], "INVITE", target);
      expect(causeOf(rig.authenticator.asProxy(request))).toBe(outcome);
    });
});

test("challenges are counted by their cause", () => {
  const rig = new Rig();
  rig.answer(rig.challenge("MD5"), { password: "no" });
  const family = rig.metrics.collect().find((each) => each.name === "sipedge_auth_challenges_total")!;
  expect(family.samples.map((sample) => [sample.labels.cause, sample.value])).toEqual([
    ["no_credentials", 1],
    ["wrong_password", 1],
  ]);
});
