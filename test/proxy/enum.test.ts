/** Numbers that ENUM leads on (RFC 6116): who may ask, what is asked, and where the call goes. */
import { describe, expect, test } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import { naptr, SERVER } from "../dns/name-servers.ts";
import { lab, leftovers, lines, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";
import { named } from "./named.ts";

const ON = '[dns]\nenum_suffix = "e164.test"\n';
const GW = "198.51.100.51";
const NAME = "1.0.3.9.4.e164.test";
const sip = (name: string, regexp: string) => naptr(name, [10, 10, "E2U+sip", "."], "u", regexp);
const TO_GW = sip(NAME, `!^\\+49(.*)$!sip:\\1@${GW}!`);

function rig(records: Parameters<typeof named>[0], toml = ON) {
  const lab = named(records, toml);
  const alice = new Phone(lab.world, "alice", "198.51.100.7");
  const gateway = new Phone(lab.world, "gw", GW);
  const dial = (uri = "sip:+49301@example.test", ms = 50) => {
    const sent = alice.request("INVITE", uri, { callId: uri });
    lab.world.run(ms);
    return sent;
  };
  return { ...lab, alice, gateway, dial };
}

describe("DNS-13 RFC 6116 a number that nobody here has", () => {
  test("is looked up with one query, and the call goes where the record leads", () => {
    const { dial, gateway, queries, alice, world } = rig([TO_GW]);
    const sent = dial();
    expect(queries()).toEqual([`NAPTR ${NAME}`]);
    expect(gateway.incoming("INVITE").uriText).toBe(`sip:301@${GW}`);
    gateway.answer(gateway.incoming("INVITE"), 486);
    expect(alice.statuses("INVITE")).toEqual([486]);
    alice.ackRefusal(sent, alice.last());
    world.run(SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("off by default: 404 and no query", () => {
    const { dial, queries, alice } = rig([TO_GW], "");
    dial();
    expect([alice.statuses("INVITE"), queries()]).toEqual([[404], []]);
  });

  test("the number of a user here is not asked for", () => {
    const { dial, world, queries } = rig([TO_GW]);
    const bob = new Phone(world, "+49301", "198.51.100.8");
    bob.register();
    dial();
    expect([bob.count("INVITE"), queries()]).toEqual([1, []]);
  });

  test("no record: 404 in words; SERVFAIL: 500, which is not no such number", () => {
    const { dial, alice, servers } = rig([]);
    dial();
    expect(alice.statuses("INVITE")).toEqual([404]);
    expect(lines(alice.last()).find((line) => line.startsWith("Warning:"))).toContain("ENUM does not know");
    servers.at(SERVER, () => ({ rcode: 2 }));
    dial("sip:+4932@example.test");
    expect(alice.statuses("INVITE")).toEqual([404, 500]);
  });

  test("a stranger's number, and one that is not global, ask nothing", () => {
    const { dial, world, queries, alice } = rig([TO_GW], `${ON}[calls]\naccept_foreign_callers = true\n`);
    dial("sip:030123@example.test");
    const stranger = new Phone(world, "s", "203.0.113.99");
    stranger.request("INVITE", "sip:+49301@example.test", { from: "<sip:s@elsewhere.test>" });
    expect([alice.statuses("INVITE"), stranger.statuses("INVITE"), queries()]).toEqual([[404], [404], []]);
  });

  test("a record that leads to a user here: that one rings", () => {
    const { dial, world } = rig([sip(NAME, "!^.*$!sip:bob@example.test!")]);
    const bob = new Phone(world, "bob", "198.51.100.8");
    bob.register();
    dial();
    expect(bob.count("INVITE")).toBe(1);
  });

  test("records in a circle: a number that leads to a number here is looked up once, then 404", () => {
    const { dial, alice, queries } = rig([
      sip(NAME, "!^.*$!sip:+49302@example.test!"),
      sip("2.0.3.9.4.e164.test", "!^.*$!sip:+49301@example.test!"),
    ]);
    dial();
    expect([alice.statuses("INVITE"), queries()]).toEqual([[404], [`NAPTR ${NAME}`]]);
  });

  test("the server is silent: the caller waits lookup_ms, not longer, and a CANCEL ends it at once", () => {
    const { dial, alice, servers, world } = rig([]);
    servers.at(SERVER, () => "silence");
    dial(undefined, 3_800);
    expect(alice.statuses("INVITE")).toEqual([]);
    world.run(300);
    expect(alice.statuses("INVITE")[0]).toBe(500);
    const sent = dial("sip:+4932@example.test");
    alice.cancel(sent);
    expect(alice.statuses("INVITE").at(-1)).toBe(487);
    world.run(2 * SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });
});

describe('DNS-13 a route to "{enum}"', () => {
  const route = (more: string) => `${ON}
[[peer]]
name = "carrier"
uris = ["sip:198.51.100.81"]
probe_s = 0
[[route]]
name = "abroad"
numbers = ["0."]
number_format = "e164"
country_code = "49"
to = ["{enum}", "peer:carrier"]
${more}`;

  test("asks for the number as it was rewritten; its own server takes the call, the carrier does not", () => {
    const { dial, gateway, world, queries } = rig([TO_GW], route(""));
    const carrier = new Phone(world, "carrier", "198.51.100.81");
    dial("sip:0301@example.test");
    expect([queries(), gateway.count("INVITE"), carrier.count("INVITE")]).toEqual([[`NAPTR ${NAME}`], 1, 0]);
    expect(gateway.incoming("INVITE").texts(H.RecordRoute)).toHaveLength(1);
  });

  test("unknown there: the carrier gets it in the same turn as the answer", () => {
    const { dial, world, queries } = rig([], route(""));
    const carrier = new Phone(world, "carrier", "198.51.100.81");
    dial("sip:0301@example.test");
    expect([queries(), carrier.incoming("INVITE").uriText]).toEqual([
      [`NAPTR ${NAME}`],
      "sip:+49301@198.51.100.81",
    ]);
  });

  test("its server is dead: the carrier gets it after failover_s", () => {
    const { dial, world } = rig([sip(NAME, "!^.*$!sip:x@198.51.100.99!")], route("ring_s = 3"));
    const carrier = new Phone(world, "carrier", "198.51.100.81");
    dial("sip:0301@example.test", 2_900);
    expect(carrier.count("INVITE")).toBe(0);
    world.run(200);
    expect(carrier.count("INVITE")).toBe(1);
  });

  test("without dns.enum_suffix it is a mistake in the file", () => {
    expect(() => lab(route("").replace(ON, ""))).toThrow("nothing by ENUM without dns.enum_suffix");
  });
});
