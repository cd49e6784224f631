/** Route information preprocessing and target determination (RFC 3261 §16.4, §16.5). */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { EDGE, entries, inside, lab, Phone, setUp, text } from "./kit.ts";

function rig() {
  const world = lab();
  const alice = new Phone(world, "alice", "198.51.100.7");
  const bob = new Phone(world, "bob", "198.51.100.8");
  const far = new Phone(world, "far", "198.51.100.90");
  bob.register();
  return { world, alice, bob, far };
}

const routes = (phone: Phone, method: string) => entries(phone.incoming(method), H.Route);

describe("RFC 3261 §16.5 target determination", () => {
  test("a name nobody has here: 404", () => {
    const { alice } = rig();
    alice.request("INVITE", "sip:nobody@example.test");
    expect(alice.last().status).toBe(404);
  });
  test("an account without a registration: 480", () => {
    const { world, alice } = rig();
    world.account("carol", "secret");
    alice.request("INVITE", "sip:carol@example.test");
    expect(alice.last().status).toBe(480);
  });
  test("after its registration ended: 480", () => {
    const { world, alice } = rig();
    world.account("carol", "secret");
    new Phone(world, "carol", "198.51.100.9").register(60);
    world.run(60_001);
    alice.request("INVITE", "sip:carol@example.test");
    expect(alice.last().status).toBe(480);
  });
  test("every name of the site means the same AOR; escapes and parameters do not matter", () => {
    for (const uri of [
      "sip:bob@example.test",
      "sip:bob@EXAMPLE.test",
      "sip:bob@192.0.2.1",
      "sip:bob@192.0.2.1:5060",
      "sip:%62ob@example.test",
      "sip:bob@example.test;user=phone",
      "sip:bob@[2001:db8::1]",
    ]) {
      const { alice, bob } = rig();
      alice.request("INVITE", uri);
      expect([uri, bob.count("INVITE")]).toEqual([uri, 1]);
    }
  });
  test("user parts are compared with regard to case (§19.1.4)", () => {
    const { alice } = rig();
    alice.request("INVITE", "sip:BOB@example.test");
    expect(alice.last().status).toBe(404);
  });
  test("SRV-12 the copy's Request-URI is the Contact as it was registered (§16.6 step 2)", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test;user=phone");
    expect(bob.incoming("INVITE").uriText).toBe("sip:bob@198.51.100.8:5060");
  });
  test("parameters and headers that have no place in a Request-URI do not get there (§19.1.1)", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9");
    carol.request("REGISTER", "sip:example.test", {
      to: "<sip:carol@example.test>",
      headers: ["Contact: <sip:carol@198.51.100.9:5060;ob;method=INVITE?Subject=x>"],
    });
    alice.request("INVITE", "sip:carol@example.test");
    expect(carol.incoming("INVITE").uriText).toBe("sip:carol@198.51.100.9:5060;ob");
  });
  test("a foreign Request-URI is its own target, unchanged", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@198.51.100.90;foo=bar");
    expect(far.incoming("INVITE").uriText).toBe("sip:x@198.51.100.90;foo=bar");
  });
  test("a next hop that no transport of ours reaches: 5xx but not 503 (§16.9, §16.7 step 6)", () => {
    const { alice } = rig();
    alice.request("INVITE", "sip:x@198.51.100.90;transport=sctp");
    expect(alice.last().status).toBe(500);
  });
  test("a name that does not exist: answered, not left alone", async () => {
    const { world, alice } = rig();
    alice.request("INVITE", "sip:x@nowhere.invalid");
    await new Promise<void>((resolve) => setImmediate(resolve));
    world.run(20);
    expect(alice.statuses("INVITE")).toEqual([404]);
  });
});

describe("SIP-04 RFC 5630 §5.3 sips", () => {
  test("a phone behind UDP only is not called for it: 480, nothing less secure", () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    alice.request("INVITE", "sips:bob@example.test");
    expect([alice.last().status, bob.count("INVITE")]).toEqual([480, 0]);
  });
});

describe("RFC 3261 §16.4 our own Route entries", () => {
  for (const route of [
    "<sip:192.0.2.1;lr>",
    "<sip:192.0.2.1:5060;lr>",
    "<sip:example.test;lr>",
    "<sip:anything@192.0.2.1;lr>",
  ])
    test(`${route} on top is taken off`, () => {
      const { alice, bob } = rig();
      alice.request("INVITE", "sip:bob@example.test", { headers: [`Route: ${route}`] });
      expect(routes(bob, "INVITE")).toEqual([]);
    });

  test("the rest stays, and its first entry is where the request goes (§16.6 step 7)", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:bob@example.test", {
      headers: ["Route: <sip:192.0.2.1;lr>, <sip:198.51.100.90;lr>;x=1", "Route: <sip:third.test;lr>"],
    });
    const arrived = far.incoming("INVITE");
    expect(arrived.uriText).toBe("sip:bob@example.test");
    expect(arrived.texts(H.Route)).toEqual(["<sip:198.51.100.90;lr>;x=1", "<sip:third.test;lr>"]);
  });

  test("a route that is not ours on top is followed, entries of ours behind it are left alone", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@elsewhere.test", {
      headers: ["Route: <sip:198.51.100.90;lr>", "Route: <sip:192.0.2.1;lr>"],
    });
    expect(routes(far, "INVITE")).toEqual(["<sip:198.51.100.90;lr>", "<sip:192.0.2.1;lr>"]);
  });

  test("our address with a port that is not ours is somebody else", () => {
    const { world, alice, bob } = rig();
    const other = new Phone(world, "other", EDGE, 5090);
    alice.request("INVITE", "sip:bob@example.test", { headers: ["Route: <sip:192.0.2.1:5090;lr>"] });
    expect([other.count("INVITE"), bob.count("INVITE")]).toEqual([1, 0]);
  });
});

