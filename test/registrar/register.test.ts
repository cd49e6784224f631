/** The registrar (RFC 3261 §10.3, RFC 3327, RFC 5626), step by step, through the whole appliance. */
import { describe, expect, test } from "bun:test";
import type { StoreFailureCode } from "../../src/location/store.ts";
import { H } from "../../src/message/header-names.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";
import { PATH_ENTRIES_MAX } from "../../src/registrar/read-register.ts";
import { credentials } from "../auth/credentials.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { entries, lab, Phone, text, World } from "../proxy/kit.ts";

function rig(toml = "") {
  const world = lab(toml);
  const alice = new Phone(world, "alice", "198.51.100.7");
  return { world, alice };
}

let serial = 0;

/** A REGISTER for alice with these header lines; returns its answer. Another Call-ID each time unless told. */
function register(phone: Phone, headers: readonly string[], options: RequestOptions = {}): SipMessage {
  phone.request("REGISTER", "sip:example.test", {
    to: "<sip:alice@example.test>",
    callId: `reg-${++serial}`,
    headers,
    ...options,
  });
  return phone.last();
}

const contacts = (answer: SipMessage) => entries(answer, H.Contact);
const bound = (world: World, user = "alice") => world.store.bindings(user).map((binding) => binding.contact);
const A = "sip:alice@198.51.100.7:5060";
const B = "sip:alice@198.51.100.7:5070";

describe("RFC 3261 §10.3 step 1 the domain", () => {
  test("for another domain it is proxied like any request", () => {
    const { world, alice } = rig();
    const far = new Phone(world, "far", "198.51.100.90");
    alice.request("REGISTER", "sip:198.51.100.90", { to: "<sip:alice@198.51.100.90>" });
    expect(far.count("REGISTER")).toBe(1);
    expect(far.incoming("REGISTER").uriText).toBe("sip:198.51.100.90");
  });
});

describe("RFC 3261 §10.3 step 2 Require", () => {
  test("420 with Unsupported, nothing changed", () => {
    const { world, alice } = rig();
    const answer = register(alice, [`Contact: <${A}>`, "Require: path, gruu, outbound, frob"]);
    expect(answer.status).toBe(420);
    expect(text(answer)).toContain("\r\nUnsupported: frob\r\n");
    expect(bound(world)).toEqual([]);
  });
  test("path is known", () =>
    expect(register(rig().alice, [`Contact: <${A}>`, "Require: path"]).status).toBe(200));
});

describe("RFC 3261 §10.3 steps 3 and 4 who may register", () => {
  function strangers() {
    const world = new World();
    world.account("alice", "wonderland");
    world.account("bob", "builder");
    return { world, alice: new Phone(world, "alice", "203.0.113.7") };
  }
  const login = (phone: Phone, name: string, password: string, user: string) => {
    const options = { to: `<sip:${user}@example.test>`, callId: `login-${++serial}` };
    const headers = [`Contact: <${phone.contact}>`];
    phone.request("REGISTER", "sip:example.test", { ...options, headers });
    const challenge = phone.last();
    if (challenge.status !== 401) return challenge;
    const value = credentials(challenge.texts(H.WwwAuthenticate)[0]!, {
      username: name,
      password,
      method: "REGISTER",
      uri: "sip:example.test",
    });
    phone.request("REGISTER", "sip:example.test", {
      ...options,
      cseq: 2,
      headers: [...headers, `Authorization: ${value}`],
    });
    return phone.last();
  };
  test("without credentials 401, with the right ones 200", () => {
    const { world, alice } = strangers();
    expect(login(alice, "alice", "wonderland", "alice").status).toBe(200);
    expect(alice.host.statuses()).toEqual([401, 200]);
    expect(bound(world)).toEqual([alice.contact]);
  });
  test("with a wrong password 401 again, nothing bound", () => {
    const { world, alice } = strangers();
    expect(login(alice, "alice", "no", "alice").status).toBe(401);
    expect(bound(world)).toEqual([]);
  });
  test("for another's address-of-record 403, nothing bound", () => {
    const { world, alice } = strangers();
    expect(login(alice, "alice", "wonderland", "bob").status).toBe(403);
    expect(bound(world, "bob")).toEqual([]);
  });
  test("the user part may be written with escapes", () => {
    const { world, alice } = strangers();
    expect(login(alice, "alice", "wonderland", "%61lice").status).toBe(200);
    expect(bound(world)).toEqual([alice.contact]);
  });
});

