/** ARC-45, SVC-14, CNV-04: a thief with a stolen password looks for a way to dear numbers, on the whole appliance. */
import { describe, expect, test } from "bun:test";
import { NO_FORWARDS } from "../../src/location/forwards.ts";
import { H } from "../../src/message/header-names.ts";
import { credentials } from "../auth/credentials.ts";
import type { RequestOptions } from "../proxy/kit.ts";
import { callerDialog, inside, Phone } from "../proxy/kit.ts";
import { World } from "../support/world.ts";

const CARRIER = "203.0.113.81";
const DEAR = "09001234";
const SITE = `
[emergency]
numbers = ["112"]
to = "sip:112@${CARRIER}"
[[peer]]
name = "carrier"
uris = ["sip:${CARRIER}"]
networks = ["${CARRIER}/32"]
probe_s = 0
[[route]]
name = "out"
to = ["peer:carrier"]
[[screen]]
name = "no-premium"
numbers = ["0900."]
`;

/** Bob's password is known to a phone elsewhere; the carrier takes whatever reaches it. */
function theft(toml = "") {
  const calls = toml.includes("[calls]") ? "" : "[calls]\nfollow_redirects = true\n";
  const world = new World({ toml: `${calls}${toml}${SITE}` });
  world.account("bob", "stolen");
  const thief = new Phone(world, "bob", "203.0.113.66");
  const carrier = new Phone(world, "carrier", CARRIER);
  let calls_made = 0;
  /** One call from its first INVITE to the answer that is no challenge; gives the status of that. */
  const dial = (uri: string, options: RequestOptions = {}) => {
    const callId = options.callId ?? `theft-${++calls_made}`;
    const { headers = [`Contact: <${thief.contact}>`] } = options;
    const challenged = thief.request("INVITE", uri, { ...options, callId });
    const challenge = thief.answers("INVITE").at(-1)!;
    thief.ackRefusal(challenged, challenge);
    const proof = credentials(challenge.text(H.ProxyAuthenticate) ?? "", {
      username: "bob",
      password: "stolen",
      method: "INVITE",
      uri,
    });
    const more = { callId, cseq: 2, headers: [...headers, `Proxy-Authorization: ${proof}`] };
    thief.request("INVITE", uri, { ...options, ...more });
    return thief.answers("INVITE").at(-1)?.status ?? 0;
  };
  /** What the carrier was asked for, as numbers. */
  const bought = () => [
    ...new Map(
      carrier.got
        .filter(({ method }) => method === "INVITE")
        .map((invite) => [invite.callId, invite.uriText ?? ""]),
    ).values(),
  ];
  return { world, thief, carrier, dial, bought };
}

const answering = (carrier: Phone) => {
  carrier.on = (message, phone) => {
    if (message.method === "INVITE") phone.reply(message, 200);
  };
};

describe("ARC-45, SVC-14 every spelling and every way of a number that is screened", () => {
  for (const [what, uri, headers] of [
    ["dialled", `sip:${DEAR}@example.test`, []],
    ["dialled as tel:", `tel:${DEAR};phone-context=example.test`, []],
    ["with visual separators", "sip:0900-12.34@example.test", []],
    ["with escapes", "sip:%30900%31234@example.test", []],
    ["with an escaped blank", "sip:0900%201234@example.test", []],
    ["with an escaped slash", "sip:0900%2F1234@example.test", []],
    ["with a letter behind it", `sip:${DEAR}a@example.test`, []],
    ["with parameters of its own", `sip:${DEAR};isub=1@example.test`, []],
    ["at the carrier itself", `sip:${DEAR}@${CARRIER}`, []],
    ["by a loose Route to the carrier", `sip:${DEAR}@example.test`, [`Route: <sip:${CARRIER};lr>`]],
    ["by a strict Route to the carrier", "sip:alice@example.test", [`Route: <sip:${DEAR}@${CARRIER}>`]],
  ] as const)
    test(`${what}: nothing reaches the carrier`, () => {
      const { dial, bought, thief } = theft();
      dial(uri, { headers: [`Contact: <${thief.contact}>`, ...headers] });
      expect(bought()).toEqual([]);
    });

  test("a number that is not screened goes out: the tests above would see one", () => {
    const { dial, bought } = theft();
    dial("sip:0301234@example.test");
    expect(bought()).toEqual([`sip:0301234@${CARRIER}`]);
  });
});

