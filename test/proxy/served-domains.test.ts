/** The appliance before another registrar ([[peer]] serves): Path with flow tokens, and calls back over them. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { FlowTokens } from "../../src/nat/flow-token.ts";
import { behindNat, registerFlow, sentTo, urisOf } from "../support/natted-phones.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { EDGE, World } from "../support/world.ts";
import { entries, inside, Phone, text } from "./kit.ts";
import { DOMAIN, EDGES, over, PBX, pathOf, rig, SERVES, tokenOf } from "./served-kit.ts";

describe("RFC 3327, B-02 a registration through us", () => {
  for (const transport of ["udp", "tcp"] as const)
    test(`${transport}: the registrar sees one Path of ours with ob and lr, Contact and R-URI as they were`, () => {
      const { pbx, dave } = rig("", transport);
      const path = pathOf(pbx, dave);
      expect(path).toHaveLength(1);
      expect(path[0]).toMatch(/^<sip:[A-Za-z0-9_-]{35}@192\.0\.2\.1:5060;lr;ob>$/);
      const request = pbx.incoming("REGISTER");
      expect(request.uriText).toBe(`sip:${DOMAIN}`);
      expect(urisOf(request, H.Contact)).toEqual([dave.phone.contact]);
      expect(text(request)).not.toContain("\r\nRecord-Route:");
    });

  test("the answer goes back with the Path, and the phone's Via as it was", () => {
    const { pbx, dave } = rig();
    pathOf(pbx, dave);
    const answer = dave.phone.last();
    expect(entries(answer, H.Path)).toEqual(entries(pbx.incoming("REGISTER"), H.Path));
    expect(answer.texts(H.Via)).toHaveLength(1);
    expect(answer.text(H.Via)).toContain(`${dave.phone.sentBy};`);
  });

  test("a Path that the phone wrote itself stays behind ours, and sets nobody else's", () => {
    const { world, pbx, dave } = rig();
    const victim = behindNat(world, "198.51.100.30", "victim");
    const stolen = pathOf(pbx, victim)[0]!;
    const path = pathOf(pbx, dave, [`Path: ${stolen}`]);
    expect(path).toHaveLength(2);
    expect(path[1]).toBe(stolen);
    expect(path[0]).not.toBe(stolen);
    over(pbx, path, dave.phone.contact);
    expect([dave.phone.count("INVITE"), victim.phone.count("INVITE")]).toEqual([1, 0]);
  });

  test("a foreign Path stays in the Route, and does not lead the request away", () => {
    const { world, pbx, dave } = rig();
    const evil = new Phone(world, "evil", "198.51.100.66");
    const path = pathOf(pbx, dave, ["Path: <sip:198.51.100.66;lr>"]);
    over(pbx, path, dave.phone.contact);
    expect(evil.got).toHaveLength(0);
    expect(dave.phone.count("INVITE")).toBe(1);
  });

  test("only the first hop says ob: another proxy before us does not make it so (RFC 5626 §5.1)", () => {
    const { world, pbx } = rig();
    const proxy = new Phone(world, "proxy", "198.51.100.5");
    const dave = `<sip:dave@${DOMAIN}>`;
    const request = proxy.write("REGISTER", `sip:${DOMAIN}`, { to: dave, from: dave });
    proxy.send(
      request.replace("Max-Forwards:", "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKf\r\nMax-Forwards:"),
    );
    world.run(20);
    const path = entries(pbx.incoming("REGISTER"), H.Path);
    expect(path).toHaveLength(1);
    expect(path[0]).not.toMatch(/;ob\b/);
  });

  test("other requests get no Path", () => {
    const { pbx, dave } = rig();
    dave.phone.request("INVITE", `sip:eve@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    expect(text(pbx.incoming("INVITE"))).not.toContain("\r\nPath:");
  });
});

describe("RFC 5626 §5.3, NT-05 calls back over the flow", () => {
  for (const transport of ["udp", "tcp"] as const)
    test(`${transport}: the INVITE has the R-URI exactly as registered, and no Route`, () => {
      const { pbx, dave } = rig("", transport);
      over(pbx, pathOf(pbx, dave), dave.phone.contact);
      const arrived = dave.phone.incoming("INVITE");
      expect(arrived.uriText).toBe(dave.phone.contact);
      expect(entries(arrived, H.Route)).toEqual([]);
      expect(dave.phone.flowOf(arrived).remoteAddress).toBe(EDGE);
    });

  test("a whole call each way, hung up from either side", () => {
    for (const hangsUp of ["phone", "pbx"] as const) {
      const { pbx, dave } = rig();
      const path = pathOf(pbx, dave);
      over(pbx, path, dave.phone.contact);
      const arrived = dave.phone.incoming("INVITE");
      dave.phone.answer(arrived, 200);
      const answer = pbx.answers("INVITE").at(-1)!;
      expect(answer.status).toBe(200);
      const route = entries(answer, H.RecordRoute).toReversed();
      const dialog = {
        callId: "call-pbx",
        route,
        target: dave.phone.contact,
        from: `<sip:eve@${DOMAIN}>`,
        fromTag: "pbx-tag",
        to: `<${dave.phone.contact}>`,
        toTag: answer.toTag!,
      };
      pbx.request("ACK", dialog.target, inside(dialog));
      expect(dave.phone.count("ACK")).toBe(1);
      if (hangsUp === "pbx") {
        pbx.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
        expect(dave.phone.count("BYE")).toBe(1);
      } else {
        const back = { ...dialog, from: dialog.to, fromTag: dialog.toTag, to: dialog.from, toTag: "pbx-tag" };
        dave.phone.request(
          "BYE",
          pbx.contact,
          inside({ ...back, route: entries(arrived, H.RecordRoute) }, { cseq: 2 }),
        );
        expect(pbx.count("BYE")).toBe(1);
      }
    }
  });

  test("the phone calls through the PBX to another phone of it, which keeps out of the dialog: ACK and BYE arrive", () => {
    const { world, pbx, dave } = rig();
    const erin = behindNat(world, "198.51.100.30", "erin");
    const path = pathOf(pbx, erin);
    // The PBX is a proxy that does not record-route: it puts its Via on top and the Path into the Route.
    pbx.on = (message) => {
      if (message.isRequest && message.method !== "ACK") {
        const all = text(message)
          .replace(/^INVITE \S+/, `INVITE ${erin.phone.contact}`)
          .replace("\r\nVia:", `\r\nVia: SIP/2.0/UDP ${PBX};branch=z9hG4bKpbx\r\nRoute: ${path[0]}\r\nVia:`);
        pbx.send(all);
      } else if (!message.isRequest) pbx.send(text(message).replace(/\r\nVia: [^\r]*z9hG4bKpbx[^\r]*/, ""));
    };
    dave.phone.request("INVITE", `sip:erin@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    world.run(50);
    const arrived = erin.phone.incoming("INVITE");
    erin.phone.answer(arrived, 200);
    world.run(50);
    const answer = dave.phone.answers("INVITE").at(-1)!;
    expect(answer.status).toBe(200);
    const dialog = {
      callId: answer.callId!,
      route: entries(answer, H.RecordRoute).toReversed(),
      target: erin.phone.contact,
      from: `<sip:dave@${DOMAIN}>`,
      fromTag: answer.fromTag!,
      to: `<sip:erin@${DOMAIN}>`,
      toTag: answer.toTag!,
    };
    dave.phone.request("ACK", dialog.target, inside(dialog));
    expect(erin.phone.count("ACK")).toBe(1);
    dave.phone.request("BYE", dialog.target, inside(dialog, { cseq: 2 }));
    expect(erin.phone.count("BYE")).toBe(1);
  });

  test("the phone's connection is gone: 430 at once", () => {
    const { world, pbx, dave } = rig("", "tcp");
    const path = pathOf(pbx, dave);
    for (const connection of [...dave.phone.host.transports.connections]) connection.close("reset");
    world.run(0);
    over(pbx, path, dave.phone.contact);
    expect(pbx.last().status).toBe(430);
  });

  test("another phone that got the same public port: 430, and it hears nothing", () => {
    const { world, pbx, dave } = rig("", "tcp");
    const path = pathOf(pbx, dave);
    for (const connection of [...dave.phone.host.transports.connections]) connection.close("reset");
    dave.box.reuse(30_000);
    const other = dave.box.place(() => new Phone(world, "erin", "192.168.1.11", 5060, "tcp"));
    registerFlow(other, { domain: DOMAIN });
    expect(tokenOf(entries(pbx.incoming("REGISTER"), H.Path)[0]!)).not.toBe(tokenOf(path[0]!));
    over(pbx, path, dave.phone.contact);
    expect(pbx.last().status).toBe(430);
    expect(other.count("INVITE")).toBe(0);
  });
});

describe("NT-05 what else a PBX sends over the Path", () => {
  for (const [method, contact] of [
    ["OPTIONS", "sip:dave@192.168.1.10:5060"],
    ["NOTIFY", "sip:dave@192.168.1.10:5060"],
    ["MESSAGE", "sip:dave@192.168.1.10:5060;transport=udp;line=1"],
    ["OPTIONS", "sip:192.168.1.10"],
  ] as const)
    test(`${method} to ${contact}, and its answer`, () => {
      const { pbx, dave } = rig();
      registerFlow(dave.phone, { domain: DOMAIN, contact });
      const path = entries(pbx.incoming("REGISTER"), H.Path);
      pbx.request(method, contact, {
        from: `<sip:${DOMAIN}>`,
        headers: [`Route: ${path[0]}`, `Contact: <${pbx.contact}>`],
      });
      const arrived = dave.phone.incoming(method);
      expect(arrived.uriText).toBe(contact);
      dave.phone.answer(arrived, 200);
      expect(pbx.statuses(method)).toEqual([200]);
    });

  test("a subscription of the phone: NOTIFYs of the PBX come over its flow, its refresh reaches the PBX", () => {
    const { pbx, dave } = rig();
    dave.phone.request("SUBSCRIBE", `sip:dave@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    const arrived = pbx.incoming("SUBSCRIBE");
    pbx.answer(arrived, 200);
    const answer = dave.phone.last();
    const route = entries(arrived, H.RecordRoute);
    expect(route).toHaveLength(1);
    const both = { callId: answer.callId!, route };
    const pbxSide = {
      ...both,
      target: dave.phone.contact,
      from: `<sip:dave@${DOMAIN}>`,
      fromTag: answer.toTag!,
      to: `<sip:dave@${DOMAIN}>`,
      toTag: answer.fromTag!,
    };
    pbx.request("NOTIFY", pbxSide.target, inside(pbxSide, { cseq: 2 }));
    expect(dave.phone.count("NOTIFY")).toBe(1);
    const phoneSide = { ...pbxSide, target: pbx.contact, fromTag: answer.fromTag!, toTag: answer.toTag! };
    dave.phone.request("SUBSCRIBE", phoneSide.target, inside(phoneSide, { cseq: 3 }));
    expect(pbx.count("SUBSCRIBE")).toBe(2);
  });

  test("the phone's NAT gave it another port within the call: its BYE reaches the PBX", () => {
    const { pbx, dave } = rig();
    dave.phone.request("INVITE", `sip:eve@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    pbx.answer(pbx.incoming("INVITE"), 200);
    const answer = dave.phone.last();
    dave.box.flush();
    dave.phone.request(
      "BYE",
      pbx.contact,
      inside(
        {
          callId: answer.callId!,
          route: entries(answer, H.RecordRoute).toReversed(),
          target: pbx.contact,
          from: `<sip:dave@${DOMAIN}>`,
          fromTag: answer.fromTag!,
          to: `<sip:eve@${DOMAIN}>`,
          toTag: answer.toTag!,
        },
        { cseq: 2 },
      ),
    );
    expect(pbx.count("BYE")).toBe(1);
  });

  test("a strict router among the PBXs puts our Path into the Request-URI: the phone gets its Contact there", () => {
    const { pbx, dave } = rig();
    const path = pathOf(pbx, dave)[0]!;
    pbx.request("INVITE", /<([^>]+)>/.exec(path)![1]!, {
      from: `<sip:eve@${DOMAIN}>`,
      to: `<sip:dave@${DOMAIN}>`,
      headers: [`Route: <${dave.phone.contact}>`, `Contact: <${pbx.contact}>`],
    });
    expect(dave.phone.incoming("INVITE").uriText).toBe(dave.phone.contact);
  });
});

describe("B-19 IPv6 phones of an IPv4 registrar", () => {
  test("the Path is ours over IPv4, the calls come back over IPv6", () => {
    const { world, pbx } = rig();
    const six = new Phone(world, "six", "2001:db8:7::20");
    const register = six.write("REGISTER", `sip:${DOMAIN}`, {
      from: `<sip:six@${DOMAIN}>`,
      to: `<sip:six@${DOMAIN}>`,
    });
    six.send(register, "2001:db8::1");
    world.run(20);
    expect(six.last().status).toBe(200);
    const path = entries(pbx.incoming("REGISTER"), H.Path);
    expect(path[0]).toMatch(/^<sip:[A-Za-z0-9_-]{67}@192\.0\.2\.1:5060;lr;ob>$/);
    over(pbx, path, six.contact);
    expect(six.incoming("INVITE").uriText).toBe(six.contact);
    expect(entries(six.incoming("INVITE"), H.RecordRoute)).toHaveLength(2);
    six.answer(six.incoming("INVITE"), 200);
    expect(pbx.statuses("INVITE")).toEqual([200]);
  });
});

describe("forged flow tokens: 403, and nothing leaves", () => {
  test("from a trusted PBX as well: a private R-URI means somebody else's host here", () => {
    const world = new World({ toml: `${SERVES}[auth]\ntrusted_networks = ["${PBX}"]\n` });
    const pbx = new Phone(world, "pbx", PBX);
    const neighbour = new Phone(world, "neighbour", "192.168.1.10");
    pbx.on = (message) => {
      if (message.method === "REGISTER") pbx.reply(message, 200);
    };
    const dave = behindNat(world, "198.51.100.20", "dave");
    const path = pathOf(pbx, dave)[0]!;
    const good = tokenOf(path);
    over(pbx, [path.replace(good, `${good[0] === "A" ? "B" : "A"}${good.slice(1)}`)], dave.phone.contact);
    expect(neighbour.got).toHaveLength(0);
    expect(pbx.last().status).toBe(403);
  });

  function refused(tokenFrom: (good: string) => readonly string[]): void {
    const { world, pbx, dave } = rig();
    const path = pathOf(pbx, dave)[0]!;
    const good = tokenOf(path);
    for (const [i, bad] of tokenFrom(good).entries()) {
      if (bad === good) continue;
      const before = world.network.log.length;
      over(pbx, [path.replace(good, bad)], dave.phone.contact, { callId: `forged-${i}` });
      expect([bad, pbx.last().status]).toEqual([bad, 403]);
      expect(sentTo(world, before, EDGES).filter((to) => to !== `${PBX}:5060`)).toEqual([]);
      pbx.ackRefusal(pbx.write("INVITE", dave.phone.contact), pbx.last());
    }
    expect(dave.phone.count("INVITE")).toBe(0);
  }

  test("every bit of it flipped", () =>
    refused((good) => {
      const bytes = Buffer.from(good, "base64url");
      return Array.from({ length: bytes.length * 8 }, (_, bit) => {
        const changed = Buffer.from(bytes);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        return changed.toString("base64url");
      });
    }));

  test("truncated, but long enough to be one", () =>
    refused((good) => [good.slice(0, -1), good.slice(1), good.slice(0, 31), `${good}A`, `${good}AAAA`]));

  test("of another key", () =>
    refused(() => {
      const { world, dave, pbx } = rig();
      pathOf(pbx, dave);
      const flow = world.transports.flowTo("udp", "198.51.100.20", 30_000)!;
      return [new FlowTokens(new SeededDice(77).bytes(32)).sign(flow)];
    }));

  test("a dialog's token as a flow token, from whom the dialog does not concern", () => {
    const { world, pbx, dave } = rig();
    pathOf(pbx, dave);
    dave.phone.request("INVITE", `sip:eve@${DOMAIN}`, { from: `<sip:dave@${DOMAIN}>` });
    const route = entries(pbx.incoming("INVITE"), H.RecordRoute)[0]!;
    const evil = new Phone(world, "evil", "198.51.100.66");
    const before = world.network.log.length;
    evil.request("INVITE", dave.phone.contact, {
      from: "<sip:evil@evil.test>",
      headers: [`Route: ${route}`, `Contact: <${evil.contact}>`],
    });
    expect(evil.last().status).toBe(403);
    expect(sentTo(world, before, EDGES)).toEqual(["198.51.100.66:5060"]);
  });

  test("a flow token as a dialog's: it reaches that phone, and no third party", () => {
    const { world, pbx, dave } = rig();
    const path = pathOf(pbx, dave)[0]!;
    const third = new Phone(world, "third", "198.51.100.77");
    const evil = new Phone(world, "evil", "198.51.100.66");
    evil.request("BYE", "sip:third@198.51.100.77", {
      from: "<sip:evil@evil.test>",
      to: "<sip:third@198.51.100.77>",
      toTag: "x",
      headers: [`Route: ${path}`],
    });
    expect(third.got).toHaveLength(0);
  });
});