describe("RFC 3261 §10.3 step 5 the address-of-record", () => {
  for (const [to, status] of [
    ["<sip:alice@elsewhere.test>", 404],
    ["<sip:example.test>", 404],
    ["<tel:+49301234>", 400],
    ["<sip:alice@example.test", 400],
  ] as const)
    test(`To ${to}: ${status}`, () =>
      expect(register(rig().alice, [`Contact: <${A}>`], { to }).status).toBe(status));

  test("every name of the domain, escapes and parameters name the same one", () => {
    const { world, alice } = rig();
    for (const [i, to] of [
      "<sip:alice@example.test>",
      "Alice <sip:%61lice@EXAMPLE.TEST;user=phone>",
      "<sip:alice@192.0.2.1:5060>",
      "<sips:alice@example.test>",
    ].entries())
      register(alice, [`Contact: <sip:alice@198.51.100.7:${6000 + i}>`], { to });
    expect(bound(world)).toHaveLength(4);
  });
});

describe("RFC 3261 §10.3 step 6 no Contact, and Contact: *", () => {
  test("no Contact: a query, 200 with all bindings, nothing changed", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`, `Contact: <${B}>;expires=600`]);
    world.run(10_000);
    const before = world.store.bindings("alice");
    const answer = register(alice, []);
    expect(contacts(answer)).toEqual([`<${A}>;expires=3590`, `<${B}>;expires=590`]);
    expect(world.store.bindings("alice")).toBe(before);
  });
  test("* with Expires: 0 removes all, whoever registered them", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>, <${B}>`]);
    const answer = register(alice, ["Contact: *", "Expires: 0"]);
    expect([answer.status, ...contacts(answer)]).toEqual([200]);
    expect(bound(world)).toEqual([]);
  });
  for (const headers of [
    ["Contact: *"],
    ["Contact: *", "Expires: 60"],
    ["Contact: *", "Expires: never"],
    ["Contact: *", `Contact: <${B}>`, "Expires: 0"],
    [`Contact: *, <${B}>`, "Expires: 0"],
  ])
    test(`${headers.join(" / ")}: 400, nothing changed`, () => {
      const { world, alice } = rig();
      register(alice, [`Contact: <${A}>`]);
      expect(register(alice, headers).status).toBe(400);
      expect(bound(world)).toEqual([A]);
    });
  test("* with a lower CSeq of the same Call-ID: refused, nothing changed", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 5 });
    expect(
      register(alice, ["Contact: *", "Expires: 0"], { callId: "same", cseq: 4 }).status,
    ).toBeGreaterThanOrEqual(400);
    expect(bound(world)).toEqual([A]);
  });
});

