/** What `sipedge doctor` makes of a config and a machine. */
import { Database } from "bun:sqlite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificates } from "../../src/app/doctor/certificates.ts";
import type { Finding } from "../../src/app/doctor/finding.ts";
import { findingsText, good, stops } from "../../src/app/doctor/finding.ts";
import { clock, disk, openFiles, store } from "../../src/app/doctor/machine.ts";
import { addresses, names, ports } from "../../src/app/doctor/network.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import type { KeyPair } from "../support/authority.ts";
import { Authority } from "../support/authority.ts";
import { SIPEDGE } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";
import { VirtualClock } from "../support/virtual-clock.ts";
import { configOf } from "../support/world.ts";

const made: string[] = [];
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "sipedge-doctor-"));
  made.push(path);
  return path;
};
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});
const listen = (lines: string) => configOf(`[[listen]]\n${lines}`);

describe("B-77 doctor", () => {
  test("only private addresses and nothing advertised: a NAT in front is named, with what to do", () => {
    const found = addresses(configOf(""), ["127.0.0.1", "192.168.1.5", "fd00::5"]);
    expect(found).toMatchObject({ weight: "may_stop", about: "NAT in front" });
    expect(found.cure).toContain("listen.advertise");
    expect(addresses(configOf(""), ["192.168.1.5", "198.51.100.7"]).weight).toBe("good");
    expect(addresses(listen('advertise = "203.0.113.5"'), ["192.168.1.5"]).weight).toBe("good");
    expect(addresses(listen('address = "127.0.0.1"'), ["192.168.1.5"]).weight).toBe("may_stop");
  });
  test("a port that is taken stops calls, one that is ours does not", async () => {
    const squatter = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    try {
      const config = listen(`address = "127.0.0.1"\nport = ${squatter.port}`);
      const [found] = await ports(config, false);
      expect(found).toMatchObject({ weight: "stops", about: "ports" });
      expect(found?.found).toContain(`127.0.0.1:${squatter.port}`);
      expect((await ports(config, true))[0]?.weight).toBe("good");
    } finally {
      squatter.close();
    }
  });
  test("names: addresses are not asked for, and no domain is no mistake", async () => {
    expect((await names(configOf('domains = ["192.0.2.1"]'))).map(({ weight }) => weight)).toEqual(["good"]);
  });
  test("a damaged store stops, a whole one and none do not", () => {
    const dir = folder();
    expect(store(dir).weight).toBe("good");
    new SqliteFile(dir, new VirtualClock()).close();
    expect(store(dir).weight).toBe("good");
    const db = new Database(join(dir, "sipedge.db"));
    db.run("INSERT INTO migrations VALUES ('0999-future', 1)");
    db.close(true);
    expect(store(dir)).toMatchObject({ weight: "stops" });
    writeFileSync(join(dir, "sipedge.db"), "no database ".repeat(1000));
    expect(store(dir)).toMatchObject({ weight: "stops" });
  });
  test("the disk is looked at where the folder will be made", () => {
    expect(disk(join(folder(), "not", "yet")).about).toBe("disk");
  });
  test("a clock that woke up in 1970 stops", () => {
    const at = (wall_ms: number) => clock({ ...new VirtualClock(), wall: () => wall_ms } as VirtualClock);
    expect(at(1000).weight).toBe("stops");
    expect(at(Date.UTC(2027, 0, 1)).weight).not.toBe("stops");
  });
  test("few open files are told with what a call takes", () => {
    const file = join(folder(), "limits");
    writeFileSync(file, "Max open files            1024                 1024                 files\n");
    expect(openFiles(file).weight).toBe("may_stop");
    writeFileSync(file, "Max open files            1024                 65536                files\n");
    expect(openFiles(file).weight).toBe("good");
  });
  test("each finding has a line, each that is not good what to do; nothing steers the terminal", () => {
    const text = findingsText([good("a", "fine"), stops("b", "bad\u001b[2J", "mend it")]);
    expect(text).toBe("ok    a: fine\nBAD   b: bad·[2J\n      mend it\n1 to mend, 0 to look at\n");
  });
});

