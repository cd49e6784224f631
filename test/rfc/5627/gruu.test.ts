/** RFC 5627: public GRUUs, which mean one phone of a user. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import type { SipMessage } from "../../../src/message/sip-message.ts";
import { entries, inside, lab, Phone, setUp, text } from "../../proxy/kit.ts";
import { behindNat, registerFlow, URN } from "../../support/natted-phones.ts";

const gruuIn = (answer: SipMessage, contact = 0) =>
  /;pub-gruu="([^"]*)"/.exec(entries(answer, H.Contact)[contact] ?? "")?.[1] ?? null;

/** Alice's desk and mobile phone, and a caller. */
function rig() {
  const world = lab();
  const { phone: desk } = behindNat(world, "198.51.100.20", "alice");
  const { phone: mobile } = behindNat(world, "198.51.100.21", "alice");
  const carol = new Phone(world, "carol", "198.51.100.9");
  const gruu = gruuIn(registerFlow(desk, { instance: URN, reg_id: null, callId: "desk" }))!;
  registerFlow(mobile, { instance: "urn:uuid:mobile", reg_id: null, callId: "mobile" });
  return { world, desk, mobile, carol, gruu };
}

describe("RFC 5627 §5.1, B-03 what the registrar gives", () => {
  test("the address-of-record with the instance as gr", () =>
    expect(rig().gruu).toBe(`sip:alice@example.test;gr=${URN}`));

  test("the same one after a refresh, another Contact and another flow", () => {
    const { desk, gruu } = rig();
    const answer = registerFlow(desk, {
      reg_id: 1,
      callId: "desk",
      cseq: 2,
      contact: "sip:alice@192.168.1.10:5099",
    });
    const all = entries(answer, H.Contact).filter((entry) => entry.includes(URN));
    for (const entry of all) expect(entry).toContain(`;pub-gruu="${gruu}"`);
    expect(all.length).toBeGreaterThan(0);
  });

  for (const [name, options] of [
    ["to whom does not support it", { supported: "path, outbound" }],
    ["for a Contact without an instance", { instance: null }],
  ] as const)
    test(`none ${name}`, () => {
      const world = lab();
      const { phone } = behindNat(world, "198.51.100.20", "alice");
      expect(text(registerFlow(phone, options))).not.toContain("gruu");
    });

  test("each Contact has its own", () => {
    const { world, mobile } = rig();
    const answer = registerFlow(mobile, {
      instance: "urn:uuid:mobile",
      reg_id: null,
      callId: "mobile",
      cseq: 2,
    });
    const given = [gruuIn(answer, 0), gruuIn(answer, 1)].toSorted();
    expect(given).toEqual([`sip:alice@example.test;gr=${URN}`, "sip:alice@example.test;gr=urn:uuid:mobile"]);
    expect(world.store.bindings("alice")).toHaveLength(2);
  });

  test("what a phone itself writes there is ignored", () => {
    const world = lab();
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    phone.request("REGISTER", "sip:example.test", {
      to: "<sip:alice@example.test>",
      headers: [
        `Contact: <${phone.contact}>;+sip.instance="<${URN}>";pub-gruu="sip:evil@evil.test;gr=x";temp-gruu="sip:t@evil.test;gr"`,
        "Supported: gruu",
      ],
    });
    expect(phone.last().status).toBe(200);
    expect(text(phone.last())).not.toContain("evil");
    expect(text(phone.last()).match(/pub-gruu/g)).toHaveLength(1);
  });

  test("a Contact that is the GRUU itself would go round: 403", () => {
    const world = lab();
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    const answer = registerFlow(phone, { reg_id: null, contact: `sip:alice@example.test;gr=${URN}` });
    expect(answer.status).toBe(403);
    expect(world.store.bindings("alice")).toEqual([]);
  });

  test("IPv6 and a user with escapes", () => {
    const world = lab();
    const { phone } = behindNat(world, "198.51.100.20", "alice");
    phone.request("REGISTER", "sip:example.test", {
      to: "<sip:a%22b@[2001:db8::1]>",
      headers: [`Contact: <${phone.contact}>;+sip.instance="<${URN}>"`, "Supported: gruu"],
    });
    expect(phone.last().status).toBe(200);
    expect(gruuIn(phone.last())).toBe(`sip:a%22b@[2001:db8::1];gr=${URN}`);
  });
});

