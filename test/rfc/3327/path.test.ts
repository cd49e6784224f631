/** RFC 3327: the Path of a registration is stored, told again, and taken by requests. */
import { describe, expect, test } from "bun:test";
import { H } from "../../../src/message/header-names.ts";
import { entries, lab, leftovers, NOTHING_LEFT, Phone, SETTLE_MS, text } from "../../proxy/kit.ts";
import { EDGE, World } from "../../support/world.ts";

const ALICE = "alice@example.test";
const INNER = "sip:alice@10.1.1.1:5060";

/** A proxy through which Alice registers with these Path lines, and a caller. */
function rig(paths: readonly string[], toml = "") {
  const world = lab(toml);
  const proxy = new Phone(world, "proxy", "198.51.100.5");
  const carol = new Phone(world, "carol", "198.51.100.9");
  proxy.request("REGISTER", "sip:example.test", {
    to: `<sip:${ALICE}>`,
    headers: [...paths.map((path) => `Path: ${path}`), `Contact: <${INNER}>`, "Supported: path"],
  });
  return { world, proxy, carol, answer: proxy.last() };
}

describe("RFC 3327 §5.3, B-02 the registrar", () => {
  for (const [name, paths, stored] of [
    ["one", ["<sip:198.51.100.5;lr>"], ["<sip:198.51.100.5;lr>"]],
    [
      "several lines",
      ["<sip:198.51.100.5;lr>", "<sip:token@198.51.100.6:5070;lr;ob>;x=y"],
      ["<sip:198.51.100.5;lr>", "<sip:token@198.51.100.6:5070;lr;ob>;x=y"],
    ],
    [
      "several in one line, with commas in quotes and brackets",
      ['"a, b" <sip:a,b@198.51.100.5;lr> , <sip:198.51.100.6;lr>'],
      ['"a, b" <sip:a,b@198.51.100.5;lr>', "<sip:198.51.100.6;lr>"],
    ],
    [
      "IPv6",
      ["<sip:[2001:db8:7::5]:5062;lr>,<sip:[2001:db8:7::6];transport=tcp;lr>"],
      ["<sip:[2001:db8:7::5]:5062;lr>", "<sip:[2001:db8:7::6];transport=tcp;lr>"],
    ],
  ] as const)
    test(`${name}: stored in order, and told again`, () => {
      const { world, answer } = rig(paths);
      expect(answer.status).toBe(200);
      expect(world.store.bindings("alice")[0]!.path).toEqual([...stored]);
      expect(entries(answer, H.Path)).toEqual([...stored]);
    });

  test("no Path in, none out", () => expect(text(rig([]).answer)).not.toContain("\r\nPath:"));

  for (const path of ["sip:", "<sip:198.51.100.5;lr", "<>", "<sip:198.51.100.5;lr>,,<sip:b;lr>", '"'])
    test(`malformed (${path}): 400, and nothing is stored`, () => {
      const { world, answer } = rig([path]);
      expect(answer.status).toBe(400);
      expect(world.store.bindings("alice")).toEqual([]);
    });

  test("a refresh by another way replaces the Path", () => {
    const { world, proxy } = rig(["<sip:198.51.100.5;lr>"]);
    proxy.request("REGISTER", "sip:example.test", {
      to: `<sip:${ALICE}>`,
      cseq: 2,
      headers: ["Path: <sip:198.51.100.6;lr>", `Contact: <${INNER}>`],
    });
    expect(world.store.bindings("alice").map(({ path }) => path)).toEqual([["<sip:198.51.100.6;lr>"]]);
  });

  test("a query is told the Path of its own request only", () => {
    const { proxy } = rig(["<sip:198.51.100.5;lr>"]);
    proxy.request("REGISTER", "sip:example.test", { to: `<sip:${ALICE}>`, cseq: 2, headers: [] });
    expect(proxy.last().status).toBe(200);
    expect(text(proxy.last())).not.toContain("\r\nPath:");
  });
});

