/** What `sipedge doctor` makes of a config and a machine. */
import { Database } from "bun:sqlite";
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findingsText, good, stops } from "../../src/app/doctor/finding.ts";
import { clock, disk, openFiles, store } from "../../src/app/doctor/machine.ts";
import { addresses, names, ports } from "../../src/app/doctor/network.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
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