describe.skipIf(missing("doctor and certificates", "openssl"))("ARC-25, B-77 doctor: certificates", () => {
  let authority: Authority;
  let pair: KeyPair;
  let now = 0;
  beforeAll(() => {
    authority = new Authority();
    pair = authority.issue("edge", { names: ["DNS:a.test", "DNS:www.a.test"], days: 90 });
    now = Date.now(); // after it was made: nothing holds before
  });
  afterAll(() => authority?.[Symbol.dispose]());

  const DAYS = 86_400_000;
  const TLS = '[[listen]]\ntransport = "tls"\naddress = "192.0.2.1"\nport = 5061\n';
  const found = (files: KeyPair, { domains = ["a.test"], at = now, more = "" } = {}): Finding[] => {
    const toml = `domains = ${JSON.stringify(domains)}\n${TLS}`;
    const entry = `[[certificate]]\nfile = "${files.file}"\nkey = "${files.key}"\n`;
    return certificates(configOf(`${toml}${entry}${more}`), at);
  };

  test("a good one for a domain: its names and its end, and which of its names are no domain", () => {
    const [only, ...more] = found(pair);
    expect(only).toMatchObject({ weight: "good", cure: null });
    expect(only!.found).toMatch(
      /edge\.pem for a\.test until \d{4}-\d\d-\d\d; www\.a\.test in it is no domain here$/,
    );
    expect(more).toEqual([]);
  });
  test("a file or a key that is not there, or no PEM, stops", () => {
    const gone = { ...pair, key: "/nowhere/key.pem" };
    expect(found(gone)[0]).toMatchObject({
      weight: "stops",
      found: expect.stringContaining("/nowhere/key.pem"),
    });
    expect(found(gone)[0]!.cure).toContain("the user that runs sipedge");
    const text = join(folder(), "text.pem");
    writeFileSync(text, "no certificate");
    expect(found({ ...pair, file: text })[0]!.found).toContain("holds no PEM certificate");
    expect(found({ ...pair, key: text })[0]!.found).toContain("holds no PEM private key");
  });
  test("another one's key stops", () => {
    const other = authority.issue("other", { names: ["DNS:a.test"] });
    const [first] = found({ file: pair.file, key: other.key });
    expect(first).toMatchObject({ weight: "stops", cure: expect.stringContaining("one pair") });
  });
  test("not yet, not any more, and not for long", () => {
    expect(found(pair, { at: now - 2 * DAYS })[0]).toMatchObject({ weight: "stops" });
    expect(found(pair, { at: now - 2 * DAYS })[0]!.cure).toContain("clock");
    expect(found(pair, { at: now + 91 * DAYS })[0]).toMatchObject({ weight: "stops" });
    const soon = found(pair, { at: now + 70 * DAYS })[0]!;
    expect(soon).toMatchObject({ weight: "may_stop", cure: expect.stringContaining("renew") });
    expect(soon.found).toMatch(/expires in (19|20) days/);
    expect(found(pair, { at: now + 59 * DAYS })[0]!.weight).toBe("good");
  });
  test("names that no domain has, and a domain that no certificate has, are told each", () => {
    const [names, domain] = found(pair, { domains: ["b.test"] });
    expect(names).toMatchObject({ weight: "may_stop", found: expect.stringContaining("a.test, www.a.test") });
    expect(domain).toMatchObject({ weight: "may_stop", found: "none is for b.test" });
  });
  test("an address is a name as well; without TLS listeners and certificates there is nothing to say", () => {
    const own = authority.issue("own", { names: ["IP:192.0.2.1"], days: 90 });
    expect(found(own, { domains: [] })[0]).toMatchObject({ weight: "good" });
    expect(certificates(configOf('domains = ["a.test"]'), now)).toEqual([]);
  });
  test("the ports of TLS listeners are tried with their certificates", async () => {
    const listen = '[[listen]]\ntransport = "tls"\naddress = "127.0.0.1"\nport = 0\n';
    const entry = `[[certificate]]\nfile = "${pair.file}"\nkey = "${pair.key}"\n`;
    expect(await ports(configOf(listen + entry), false)).toMatchObject([{ weight: "good", about: "ports" }]);
  });
  test("check says it too, and fails where phones would refuse it", async () => {
    const file = join(folder(), "sipedge.toml");
    const check = async (key: string) => {
      const toml = `domains = ["b.test"]\n${TLS}[[certificate]]\nfile = "${pair.file}"\nkey = "${key}"\n`;
      writeFileSync(file, toml);
      const program = new Program([...SIPEDGE, "check", file]);
      return { code: await program.ended(), said: program.output };
    };
    const warned = await check(pair.key);
    expect(warned.said).toContain("none is for b.test");
    expect(warned.said).toContain("no mistakes found");
    expect(warned.code).toBe(0);
    const refused = await check("/nowhere/key.pem");
    expect(refused.said).toContain("/nowhere/key.pem cannot be read");
    expect(refused.said).not.toContain("no mistakes found");
    expect(refused.code).toBe(1);
  });
});
