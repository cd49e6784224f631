/** The registrar's part of RFC 5626 §6: which bindings are flows, and what the phone is told of them. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { entries, lab, Phone, text } from "../../proxy/kit.ts";
import { behindNat, registerFlow, URN } from "../../support/natted-phones.ts";

const ALICE = "alice@example.test";

function rig(toml = "") {
  const world = lab(toml);
  const { box, phone: alice } = behindNat(world, "198.51.100.20", "alice");
  const keys = () => world.store.bindings("alice").map(({ instance, reg_id }) => [instance, reg_id]);
  return { world, box, alice, keys };
}

describe("RFC 5626 §6, B-01 what is a flow", () => {
  test("a reg-id without an instance is ignored", () => {
    const { alice, keys, world } = rig();
    const answer = registerFlow(alice, { instance: null });
    expect(answer.status).toBe(200);
    expect(text(answer)).not.toMatch(/\r\n(Require|Flow-Timer):/);
    expect(keys()).toEqual([[null, null]]);
    registerFlow(alice, { instance: null, reg_id: 2 });
    expect(world.store.bindings("alice")).toHaveLength(1);
  });

  for (const reg_id of ["0", "-1", "x", "1.5", "", "00001", "99999999999"])
    test(`a reg-id that is none (${JSON.stringify(reg_id)}) names no flow`, () => {
      const { alice, keys } = rig();
      alice.request("REGISTER", "sip:example.test", {
        to: `<sip:${ALICE}>`,
        headers: [
          `Contact: <${alice.contact}>;+sip.instance="<${URN}>";reg-id=${reg_id}`,
          "Supported: outbound",
        ],
      });
      const answer = alice.last();
      if (answer.status === 200) {
        expect(text(answer)).not.toMatch(/\r\n(Require|Flow-Timer):/);
        expect(keys()).toEqual([[URN, null]]);
      } else expect(answer.status).toBe(400);
    });

  test("two reg-ids of one instance are two bindings, refreshed each for itself", () => {
    const { alice, keys, world } = rig();
    expect(registerFlow(alice, { reg_id: 1 }).status).toBe(200);
    expect(registerFlow(alice, { reg_id: 2 }).status).toBe(200);
    expect(keys()).toEqual([
      [URN, 1],
      [URN, 2],
    ]);
    const moved = registerFlow(alice, { reg_id: 1, cseq: 2, contact: "sip:alice@192.168.1.10:5070" });
    expect(entries(moved, H.Contact)).toHaveLength(2);
    const stored = world.store.bindings("alice").map(({ contact, reg_id }) => `${reg_id} ${contact}`);
    expect(stored.toSorted()).toEqual(["1 sip:alice@192.168.1.10:5070", `2 ${alice.contact}`]);
  });

  test("one flow is ended, the other one stays", () => {
    const { alice, keys } = rig();
    registerFlow(alice, { reg_id: 1 });
    registerFlow(alice, { reg_id: 2 });
    alice.request("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      callId: "reg-alice-1",
      cseq: 2,
      headers: [
        `Contact: <${alice.contact}>;+sip.instance="<${URN}>";reg-id=1;expires=0`,
        "Supported: outbound",
      ],
    });
    expect(alice.last().status).toBe(200);
    expect(keys()).toEqual([[URN, 2]]);
  });

  test("the same reg-id of two instances are two phones", () => {
    const { alice, keys } = rig();
    registerFlow(alice, { instance: "urn:uuid:1" });
    registerFlow(alice, { instance: "urn:uuid:2", callId: "another" });
    expect(keys()).toEqual([
      ["urn:uuid:1", 1],
      ["urn:uuid:2", 1],
    ]);
  });

  test("more than one flow in one REGISTER: 400, and nothing changes", () => {
    const { alice, keys } = rig();
    alice.request("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      headers: [
        `Contact: <${alice.contact}>;+sip.instance="<${URN}>";reg-id=1`,
        `Contact: <sip:alice@192.168.1.10:5062>;+sip.instance="<${URN}>";reg-id=2`,
        "Supported: outbound",
      ],
    });
    expect(alice.last().status).toBe(400);
    expect(keys()).toEqual([]);
  });

  test("a flow is taken up while another one is given up in the same REGISTER", () => {
    const { alice, keys } = rig();
    registerFlow(alice, { reg_id: 1 });
    alice.request("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      callId: "reg-alice-1",
      cseq: 2,
      headers: [
        `Contact: <${alice.contact}>;+sip.instance="<${URN}>";reg-id=1;expires=0`,
        `Contact: <${alice.contact}>;+sip.instance="<${URN}>";reg-id=2`,
        "Supported: outbound",
      ],
    });
    expect(alice.last().status).toBe(200);
    expect(keys()).toEqual([[URN, 2]]);
  });
});

describe("RFC 5626 §6, B-01 what the phone is told", () => {
  test("Require: outbound and Flow-Timer for a flow: 30 s on UDP, 120 s on streams", () => {
    const { world, alice } = rig();
    expect(text(registerFlow(alice))).toMatch(/\r\nRequire: outbound\r\nFlow-Timer: 30\r\n/);
    const tcp = behindNat(world, "198.51.100.21", "bob", { transport: "tcp" }).phone;
    expect(text(registerFlow(tcp))).toMatch(/\r\nRequire: outbound\r\nFlow-Timer: 120\r\n/);
  });

  test("a Flow-Timer is never longer than we keep an idle connection", () => {
    const world = lab("[tcp]\nidle_s = 60\n");
    const { phone } = behindNat(world, "198.51.100.21", "bob", { transport: "tcp" });
    expect(text(registerFlow(phone))).toContain("\r\nFlow-Timer: 60\r\n");
  });

  for (const [name, options] of [
    ["who does not support it", { supported: "path" }],
    ["who names no flow", { reg_id: null }],
  ] as const)
    test(`neither to ${name}`, () => {
      const { alice } = rig();
      const answer = registerFlow(alice, options);
      expect(answer.status).toBe(200);
      expect(text(answer)).not.toMatch(/\r\n(Require|Flow-Timer):/);
    });

  test("a second program at the same address that does not support it is told nothing of it (RFC 3261 §8.2.4)", () => {
    const { alice } = rig();
    registerFlow(alice);
    const answer = registerFlow(alice, {
      instance: null,
      reg_id: null,
      supported: "",
      callId: "another program",
      contact: "sip:alice@192.168.1.10:5060;line=2",
    });
    expect(answer.status).toBe(200);
    expect(text(answer)).not.toMatch(/\r\n(Require|Flow-Timer):/);
  });

  test("nor who comes through the same proxy as a phone that has a flow", () => {
    const world = lab();
    const proxy = new Phone(world, "proxy", "198.51.100.5");
    const through = (headers: readonly string[], callId: string) => {
      const text = proxy.write("REGISTER", "sip:example.test", {
        to: `<sip:${ALICE}>`,
        callId,
        headers: ["Path: <sip:198.51.100.5;lr;ob>", ...headers],
      });
      proxy.send(
        text.replace("Max-Forwards:", "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKfirst\r\nMax-Forwards:"),
      );
      world.run(20);
      return proxy.last();
    };
    const flow = through(
      [`Contact: <sip:alice@10.1.1.1>;+sip.instance="<${URN}>";reg-id=1`, "Supported: outbound"],
      "one",
    );
    expect(text(flow)).toContain("\r\nRequire: outbound\r\n");
    const plain = through(["Contact: <sip:alice@10.1.1.2>"], "two");
    expect(plain.status).toBe(200);
    expect(text(plain)).not.toMatch(/\r\n(Require|Flow-Timer):/);
  });
});

describe("RFC 5626 §6, B-01 439", () => {
  function through(path: readonly string[], vias: readonly string[], contact = `;reg-id=1`) {
    const world = lab();
    const proxy = new Phone(world, "proxy", "198.51.100.5");
    const request = proxy.write("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      headers: [
        ...path.map((entry) => `Path: ${entry}`),
        `Contact: <sip:alice@10.1.1.1>;+sip.instance="<${URN}>"${contact}`,
        "Supported: outbound, path",
      ],
    });
    const more = vias.map((via) => `Via: ${via}\r\n`).join("");
    proxy.send(request.replace("Max-Forwards:", `${more}Max-Forwards:`));
    world.run(20);
    return { answer: proxy.last(), bindings: world.store.bindings("alice") };
  }
  const PHONE = "SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKfirst";
  const MIDDLE = "SIP/2.0/UDP 198.51.100.6;branch=z9hG4bKmiddle";

  for (const [name, path, vias] of [
    ["no Path", [], [PHONE]],
    ["a Path without ob", ["<sip:198.51.100.5;lr>"], [PHONE]],
    [
      "ob in the first Path entry only",
      ["<sip:198.51.100.5;lr;ob>", "<sip:198.51.100.6;lr>"],
      [MIDDLE, PHONE],
    ],
    ["ob as a header parameter", ["<sip:198.51.100.5;lr>;ob"], [PHONE]],
    ["ob inside another parameter", ["<sip:198.51.100.5;lr;obx=ob>"], [PHONE]],
  ] as const)
    test(`${name}: 439, and nothing is stored`, () => {
      const { answer, bindings } = through(path, vias);
      expect(answer.status).toBe(439);
      expect(answer.reason).toBe("First Hop Lacks Outbound Support");
      expect(bindings).toEqual([]);
    });

  for (const [name, path, vias] of [
    ["ob in the only Path", ["<sip:198.51.100.5;lr;ob>"], [PHONE]],
    ["ob in the last Path line", ["<sip:198.51.100.5;lr>", "<sip:198.51.100.6;lr;ob>"], [MIDDLE, PHONE]],
    ["ob last in one Path line", ["<sip:198.51.100.5;lr>, <sip:[2001:db8::6];lr;OB>"], [MIDDLE, PHONE]],
  ] as const)
    test(`${name}: 200 with Require: outbound`, () => {
      const { answer, bindings } = through(path, vias);
      expect(answer.status).toBe(200);
      expect(text(answer)).toContain("\r\nRequire: outbound\r\n");
      expect(bindings).toHaveLength(1);
    });

  test("without a reg-id the first hop need not know it", () => {
    expect(through([], [PHONE], "").answer.status).toBe(200);
  });

  test("two Vias in one line are two hops", () => {
    const world = lab();
    const proxy = new Phone(world, "proxy", "198.51.100.5");
    const request = proxy.write("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      viaParams: `;rport, ${PHONE}`,
      headers: [`Contact: <sip:alice@10.1.1.1>;+sip.instance="<${URN}>";reg-id=1`, "Supported: outbound"],
    });
    proxy.send(request);
    world.run(20);
    expect(proxy.last().status).toBe(439);
  });
});