describe("RFC 3261 §10.3 step 7 the lifetime", () => {
  const expiresOf = (headers: readonly string[], toml = "") => {
    const [contact] = contacts(register(rig(toml).alice, headers));
    return Number(/;expires=(\d+)/.exec(contact ?? "")?.[1]);
  };
  const cases: readonly [string, readonly string[], number][] = [
    ["none named: the default", [`Contact: <${A}>`], 3600],
    ["the Expires header", [`Contact: <${A}>`, "Expires: 300"], 300],
    ["the parameter before the header", [`Contact: <${A}>;expires=120`, "Expires: 300"], 120],
    ["more than the maximum: the maximum", [`Contact: <${A}>`, "Expires: 1000000"], 3600],
    ["2^32 and more", [`Contact: <${A}>`, "Expires: 99999999999999999999"], 3600],
    ["no number counts as one hour (§10.2.1.1)", [`Contact: <${A}>;expires=soon`, "Expires: 300"], 3600],
    ["exactly the minimum", [`Contact: <${A}>;expires=60`], 60],
    ["EXPIRES in capitals", [`Contact: <${A}>;EXPIRES=90`], 90],
  ];
  for (const [name, headers, expected] of cases) test(name, () => expect(expiresOf(headers)).toBe(expected));

  test("less than the minimum: 423 with Min-Expires, nothing changed", () => {
    const { world, alice } = rig();
    const answer = register(alice, [`Contact: <${B}>;expires=3600`, `Contact: <${A}>;expires=59`]);
    expect(answer.status).toBe(423);
    expect(text(answer)).toContain("\r\nMin-Expires: 60\r\n");
    expect(bound(world)).toEqual([]);
  });

  test("configured limits count", () => {
    const toml = "[registrar]\nmin_expires_s = 100\nmax_expires_s = 1000\ndefault_expires_s = 500\n";
    expect(expiresOf([`Contact: <${A}>`], toml)).toBe(500);
    expect(expiresOf([`Contact: <${A}>;expires=5000`], toml)).toBe(1000);
    expect(register(rig(toml).alice, [`Contact: <${A}>;expires=99`]).status).toBe(423);
  });

  test("expires=0 removes that contact, and only that", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>, <${B}>`]);
    expect(contacts(register(alice, [`Contact: <${A}>;expires=0`]))).toEqual([`<${B}>;expires=3600`]);
    expect(bound(world)).toEqual([B]);
  });

  test("expires=0 for a contact that is not there is no error", () => {
    const { alice } = rig();
    expect(register(alice, [`Contact: <${A}>;expires=0`]).status).toBe(200);
  });

  test("a binding ends by itself, not a second earlier", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;expires=60`]);
    world.run(59_000);
    expect(bound(world)).toEqual([A]);
    world.run(1_100);
    expect(bound(world)).toEqual([]);
    expect(contacts(register(alice, []))).toEqual([]);
  });

  test("the answer never says more seconds than are left, rounded up to whole ones", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;expires=100`]);
    world.run(1_500);
    const [contact] = contacts(register(alice, []));
    expect(contact).toBe(`<${A}>;expires=99`);
  });
});

describe("RFC 3261 §10.3 step 7 order by Call-ID and CSeq", () => {
  test("a lower CSeq of the same Call-ID: refused, nothing changed", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 10 });
    const before = world.store.bindings("alice");
    expect(register(alice, [`Contact: <${A}>;expires=0`], { callId: "same", cseq: 9 }).status).toBe(400);
    expect(world.store.bindings("alice")).toBe(before);
  });
  test("a higher one passes; another Call-ID with any CSeq too (the phone was restarted)", () => {
    const { alice } = rig();
    register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 10 });
    expect(register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 11 }).status).toBe(200);
    expect(register(alice, [`Contact: <${A}>`], { callId: "after-restart", cseq: 1 }).status).toBe(200);
  });
  test("all or nothing: one contact out of order spoils the request", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 10 });
    expect(register(alice, [`Contact: <${B}>, <${A}>`], { callId: "same", cseq: 9 }).status).toBe(400);
    expect(bound(world)).toEqual([A]);
  });
  test("the same REGISTER again, in a new transaction, is answered the same", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 10 });
    expect(register(alice, [`Contact: <${A}>`], { callId: "same", cseq: 10 }).status).toBe(200);
    expect(bound(world)).toEqual([A]);
  });
  test("a refresh keeps one binding and moves its end", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;expires=100`], { callId: "same", cseq: 1 });
    world.run(90_000);
    expect(contacts(register(alice, [`Contact: <${A}>;expires=100`], { callId: "same", cseq: 2 }))).toEqual([
      `<${A}>;expires=100`,
    ]);
  });
});

