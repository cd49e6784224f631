/**
 * A stranger sends five times what the appliance could handle as calls, for longer than the calls take: calls of those
 * we know go on as if nothing were.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Edge } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";

setDefaultTimeout(120_000);

const EDGE = "127.0.0.43";
const CALLEE = "127.0.0.44";
const CALLER = "127.0.0.45";
const STRANGER = "127.0.0.66";
const CALLS = 800;
const CALLS_PER_S = 100;
/** A call costs 0.2 ms of one core: 5,000 a second. */
const FLOOD_PER_S = 25_000;
const FLOOD_S = 14;
const SHARE_MIN = 0.8;
const STORIES = join(import.meta.dir, "../interop/sipp");

describe.skipIf(missing("a flood", "sipp"))("ARC-20 a flood of a stranger", () => {
  test(`${FLOOD_PER_S} INVITEs a second beside ${CALLS_PER_S} calls a second: at least ${100 * SHARE_MIN} % of the calls are answered`, async () => {
    const edge = await Edge.start({
      addresses: [EDGE],
      toml: `[auth]\ntrusted_networks = ["${CALLEE}/32", "${CALLER}/32"]\n`,
    });
    try {
      const sipp = (
        story: readonly string[],
        from: string,
        port: number,
        calls: number,
        ...more: string[]
      ): Program =>
        new Program([
          "sipp",
          ...story,
          "-i",
          from,
          "-p",
          `${port}`,
          "-m",
          `${calls}`,
          "-nostdin",
          "-timeout",
          "60s",
          ...more,
        ]);
      const contact = `<sip:bob@${CALLEE}:6001>`;
      const keys = { user: "bob", domain: EDGE, contact, expires: "600" };
      const words = Object.entries(keys).flatMap(([key, value]) => ["-key", key, value]);
      const register = sipp(
        ["-sf", join(STORIES, "register-openly.xml")],
        CALLEE,
        6001,
        1,
        ...words,
        edge.hostPort,
      );
      expect(await register.ended()).toBe(0);
      const callee = sipp(["-sf", join(STORIES, "callee-is-hung-up.xml")], CALLEE, 6001, 2 * CALLS);
      const answered = async (): Promise<number> => {
        const caller = sipp(
          ["-sn", "uac", "-s", "bob", "-r", `${CALLS_PER_S}`],
          CALLER,
          6003,
          CALLS,
          edge.hostPort,
        );
        await caller.ended(70_000);
        const [, count] = /Successful call\s*\|\s*\d+\s*\|\s*(\d+)/.exec(caller.output.slice(-4000)) ?? [];
        return Number(count ?? 0);
      };
      const alone = await answered();
      expect(alone).toBe(CALLS);
      const sender = join(import.meta.dir, "flood-sender.ts");
      const flood = new Program([
        process.execPath,
        sender,
        `${FLOOD_PER_S}`,
        `${FLOOD_S}`,
        STRANGER,
        edge.hostPort,
      ]);
      const beside = await answered();
      expect(beside / alone).toBeGreaterThanOrEqual(SHARE_MIN);
      expect(await flood.ended(60_000)).toBe(0);
      const sent = Number(/sent (\d+)/.exec(flood.output)?.[1]);
      const metrics = await (await fetch(`${edge.api}/metrics`)).text();
      const dropped = Number(/guard_dropped_total\{reason="rate"\} (\d+)/.exec(metrics)?.[1]);
      process.stdout.write(`${beside} of ${CALLS} calls answered, ${dropped} of ${sent} INVITEs dropped\n`);
      expect(dropped).toBeGreaterThan(sent / 2);
      await callee.stop();
    } finally {
      await edge.stop();
    }
  });
});