describe("ARC-45 ways round through what a user may set", () => {
  const stranger = (world: World) => new Phone(world, "stranger", "203.0.113.9");
  const OPEN = "[calls]\naccept_foreign_callers = true\nfollow_redirects = true\n";
  const callBob = (phone: Phone) =>
    phone.request("INVITE", "sip:bob@example.test", { from: "<sip:stranger@elsewhere.test>" });

  for (const [what, to] of [
    ["to a number here", DEAR],
    ["to a URI at the carrier", `sip:${DEAR}@${CARRIER}`],
  ] as const)
    test(`a forward ${what} is a call of the user who set it`, () => {
      const { world, bought } = theft(OPEN);
      world.forwards.set("bob", { ...NO_FORWARDS, always: to });
      callBob(stranger(world));
      expect(bought()).toEqual([]);
      expect(world.counter("sipedge_calls_screened_total", { rule: "no-premium" })).toBe(1);
    });

  test("a forward when nobody picks up, too", () => {
    const { world, thief, bought } = theft(OPEN);
    world.forwards.set("bob", { ...NO_FORWARDS, not_registered: `sip:${DEAR}@${CARRIER}` });
    callBob(stranger(world));
    expect([bought(), thief.count("INVITE")]).toEqual([[], 0]);
  });

  test("a phone of its own at the carrier", () => {
    const { world, thief, dial, bought } = theft();
    const register = (cseq: number, headers: readonly string[]) =>
      thief.request("REGISTER", "sip:example.test", {
        to: "<sip:bob@example.test>",
        callId: "reg",
        cseq,
        headers: [`Contact: <sip:${DEAR}@${CARRIER}>`, "Expires: 600", ...headers],
      });
    register(1, []);
    const proof = credentials(thief.last().text(H.WwwAuthenticate) ?? "", {
      username: "bob",
      password: "stolen",
      method: "REGISTER",
      uri: "sip:example.test",
    });
    register(2, [`Authorization: ${proof}`]);
    dial("sip:bob@example.test");
    expect([bought(), world.banned]).toEqual([[], []]);
  });

  test("a phone that answers 302 with the number, to a caller who may be forwarded anywhere", () => {
    const { world, bought } = theft('[auth]\ntrusted_networks = ["198.51.100.0/24"]\n');
    const carol = new Phone(world, "carol", "198.51.100.67");
    carol.register();
    carol.on = (message) => {
      if (message.method === "INVITE")
        carol.reply(message, 302, { headers: [`Contact: <sip:${DEAR}@${CARRIER}>`] });
    };
    const dave = new Phone(world, "dave", "198.51.100.68");
    dave.request("INVITE", "sip:carol@example.test");
    expect([bought(), dave.last().status]).toEqual([[], 302]); // the caller may dial it, in its own name
  });

  test("a number that a route makes of another", () => {
    const { dial, bought } = theft(
      '[[route]]\nname = "cheap"\nnumbers = ["7x."]\nstrip = 1\nlast = true\nto = ["peer:carrier"]\n',
    );
    expect(dial(`sip:7${DEAR}@example.test`)).toBe(403);
    dial("sip:70301@example.test");
    expect(bought().length).toBe(1);
  });
});

describe("ARC-45 limits that a thief tries to slip under", () => {
  const AT_ONCE = "[calls]\ncalls_at_once_max = 2\n";

  test("the eleventh call in a minute is refused, counted and recorded", () => {
    const { world, dial, bought } = theft("[calls]\ncalls_per_minute_max = 10\n");
    const statuses = Array.from({ length: 11 }, (_, i) => dial(`sip:0301${i}@example.test`));
    expect([statuses.at(-1), bought().length]).toEqual([403, 10]);
    expect(world.counter("sipedge_calls_screened_total", { rule: "calls_per_minute_max" })).toBe(1);
    expect(world.records.at(-1)).toMatchObject({ status: 403, user: "bob", rule: "calls_per_minute_max" });
  });

  test("one Call-ID and tag for many calls", () => {
    const { carrier, dial, bought } = theft(AT_ONCE);
    answering(carrier);
    for (let i = 0; i < 5; i++) dial(`sip:0301${i}@example.test`, { callId: "same", branch: `z9hG4bKs${i}` });
    expect(bought().length).toBeLessThanOrEqual(2);
  });

  describe("a BYE frees no line while the carrier still bills", () => {
    for (const [what, status, refused] of [
      ["with a tag that is none", 481, { toTag: "made-up" }],
      ["that the carrier cannot take", 500, {}],
      ["that never reaches it", null, { blackHole: true }],
      ["in the name of the carrier, to itself", null, { asCallee: true }],
    ] as const)
      test(what, () => {
        const { world, thief, carrier, dial, bought } = theft(AT_ONCE);
        const hole = new Phone(world, "hole", "203.0.113.99");
        const hungUp = new Set<string>();
        carrier.on = (message, phone) => {
          if (message.method === "INVITE")
            phone.reply(message, 200, { headers: [`Contact: <${carrier.contact}>`] });
          if (message.method !== "BYE") return;
          const isOurs = message.texts(H.Via).length === 1;
          if (isOurs) hungUp.add(message.callId ?? "");
          phone.reply(message, isOurs ? 200 : (status ?? 200));
        };
        hole.on = (message, phone) => void (message.method === "BYE" && phone.reply(message, 200));
        for (let i = 0; i < 4; i++) {
          if (dial(`sip:0301${i}@example.test`) !== 200) continue;
          const dialog = callerDialog(thief.answers("INVITE").at(-1)!);
          const tag = "toTag" in refused ? { toTag: refused.toTag } : {};
          const uri = "blackHole" in refused ? hole.contact : dialog.target;
          if ("asCallee" in refused) {
            const { fromTag, toTag } = dialog;
            const turned = { ...dialog, fromTag: toTag, toTag: fromTag };
            hole.request("BYE", thief.contact, inside(turned, { cseq: 3 }));
            for (const bye of thief.got.filter(({ method }) => method === "BYE")) thief.reply(bye, 200);
          } else thief.request("BYE", uri, inside({ ...dialog, ...tag }, { cseq: 3 }));
          world.run(200);
        }
        // Either the line stays taken, or the carrier has been told by us that the call is over.
        expect(bought().length - hungUp.size).toBeLessThanOrEqual(2);
      });
  });

  test("CNV-04 with everything full, 112 passes, at home and not elsewhere", () => {
    const { carrier, dial, bought } = theft(
      '[calls]\ncalls_at_once_max = 1\ncalls_per_minute_max = 1\n[[screen]]\nname = "nothing"\n',
    );
    answering(carrier);
    expect(dial("sip:0301@example.test")).toBe(403);
    expect(dial("sip:112@example.test")).toBe(200);
    expect(dial("sip:112@dear.test")).toBe(403);
    expect(bought()).toEqual([`sip:112@${CARRIER}`]);
  });
});
