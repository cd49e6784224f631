/** Who is named as caller, and to whom (RFC 3325, RFC 3323): phones with passwords, a trusted PBX, a peer. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { accountUri } from "../../src/proxy/identity.ts";
import { credentials } from "../auth/credentials.ts";
import { callerDialog, inside, Phone, World } from "../proxy/kit.ts";

const GATEWAY = "203.0.113.81";
const TOML = `
[auth]
trusted_networks = ["10.20.0.5"]
[[peer]]
name = "carrier"
uris = ["sip:${GATEWAY}"]
networks = ["${GATEWAY}"]
identity = "asserted"
probe_s = 0
[[route]]
name = "out"
numbers = ["0."]
to = ["peer:carrier"]
`;
const PASSWORD = "wonderland";

/** alice and bob prove their accounts; the PBX is registered as 300 and trusted; the gateway is a peer. */
function rig() {
  const world = new World({ toml: TOML });
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  const pbx = new Phone(world, "300", "10.20.0.5");
  const gateway = new Phone(world, "gateway", GATEWAY);
  for (const phone of [alice, bob, pbx]) {
    world.account(phone.name, PASSWORD);
    ask(
      phone,
      "REGISTER",
      "sip:example.test",
      [`Contact: <${phone.contact}>`],
      `<sip:${phone.name}@example.test>`,
    );
  }
  return { world, alice, bob, pbx, gateway };
}

/** Sends a request, and once more with the password when it is challenged. */
function ask(phone: Phone, method: string, uri: string, headers: readonly string[], to = `<${uri}>`): void {
  const sent = phone.request(method, uri, { to, headers });
  const challenge = phone.got.at(-1);
  const [asked, name] =
    method === "REGISTER"
      ? ([H.WwwAuthenticate, "Authorization"] as const)
      : ([H.ProxyAuthenticate, "Proxy-Authorization"] as const);
  if (challenge?.status !== 401 && challenge?.status !== 407) return;
  if (method === "INVITE") phone.ackRefusal(sent, challenge);
  const value = credentials(challenge.texts(asked)[0]!, {
    username: phone.name,
    password: PASSWORD,
    method,
    uri,
  });
  phone.request(method, uri, { to, cseq: 2, headers: [...headers, `${name}: ${value}`] });
}

const ALICE = "<sip:alice@example.test>";
const KING = "<sip:king@elsewhere.test>";
const CLAIMS = [
  `P-Asserted-Identity: ${KING}`,
  "P-Asserted-Identity: <tel:+1>",
  `P-Preferred-Identity: ${KING}`,
  `Remote-Party-ID: ${KING};party=calling`,
];

/** The values of the three headers in the request that reached the phone. */
function named(phone: Phone, method = "INVITE"): string[] {
  const request = phone.incoming(method);
  return [H.PAssertedIdentity, H.PPreferredIdentity, H.RemotePartyId].flatMap((id) => [...request.texts(id)]);
}

describe("B-64 RFC 3325 §5 what a phone claims of itself", () => {
  test("does not reach another phone, with a password or without", () => {
    const { alice, bob } = rig();
    ask(alice, "INVITE", "sip:bob@example.test", CLAIMS);
    expect(named(bob)).toEqual([]);
    ask(alice, "MESSAGE", "sip:bob@example.test", CLAIMS);
    expect(named(bob, "MESSAGE")).toEqual([]);
  });

  test("nor inside a dialog", () => {
    const { alice, bob } = rig();
    ask(alice, "INVITE", "sip:bob@example.test", [`Contact: <${alice.contact}>`]);
    bob.answer(bob.incoming("INVITE"), 200);
    const dialog = callerDialog(alice.answers("INVITE").at(-1)!);
    alice.request("ACK", dialog.target, inside(dialog, { cseq: 2 }));
    alice.request("INFO", dialog.target, inside(dialog, { cseq: 3, headers: CLAIMS }));
    expect(named(bob, "INFO")).toEqual([]);
  });

  test("towards a trusted host and a peer stands the account that was proved in its place", () => {
    const { alice, pbx, gateway } = rig();
    ask(alice, "INVITE", "sip:300@example.test", CLAIMS);
    expect(named(pbx)).toEqual([ALICE]);
    ask(alice, "INVITE", "sip:0301234@example.test", CLAIMS);
    expect(named(gateway)).toEqual([ALICE]);
  });

  test("a caller who wants privacy is named to them all the same, and the wish goes along", () => {
    const { alice, pbx } = rig();
    ask(alice, "INVITE", "sip:300@example.test", ["Privacy: id"]);
    expect([named(pbx), pbx.incoming("INVITE").texts(H.Privacy)]).toEqual([[ALICE], ["id"]]);
  });
});

test("an account whose name would break the header is not named", () => {
  const named = ["alice", "+4930;x=1", "a>b", "a<b", "a@b", "a\r\nX: y"].map((user) =>
    accountUri(user, "d.test"),
  );
  expect(named).toEqual(["sip:alice@d.test", "sip:+4930;x=1@d.test", null, null, null, null]);
});

describe("B-64 RFC 3325 §7 what a trusted host or a peer says of the caller, towards a phone", () => {
  const cases: readonly [string | null, boolean][] = [
    [null, true],
    ["none", true],
    ["session", true],
    ["id", false],
    ["ID", false],
    ["user", false],
    ["header", false],
    ["critical; id", false],
    ["session,id", false],
  ];
  for (const [privacy, passes] of cases)
    test(`Privacy: ${privacy ?? "(absent)"}: ${passes ? "passes" : "is hidden"}`, () => {
      const { bob, pbx, gateway } = rig();
      const claim = `P-Asserted-Identity: ${KING}`;
      for (const sender of [pbx, gateway]) {
        bob.got.length = 0;
        const headers = privacy === null ? [claim] : [claim, `Privacy: ${privacy}`];
        sender.request("INVITE", "sip:bob@example.test", { from: KING, headers, callId: sender.name });
        expect(named(bob)).toEqual(passes ? [KING] : []);
      }
    });

  test("RFC 3323 §4.2 the wish in a second line counts as well", () => {
    const { bob, pbx } = rig();
    const headers = [...CLAIMS, "Privacy: session", "Privacy: id"];
    pbx.request("INVITE", "sip:bob@example.test", { from: KING, headers });
    expect(named(bob)).toEqual([]);
  });

  test("between trusted hosts it passes whatever the wish", () => {
    const { pbx, gateway } = rig();
    const headers = [`P-Asserted-Identity: ${KING}`, "Privacy: id"];
    gateway.request("INVITE", "sip:300@example.test", { from: KING, headers });
    expect(named(pbx)).toEqual([KING]);
  });
});
