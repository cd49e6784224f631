/** An answer whose connection is gone finds its way by the records of the sent-by (RFC 3263 §5). */
import { describe, expect, test } from "bun:test";
import { a, srv } from "../dns/name-servers.ts";
import { leftovers, NOTHING_LEFT, Phone, SETTLE_MS } from "./kit.ts";
import { named } from "./named.ts";

const RECORDS = [
  srv("_sip._tcp.home.test", [0, 0, 5070, "backup.home.test"]),
  a("backup.home.test", "198.51.100.70"),
];

/** A proxy at home.test calls bob over TCP; its connection breaks while he rings. */
function rig(sentBy: string) {
  const { world, queries } = named(RECORDS, '[dns]\nfamilies = ["ipv4"]\n');
  const home = new Phone(world, "home", "198.51.100.7", 5099, "tcp");
  const backup = new Phone(world, "backup", "198.51.100.70", 5070, "tcp");
  const bob = new Phone(world, "bob", "198.51.100.8");
  bob.register();
  home.send(home.write("INVITE", "sip:bob@example.test").replace(home.sentBy, sentBy));
  world.run(20);
  for (const connection of world.transports.connections) connection.close("reset");
  bob.answer(bob.incoming("INVITE"), 180);
  bob.answer(bob.incoming("INVITE"), 200);
  world.run(50);
  return { world, home, backup, queries };
}

describe("B-11 RFC 3263 §5 responses", () => {
  test("nobody at the source address: SRV of the sent-by name for the same transport, then its address", () => {
    const { world, home, backup, queries } = rig("home.test");
    expect(queries()).toEqual(["SRV _sip._tcp.home.test", "A backup.home.test"]);
    expect([home.statuses("INVITE"), backup.statuses("INVITE")]).toEqual([[], [180, 200]]);
    world.run(2 * SETTLE_MS);
    expect(leftovers(world)).toEqual(NOTHING_LEFT);
  });

  test("the sent-by port at the source address takes it: nothing is looked up", () => {
    const { home, queries } = rig("home.test:5099");
    expect([home.statuses("INVITE"), queries()]).toEqual([[180, 200], []]);
  });
});