describe("RFC 3327 §5.4, B-02 requests for the phone", () => {
  test("go to the first entry, with all of them as Route and the Contact as Request-URI", () => {
    const { proxy, carol } = rig(["<sip:198.51.100.5;lr>", "<sip:198.51.100.6:5070;lr>"]);
    carol.request("INVITE", `sip:${ALICE}`);
    const arrived = proxy.incoming("INVITE");
    expect(arrived.uriText).toBe(INNER);
    expect(entries(arrived, H.Route)).toEqual(["<sip:198.51.100.5;lr>", "<sip:198.51.100.6:5070;lr>"]);
  });

  test("a strict router first: it is the Request-URI, and the Contact comes last in the Route (RFC 3261 §16.6 step 6)", () => {
    const { proxy, carol } = rig(["<sip:198.51.100.5>", "<sip:198.51.100.6;lr>"]);
    carol.request("INVITE", `sip:${ALICE}`);
    const arrived = proxy.incoming("INVITE");
    expect(arrived.uriText).toBe("sip:198.51.100.5");
    expect(entries(arrived, H.Route)).toEqual(["<sip:198.51.100.6;lr>", `<${INNER}>`]);
  });

  test("an IPv6 entry is reached over IPv6", () => {
    const { world, carol } = rig(["<sip:[2001:db8:7::5]:5062;lr>"]);
    const six = new Phone(world, "six", "2001:db8:7::5", 5062);
    carol.request("INVITE", `sip:${ALICE}`);
    expect(six.incoming("INVITE").uriText).toBe(INNER);
    expect(entries(six.incoming("INVITE"), H.RecordRoute)).toHaveLength(2);
  });

  test("an entry with transport=tcp is reached by TCP", () => {
    const { world, carol } = rig(["<sip:198.51.100.6;transport=tcp;lr>"]);
    const tcp = new Phone(world, "tcp", "198.51.100.6", 5060, "tcp");
    carol.request("INVITE", `sip:${ALICE}`);
    expect(tcp.count("INVITE")).toBe(1);
  });

  test("a Contact that looks private does not lead past the Path", () => {
    const { world, proxy, carol } = rig(["<sip:198.51.100.6;lr>"]);
    const second = new Phone(world, "second", "198.51.100.6");
    carol.request("INVITE", `sip:${ALICE}`);
    expect([proxy.count("INVITE"), second.count("INVITE")]).toEqual([0, 1]);
  });

  test("the ACK of a 2xx, the CANCEL and MESSAGE take the Path as well", () => {
    const { proxy, carol } = rig(["<sip:198.51.100.5;lr>"]);
    const sent = carol.request("INVITE", `sip:${ALICE}`);
    proxy.answer(proxy.incoming("INVITE"), 180);
    carol.cancel(sent);
    expect(entries(proxy.incoming("CANCEL"), H.Route)).toEqual(["<sip:198.51.100.5;lr>"]);
    carol.request("MESSAGE", `sip:${ALICE}`, { callId: "m" });
    expect(entries(proxy.incoming("MESSAGE"), H.Route)).toEqual(["<sip:198.51.100.5;lr>"]);
  });

  test("a flow behind a proxy that answers 430: the other flow of the phone, by its own Path", () => {
    const world = lab();
    const carol = new Phone(world, "carol", "198.51.100.9");
    const edges = ["198.51.100.5", "198.51.100.6"].map((address) => new Phone(world, "edge", address));
    for (const [i, edge] of edges.entries()) {
      const register = edge.write("REGISTER", "sip:example.test", {
        to: `<sip:${ALICE}>`,
        callId: `flow-${i}`,
        headers: [
          `Path: <sip:flow@${edge.host.endpoint.address};lr;ob>`,
          `Contact: <${INNER}>;+sip.instance="<urn:uuid:1>";reg-id=${i + 1}`,
          "Supported: outbound, path",
        ],
      });
      edge.send(
        register.replace("Max-Forwards:", "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKp\r\nMax-Forwards:"),
      );
      world.run(1000);
      expect(edge.last().status).toBe(200);
    }
    carol.request("INVITE", `sip:${ALICE}`);
    edges[1]!.answer(edges[1]!.incoming("INVITE"), 430);
    expect(edges[0]!.incoming("INVITE").uriText).toBe(INNER);
    expect(entries(edges[0]!.incoming("INVITE"), H.Route)).toEqual(["<sip:flow@198.51.100.5;lr;ob>"]);
  });
});

describe("a Path that leads to ourselves", () => {
  for (const path of [
    `<sip:${EDGE};lr>`,
    `<sip:${EDGE}>`,
    "<sip:example.test;lr>",
    `<sip:${EDGE};lr>, <sip:${EDGE};lr>`,
    "<sip:[2001:db8::1];lr>",
    `<sip:alice@${EDGE};lr>`,
  ])
    test(`${path}: the call ends, in a finite number of messages, with nothing left`, () => {
      const { world, carol, answer } = rig([path]);
      expect([200, 403]).toContain(answer.status);
      const before = world.network.log.length;
      carol.request("INVITE", `sip:${ALICE}`);
      world.run(SETTLE_MS);
      const final = carol.answers("INVITE").at(-1);
      expect(final?.status).toBeGreaterThanOrEqual(400);
      expect(world.network.log.length - before).toBeLessThan(200);
      world.run(SETTLE_MS);
      expect(leftovers(world)).toEqual(NOTHING_LEFT);
    });

  test("who proved an account, and wrote one into its REGISTER, makes no relay for strangers", () => {
    const world = new World({ toml: "[calls]\naccept_foreign_callers = true\n" });
    const evil = new Phone(world, "evil", "203.0.113.66");
    const third = new Phone(world, "third", "203.0.113.77");
    evil.request("INVITE", "sip:third@203.0.113.77", {
      from: "<sip:evil@evil.test>",
      headers: [`Route: <sip:${EDGE};lr>`, `Path: <sip:${EDGE};lr>`, `Contact: <${evil.contact}>`],
    });
    expect(evil.last().status).toBe(403);
    expect(third.got).toHaveLength(0);
  });
});