describe("RFC 3261 §10.3 step 7 which contact is the same (§19.1.4)", () => {
  for (const [one, other, same] of [
    ["sip:alice@Host.test", "sip:alice@hOST.test", true],
    ["sip:alice@h.test;transport=tcp", "sip:alice@h.test;TRANSPORT=TCP", true],
    ["sip:%61lice@h.test", "sip:alice@h.test", true],
    ["sip:alice@h.test;x=1", "sip:alice@h.test", true],
    ["sip:alice@h.test", "sip:alice@h.test:5060", false],
    ["sip:alice@h.test", "sip:ALICE@h.test", false],
    ["sip:alice@h.test", "sips:alice@h.test", false],
    ["sip:alice@h.test;transport=udp", "sip:alice@h.test", false],
    ["sip:alice@h.test;x=1", "sip:alice@h.test;x=2", false],
  ] as const)
    test(`${one} and ${other}: ${same ? "one binding" : "two"}`, () => {
      const { world, alice } = rig();
      register(alice, [`Contact: <${one}>`]);
      register(alice, [`Contact: <${other}>`]);
      expect(bound(world)).toHaveLength(same ? 1 : 2);
    });
});

describe("RFC 3261 §20.10 the Contact header", () => {
  test("several in one line and in several lines, with names and quotes", () => {
    const { alice } = rig();
    const answer = register(alice, [
      `Contact: "Alice, at work; <x>" <${A}>;q=0.5, <${B}>`,
      "m: sip:alice@198.51.100.7:5080;expires=300",
    ]);
    expect(contacts(answer).toSorted()).toEqual(
      [
        `<${A}>;q=0.5;expires=3600`,
        `<${B}>;expires=3600`,
        "<sip:alice@198.51.100.7:5080>;expires=300",
      ].toSorted(),
    );
  });
  for (const q of ["0", "0.", "0.123", "1", "1.0", "1.000"])
    test(`q=${q} is taken`, () => expect(register(rig().alice, [`Contact: <${A}>;q=${q}`]).status).toBe(200));
  for (const q of ["1.1", "2", "-1", "0.1234", "x", ""])
    test(`q=${q}: 400, nothing changed`, () => {
      const { world, alice } = rig();
      expect(register(alice, [`Contact: <${B}>, <${A}>;q=${q}`]).status).toBe(400);
      expect(bound(world)).toEqual([]);
    });
  for (const contact of ["<nonsense>", "<sip:>", "<sip:alice@198.51.100.7", ""])
    test(`Contact: ${contact}: 400, nothing changed`, () => {
      const { world, alice } = rig();
      const answer = register(alice, [`Contact: <${B}>`, `Contact: ${contact}`]);
      expect(answer.status).toBe(400);
      expect(bound(world)).toEqual([]);
    });
  test("other parameters come back as they were", () => {
    const { alice } = rig();
    const params =
      ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";methods="INVITE,ACK";audio';
    const answer = register(alice, [`Contact: <${A}>${params};q=0.3;expires=70`]);
    expect(contacts(answer)).toEqual([`<${A}>;q=0.3;expires=70${params}`]);
  });
  test("what looks like q or expires inside a quoted parameter is left alone", () => {
    const { alice } = rig();
    const answer = register(alice, [`Contact: <${A}>;+x="a;q=1;expires=5;b"`]);
    expect(contacts(answer)).toEqual([`<${A}>;expires=3600;+x="a;q=1;expires=5;b"`]);
  });
});

describe("RFC 3261 §10.3 step 8 the 200", () => {
  test("lists every binding, with a Date (§20.17) and a To tag", () => {
    const { alice } = rig();
    register(alice, [`Contact: <${A}>`]);
    const answer = register(alice, [`Contact: <${B}>`]);
    expect(contacts(answer)).toHaveLength(2);
    expect(answer.text(H.Date)).toMatch(
      /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/,
    );
    expect(answer.toTag).not.toBeNull();
  });
  test("a repeated REGISTER is answered from its transaction: nothing is stored twice", () => {
    const { world, alice } = rig();
    const sent = alice.request("REGISTER", "sip:example.test", { to: "<sip:alice@example.test>" });
    const before = world.store.bindings("alice");
    alice.send(sent);
    world.run(20);
    expect(alice.host.statuses()).toEqual([200, 200]);
    expect(world.store.bindings("alice")).toBe(before);
  });
});

