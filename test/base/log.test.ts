import { describe, expect, test } from "bun:test";
import { LineLog } from "../../src/base/log.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

function rig(options: { level?: "debug" | "info" | "warn" | "error"; format?: "text" | "json" } = {}) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  return { clock, lines, log: new LineLog(clock, (line) => lines.push(line), options) };
}

describe("log lines", () => {
  test("time, level, event and fields; absent fields are left out", () => {
    const { clock, lines, log } = rig();
    log.warn("refused", { status: 403, from: "udp:a>b", trusted: false, call_id: null, gone: undefined });
    const time = new Date(clock.wall()).toISOString();
    expect(lines).toEqual([`${time} warn  refused status=403 from=udp:a>b trusted=false call_id=null`]);
  });

  test("below the level nothing is written", () => {
    const { lines, log } = rig({ level: "warn" });
    log.debug("a");
    log.info("b");
    log.warn("c");
    log.error("d");
    expect(lines.map((line) => line.split(" ").at(-1))).toEqual(["c", "d"]);
  });

  test("the default level is info", () => {
    const { lines, log } = rig();
    log.debug("a");
    log.info("b");
    expect(lines).toHaveLength(1);
  });

  const hostile = [
    "two words",
    "line\r\n2026-01-01T00:00:00.000Z error forged",
    "line\nnext",
    'quote" status=200',
    "tab\tnul\u0000escape\u001b[31m",
    "",
    "\u2028separator",
    "caf\u00e9",
  ];
  for (const value of hostile)
    test(`${JSON.stringify(value)} stays one quoted value on one line`, () => {
      const { lines, log } = rig();
      log.info("seen", { value, next: "x" });
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toMatch(/[\r\n\u0000\u001b\t]/);
      const quoted = lines[0]!.slice(lines[0]!.indexOf("value=") + 6, lines[0]!.lastIndexOf(" next=x"));
      expect(quoted.startsWith('"')).toBe(true);
      expect(JSON.parse(quoted)).toBe(value);
    });

  test("a value of 500 characters passes, a longer one is cut", () => {
    const { lines, log } = rig();
    log.info("long", { value: "x".repeat(500) });
    log.info("long", { value: "x".repeat(100_000) });
    expect(lines[0]).toEndWith("x".repeat(500));
    expect(lines[1]!.length).toBeLessThan(600);
  });

  test("json: one object per line with the same fields", () => {
    const { clock, lines, log } = rig({ format: "json" });
    log.error("broken", { why: 'a "b"\nc', count: 3 });
    expect(lines[0]).not.toContain("\n");
    expect(JSON.parse(lines[0]!)).toEqual({
      time: new Date(clock.wall()).toISOString(),
      level: "error",
      event: "broken",
      why: 'a "b"\nc',
      count: 3,
    });
  });

  test("json: a field cannot pass itself off as time, level or event", () => {
    const { lines, log } = rig({ format: "json" });
    log.info("real", { event: "forged", level: "error", time: "never" });
    const line = JSON.parse(lines[0]!);
    expect([line.event, line.level]).toEqual(["real", "info"]);
  });
});

describe("rate of log lines", () => {
  test("20 lines of an event in ten seconds; the next window says how many were left out", () => {
    const { clock, lines, log } = rig();
    for (let i = 0; i < 50; i++) log.info("flood", { i });
    expect(lines).toHaveLength(20);
    clock.advance(9_999);
    log.info("flood", { i: 50 });
    expect(lines).toHaveLength(20);
    clock.advance(1);
    log.info("flood", { i: 51 });
    expect(lines).toHaveLength(21);
    expect(lines[20]).toEndWith("i=51 left_out=31");
    log.info("flood", { i: 52 });
    expect(lines[21]).toEndWith("i=52");
  });

  test("one event's flood silences no other event", () => {
    const { lines, log } = rig();
    for (let i = 0; i < 100; i++) log.info("flood");
    log.info("other");
    expect(lines.at(-1)).toEndWith("other");
  });

  test("lines below the level use nothing up", () => {
    const { lines, log } = rig();
    for (let i = 0; i < 100; i++) log.debug("event");
    log.info("event");
    expect(lines).toHaveLength(1);
  });
});