describe("RFC 3261 §16.4 strict routers before us", () => {
  test("our Record-Route in the Request-URI: the last Route entry becomes the Request-URI", () => {
    const { alice, bob } = rig();
    const { caller } = setUp(alice, bob);
    expect(caller.route).toHaveLength(1);
    const own = caller.route[0]!.slice(1, -1);
    alice.request("BYE", own, {
      ...inside({ ...caller, route: [] }, { cseq: 2 }),
      headers: [`Route: <${caller.target}>`],
    });
    const bye = bob.incoming("BYE");
    expect(bye.uriText).toBe(bob.contact);
    expect(bye.countOf(H.Route)).toBe(0);
    bob.answer(bye, 200);
    expect(alice.statuses("BYE")).toEqual([200]);
  });

  test("with a second entry of ours in the Route (double Record-Route)", () => {
    const { world, alice } = rig();
    const carol = new Phone(world, "carol", "198.51.100.9", 5060, "tcp");
    carol.register();
    const { caller } = setUp(alice, carol);
    expect(caller.route).toHaveLength(2);
    const [first, second] = caller.route;
    alice.request("BYE", first!.slice(1, -1), {
      ...inside({ ...caller, route: [] }, { cseq: 2 }),
      headers: [`Route: ${second}, <${caller.target}>`],
    });
    const bye = carol.incoming("BYE");
    expect([bye.uriText, bye.countOf(H.Route)]).toEqual([carol.contact, 0]);
  });

  test("without any Route: not a crash; nowhere to go is said", () => {
    const { alice, bob } = rig();
    const { caller } = setUp(alice, bob);
    alice.request(
      "BYE",
      caller.route[0]!.slice(1, -1),
      inside({ ...caller, route: [] }, { cseq: 2, headers: [] }),
    );
    expect(alice.statuses("BYE").at(-1)).toBeGreaterThanOrEqual(400);
  });
});

describe("RFC 3261 §16.6 step 6 strict routers behind us", () => {
  test("their URI goes to the Request-URI, the Request-URI to the end of the Route", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@elsewhere.test;p=1", {
      headers: ["Route: <sip:192.0.2.1;lr>", "Route: <sip:strict@198.51.100.90>, <sip:third.test;lr>"],
    });
    const arrived = far.incoming("INVITE");
    expect(arrived.uriText).toBe("sip:strict@198.51.100.90");
    expect(entries(arrived, H.Route)).toEqual(["<sip:third.test;lr>", "<sip:x@elsewhere.test;p=1>"]);
  });

  test("as the only hop", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@elsewhere.test", { headers: ["Route: <sip:198.51.100.90>"] });
    const arrived = far.incoming("INVITE");
    expect([arrived.uriText, ...entries(arrived, H.Route)]).toEqual([
      "sip:198.51.100.90",
      "<sip:x@elsewhere.test>",
    ]);
  });

  test("TM-32 CANCEL and the ACK of a refusal carry the same Request-URI and Route (§9.1, §17.1.1.3)", () => {
    const { alice, far } = rig();
    const sent = alice.request("INVITE", "sip:x@elsewhere.test", { headers: ["Route: <sip:198.51.100.90>"] });
    const arrived = far.incoming("INVITE");
    far.answer(arrived, 180);
    alice.cancel(sent);
    far.answer(arrived, 487);
    for (const method of ["CANCEL", "ACK"]) {
      const message = far.incoming(method);
      expect([message.uriText, ...entries(message, H.Route)]).toEqual([
        "sip:198.51.100.90",
        "<sip:x@elsewhere.test>",
      ]);
      expect(message.texts(H.Via)).toEqual(arrived.texts(H.Via).slice(0, 1));
    }
  });
});

describe("RFC 3261 §16.4 maddr", () => {
  test("one that names us goes, with port and transport", () => {
    const { alice, bob } = rig();
    alice.request("INVITE", "sip:bob@example.test:5060;transport=udp;maddr=192.0.2.1;x=1");
    expect(bob.count("INVITE")).toBe(1);
  });
  test("for a foreign domain: the request goes on to that domain, without the maddr", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@198.51.100.90:5060;maddr=192.0.2.1;foo=1");
    expect(far.incoming("INVITE").uriText).toBe("sip:x@198.51.100.90;foo=1");
  });
  test("one that names somebody else is where the request goes, unchanged", () => {
    const { alice, far } = rig();
    alice.request("INVITE", "sip:x@elsewhere.test;maddr=198.51.100.90");
    expect(far.incoming("INVITE").uriText).toBe("sip:x@elsewhere.test;maddr=198.51.100.90");
  });
});

test("RFC 3327 §5.4 a stored Path becomes the Route, in order", () => {
  const { world, alice, far } = rig();
  const carol = new Phone(world, "carol", "198.51.100.9");
  carol.register(3600, [
    "Path: <sip:198.51.100.90;lr>, <sip:p2.test;lr>",
    "Path: <sip:p3.test;lr>",
    "Supported: path",
  ]);
  alice.request("INVITE", "sip:carol@example.test", { headers: [] });
  const arrived = far.incoming("INVITE");
  expect(arrived.uriText).toBe(carol.contact);
  expect(entries(arrived, H.Route)).toEqual([
    "<sip:198.51.100.90;lr>",
    "<sip:p2.test;lr>",
    "<sip:p3.test;lr>",
  ]);
  expect(text(arrived)).not.toContain("Path:");
});