describe("registrar.max_contacts", () => {
  const TOML = "[registrar]\nmax_contacts = 2\n";
  test("one more: refused, nothing changed; a refresh and a removal pass", () => {
    const { world, alice } = rig(TOML);
    register(alice, [`Contact: <${A}>, <${B}>`]);
    const answer = register(alice, ["Contact: <sip:alice@198.51.100.7:5080>"]);
    expect(answer.status).toBe(403);
    expect(bound(world)).toEqual([A, B]);
    expect(register(alice, [`Contact: <${A}>`]).status).toBe(200);
    const swapped = register(alice, [`Contact: <${A}>;expires=0, <sip:alice@198.51.100.7:5080>`]);
    expect([swapped.status, bound(world).length]).toEqual([200, 2]);
  });
  test("more at once than allowed: refused", () => {
    const { world, alice } = rig(TOML);
    const many = [5060, 5061, 5062].map((port) => `<sip:alice@198.51.100.7:${port}>`).join(", ");
    expect(register(alice, [`Contact: ${many}`]).status).toBe(403);
    expect(bound(world)).toEqual([]);
  });
  test("bindings that have ended make room", () => {
    const { world, alice } = rig(TOML);
    register(alice, [`Contact: <${A}>;expires=60, <${B}>;expires=60`]);
    world.run(61_000);
    expect(register(alice, ["Contact: <sip:alice@198.51.100.7:5080>"]).status).toBe(200);
  });
});

const INSTANCE = '+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"';
const OTHER = '+sip.instance="<urn:uuid:00000000-7dec-11d0-a765-00a0c91e6bf6>"';

describe("RFC 5626 §6 devices", () => {
  test("instance and reg-id: the same pair replaces, whatever its Contact", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE};reg-id=1`]);
    register(alice, [`Contact: <${B}>;${INSTANCE};reg-id=1`]);
    expect(bound(world)).toEqual([B]);
  });
  test("another reg-id is another flow of the same device", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE};reg-id=1`]);
    register(alice, [`Contact: <${B}>;${INSTANCE};reg-id=2`]);
    expect(bound(world)).toHaveLength(2);
  });
  test("another instance is another device", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE}`]);
    register(alice, [`Contact: <${B}>;${OTHER}`]);
    expect(bound(world)).toHaveLength(2);
  });
  test("a device without reg-id that moved to another address replaces its old binding", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE}`]);
    world.run(1000);
    const answer = register(alice, [`Contact: <${B}>;${INSTANCE}`]);
    expect(contacts(answer)).toHaveLength(1);
    expect(bound(world)).toEqual([B]);
  });
  test("a device that names both its addresses keeps both", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE}`]);
    world.run(1000);
    register(alice, [`Contact: <${A}>;${INSTANCE}`, `Contact: <${B}>;${INSTANCE}`]);
    expect(bound(world)).toHaveLength(2);
  });
  test("removing by instance and reg-id", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>;${INSTANCE};reg-id=1`]);
    register(alice, [`Contact: <${B}>;${INSTANCE};reg-id=1;expires=0`]);
    expect(bound(world)).toEqual([]);
  });
  test("a reg-id without instance, or that is no number, counts as none (§6)", () => {
    const { world, alice } = rig();
    expect(register(alice, [`Contact: <${A}>;reg-id=1`]).status).toBe(200);
    expect(register(alice, [`Contact: <${B}>;${INSTANCE};reg-id=zero`]).status).toBe(200);
    expect(world.store.bindings("alice").map((each) => each.reg_id)).not.toContain(0);
  });
});