describe("RFC 5627 §5.4, B-03 calls to a GRUU", () => {
  test("only that phone rings", () => {
    const { desk, mobile, carol, gruu } = rig();
    carol.request("INVITE", gruu);
    expect([desk.count("INVITE"), mobile.count("INVITE")]).toEqual([1, 0]);
    expect(desk.incoming("INVITE").uriText).toBe(desk.contact);
  });

  test("the plain address rings both", () => {
    const { desk, mobile, carol } = rig();
    carol.request("INVITE", "sip:alice@example.test");
    expect([desk.count("INVITE"), mobile.count("INVITE")]).toEqual([1, 1]);
  });

  for (const gr of [URN.toLowerCase(), URN.toUpperCase().replace("URN:UUID", "urn:uuid")])
    test(`the case of a UUID does not count: ${gr}`, () => {
      const { desk, mobile, carol } = rig();
      carol.request("INVITE", `sip:alice@example.test;gr=${gr}`);
      expect([desk.count("INVITE"), mobile.count("INVITE")]).toEqual([1, 0]);
    });

  test("in escapes, by another name of ours, among other parameters", () => {
    const { desk, mobile, carol } = rig();
    for (const [i, uri] of [
      `sip:alice@example.test;gr=${URN.replaceAll(":", "%3A")}`,
      `sip:alice@192.0.2.1;gr=${URN}`,
      `sip:alice@example.test;x=y;GR=${URN};z`,
    ].entries())
      carol.request("INVITE", uri, { callId: `call-${i}` });
    expect([desk.count("INVITE"), mobile.count("INVITE")]).toEqual([3, 0]);
  });

  for (const gr of ["urn:uuid:nobody", `${URN}0`, URN.slice(0, -1), "%25", "*"])
    test(`an instance that is not here (${gr}): 480, and nobody rings`, () => {
      const { desk, mobile, carol } = rig();
      carol.request("INVITE", `sip:alice@example.test;gr=${gr}`);
      expect(carol.statuses("INVITE")).toEqual([480]);
      expect([desk.count("INVITE"), mobile.count("INVITE")]).toEqual([0, 0]);
    });

  for (const instance of [
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "urn:esn:a%3Bb",
    "urn:x-odd:a;b=c?d&e@f",
    "urn:x-odd:100% (yes)",
    "urn:x-odd:caf\u00e9",
  ])
    test(`the instance ${instance} comes through its GRUU as it was`, () => {
      const world = lab();
      const { phone } = behindNat(world, "198.51.100.20", "alice");
      const carol = new Phone(world, "carol", "198.51.100.9");
      const gruu = gruuIn(registerFlow(phone, { instance, reg_id: null }))!;
      expect(gruu).toMatch(/^sip:alice@example\.test;gr=[!-~]+$/);
      expect(gruu.slice(gruu.indexOf(";gr=") + 4)).not.toMatch(/[<>"@?;]/);
      carol.request("INVITE", gruu);
      expect(phone.count("INVITE")).toBe(1);
    });

  test("both flows of the phone stand behind one GRUU, one of them rings", () => {
    const world = lab();
    const { phone: wifi } = behindNat(world, "198.51.100.20", "alice");
    const { phone: cell } = behindNat(world, "198.51.100.21", "alice");
    const carol = new Phone(world, "carol", "198.51.100.9");
    registerFlow(wifi, { reg_id: 1 });
    world.run(1000);
    const gruu = gruuIn(registerFlow(cell, { reg_id: 2 }))!;
    carol.request("INVITE", gruu);
    expect([wifi.count("INVITE"), cell.count("INVITE")]).toEqual([0, 1]);
  });

  for (const method of ["MESSAGE", "SUBSCRIBE", "OPTIONS", "REFER"])
    test(`${method} goes to that phone, too`, () => {
      const { desk, mobile, carol, gruu } = rig();
      carol.request(method, gruu);
      expect([desk.count(method), mobile.count(method)]).toEqual([1, 0]);
    });
});

describe("RFC 5627 §4.4, B-03 a GRUU as the remote target of a dialog", () => {
  function call() {
    const parts = rig();
    const { desk, carol, gruu } = parts;
    // Alice's desk phone calls, with its GRUU as Contact.
    carol.register();
    const call = setUp(desk, carol, { headers: [`Contact: <${gruu}>`], callId: "with a gruu" });
    return { ...parts, ...call };
  }

  test("BYE, re-INVITE and its ACK arrive at that phone, with the Contact it registered", () => {
    const { desk, mobile, carol, callee, gruu } = call();
    expect(callee.target).toBe(gruu);
    carol.request("INVITE", callee.target, inside(callee, { cseq: 5 }));
    expect(desk.incoming("INVITE").uriText).toBe(desk.contact);
    desk.answer(desk.incoming("INVITE"), 200);
    carol.request("ACK", callee.target, inside(callee, { cseq: 5 }));
    expect(desk.count("ACK")).toBe(1);
    carol.request("BYE", callee.target, inside(callee, { cseq: 6 }));
    expect(desk.count("BYE")).toBe(1);
    expect(mobile.got.filter((message) => message.isRequest)).toEqual([]);
  });

  test("a callee that answers with its GRUU gets the ACK and the BYE", () => {
    const { desk, mobile, carol, gruu } = rig();
    carol.request("INVITE", gruu);
    desk.answer(desk.incoming("INVITE"), 200, { headers: [`Contact: <${gruu}>`] });
    const answer = carol.last();
    const dialog = {
      callId: answer.callId!,
      route: entries(answer, H.RecordRoute).toReversed(),
      target: gruu,
      from: "<sip:carol@example.test>",
      fromTag: answer.fromTag!,
      to: `<${gruu}>`,
      toTag: answer.toTag!,
    };
    carol.request("ACK", gruu, inside(dialog));
    carol.request("BYE", gruu, inside(dialog, { cseq: 2 }));
    expect([desk.count("ACK"), desk.count("BYE")]).toEqual([1, 1]);
    expect([mobile.count("ACK"), mobile.count("BYE")]).toEqual([0, 0]);
  });

  test("no open relay: a stranger's request to a GRUU reaches that phone or nobody", () => {
    const { world, desk, mobile, gruu } = rig();
    const third = new Phone(world, "third", "203.0.113.77");
    const evil = new Phone(world, "evil", "203.0.113.66");
    for (const uri of [`${gruu};maddr=203.0.113.77`, `sip:alice@203.0.113.77;gr=${URN}`])
      for (const toTag of [undefined, "x"])
        evil.request("INVITE", uri, {
          from: "<sip:evil@evil.test>",
          callId: `${uri}${toTag}`,
          ...(toTag === undefined ? {} : { toTag }),
        });
    expect(third.got).toHaveLength(0);
    expect(desk.count("INVITE") + mobile.count("INVITE")).toBeLessThanOrEqual(2);
  });
});