describe("RFC 3327 Path", () => {
  const PATH = ["Path: <sip:p1.test;lr>, <sip:p2.test;lr>;x=1", 'Path: "A, b" <sip:p3.test;lr>'];
  test("is stored in order and repeated in the 200 (§5.3)", () => {
    const { world, alice } = rig();
    const answer = register(alice, [`Contact: <${A}>`, "Supported: path", ...PATH]);
    const wanted = ["<sip:p1.test;lr>", "<sip:p2.test;lr>;x=1", '"A, b" <sip:p3.test;lr>'];
    expect(entries(answer, H.Path)).toEqual(wanted);
    expect(world.store.bindings("alice")[0]!.path).toEqual(wanted);
  });
  test("longer than any site is deep: 513, nothing changed; as long as may be: stored", () => {
    const { alice, world } = rig();
    const path = (length: number) => `Path: ${Array(length).fill("<sip:p.test;lr>").join(", ")}`;
    expect(register(alice, [`Contact: <${A}>`, path(PATH_ENTRIES_MAX + 1)]).status).toBe(513);
    expect(world.store.size).toBe(0);
    expect(register(alice, [`Contact: <${A}>`, path(PATH_ENTRIES_MAX)]).status).toBe(200);
    expect(world.store.size).toBe(1);
  });
  test("a refresh without Path removes it", () => {
    const { world, alice } = rig();
    register(alice, [`Contact: <${A}>`, ...PATH]);
    register(alice, [`Contact: <${A}>`]);
    expect(world.store.bindings("alice")[0]!.path).toEqual([]);
  });
  for (const path of ["<nonsense>", "<sip:p.test", ""])
    test(`a Path of "${path}": 400, nothing changed`, () => {
      const { world, alice } = rig();
      expect(register(alice, [`Contact: <${A}>`, `Path: ${path}`]).status).toBe(400);
      expect(bound(world)).toEqual([]);
    });
});

describe("RFC 3261 §10.3 step 7 a store that fails", () => {
  for (const code of ["full", "readonly", "corrupt", "busy", "io", "full_table"] as StoreFailureCode[])
    test(`${code}: 503 with Retry-After, nothing changed, and it works again afterwards`, () => {
      const { world, alice } = rig();
      register(alice, [`Contact: <${A}>`]);
      const replace = world.store.replace.bind(world.store);
      world.store.replace = (_aor, _next, done) =>
        world.clock.atTurnEnd(() => done({ code, message: "test" }));
      const answer = register(alice, [`Contact: <${B}>`]);
      expect(answer.status).toBe(503);
      expect(text(answer)).toMatch(/\r\nRetry-After: [1-9]\d*\r\n/);
      expect(text(answer)).not.toContain("\r\nContact:");
      expect(bound(world)).toEqual([A]);
      world.store.replace = replace;
      expect(register(alice, [`Contact: <${B}>`]).status).toBe(200);
    });

  test("the 200 leaves only after the store said so", () => {
    const { world, alice } = rig();
    let stored: (failure: null) => void = () => {};
    world.store.replace = (_aor, _next, done) => {
      stored = done;
    };
    alice.request("REGISTER", "sip:example.test", { to: "<sip:alice@example.test>" });
    world.run(5000);
    expect(alice.statuses("REGISTER")).toEqual([]);
    stored(null);
    world.run(20);
    expect(alice.statuses("REGISTER")).toEqual([200]);
  });

  test("limits.bindings_max: 503, those who are there may refresh", () => {
    const { world, alice } = rig("[limits]\nbindings_max = 1\n");
    register(alice, [`Contact: <${A}>`]);
    expect(register(alice, [`Contact: <${B}>`]).status).toBe(503);
    expect(register(alice, [`Contact: <${A}>`]).status).toBe(200);
    expect(bound(world)).toEqual([A]);
  });
});

describe("RFC 3261 §10.2.1 a contact that is no SIP URI", () => {
  test("is kept beside the others and told in the 200 (RFC 3665 §2.2), and never called", () => {
    const { world, alice } = rig();
    const bob = new Phone(world, "bob", "198.51.100.8");
    const answer = register(alice, [`Contact: <${alice.contact}>, <mailto:alice@biloxi.example.com>`]);
    expect([answer.status, contacts(answer).length]).toEqual([200, 2]);
    bob.request("MESSAGE", "sip:alice@example.test");
    expect(alice.count("MESSAGE")).toBe(1);
  });

  test("alone it makes nobody reachable: 480", () => {
    const { world, alice } = rig();
    const bob = new Phone(world, "bob", "198.51.100.8");
    register(alice, ["Contact: <tel:+4930123>"]);
    bob.request("MESSAGE", "sip:alice@example.test");
    expect(bob.last().status).toBe(480);
  });
});
