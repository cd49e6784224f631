/**
 * The NAT boxes of the lab are what they say they are: their mapping and their filtering as RFC 4787 names
 * them, before anything is said about SIP through them.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { eventually, type Program } from "../support/process.ts";
import { Lab, noLab } from "./lab.ts";
import type { Namespace } from "./namespace.ts";
import { FORGETFUL, NAT_KINDS, type NatBox, type NatKind } from "./nat-box.ts";

const UDP_END = join(import.meta.dir, "udp-end.ts");
const [ONE, OTHER] = ["203.0.113.1", "203.0.113.2"];
const HOST = "192.168.1.10";
/** How long nothing must come before it counts as filtered: on one machine a packet takes less than 1 ms. */
const SILENCE_MS = 150;

const EXPECTED: Record<NatKind, { mapping: string; from: readonly string[] }> = {
  full_cone: { mapping: "same", from: ["asked", "other port", "other address"] },
  restricted: { mapping: "same", from: ["asked", "other port"] },
  port_restricted: { mapping: "same", from: ["asked"] },
  symmetric: { mapping: "other", from: ["asked"] },
};

setDefaultTimeout(30_000);

async function open(space: Namespace, ...places: readonly string[]): Promise<Program> {
  const end = space.start([process.execPath, UDP_END, ...places]);
  await end.says(/^open$/m);
  return end;
}

/** The outer port a text came from. */
async function heardFrom(end: Program, text: string): Promise<number> {
  const [, port] = await end.says(new RegExp(`^heard ${text} from [\\d.]+:(\\d+)$`, "m"));
  return Number(port);
}

describe.skipIf(noLab("the NAT boxes themselves"))("RFC 4787 NAT boxes of the lab", () => {
  let lab: Lab;
  let one: Namespace;
  let other: Namespace;

  beforeAll(() => {
    lab = new Lab("boxes");
    one = lab.host("one", ONE);
    other = lab.host("other", OTHER);
  });
  afterAll(() => lab?.close());

  function site(kind: NatKind, number: number): { box: NatBox; host: Namespace } {
    const box = lab.nat(kind, {
      kind,
      outside: `203.0.113.${100 + number}`,
      inside: "192.168.1.1",
      timeouts: FORGETFUL,
    });
    return { box, host: lab.behind(box, `${kind}-host`, HOST) };
  }

  test.each(NAT_KINDS.map((kind, number) => ({ kind, number })))(
    "NAT-08, NAT-09, NAT-10, NAT-11 $kind: maps and filters as its name says",
    async ({ kind, number }) => {
      const { box, host } = site(kind, number);
      const inner = await open(host, `${HOST}:4000`, `${ONE}:5000=first`, `${OTHER}:5000=second`);
      const asked = await open(one, `${ONE}:5000`);
      inner.signal("SIGUSR1");
      const mapped = `${box.options.outside}:${await heardFrom(asked, "first")}`;
      await asked.stop();

      const strangers = await Promise.all([
        open(one, `${ONE}:5000`, `${mapped}=asked`),
        open(one, `${ONE}:5001`, `${mapped}=other port`),
        open(other, `${OTHER}:5001`, `${mapped}=other address`),
      ]);
      for (const stranger of strangers) stranger.signal("SIGUSR1");
      await inner.says(/heard asked/);
      await Bun.sleep(SILENCE_MS);
      const from = [...inner.output.matchAll(/^heard (.+) from/gm)].map((match) => match[1]!);
      expect(from.toSorted()).toEqual(EXPECTED[kind].from.toSorted());

      const late = await open(other, `${OTHER}:5000`);
      inner.signal("SIGUSR2");
      const again = `${box.options.outside}:${await heardFrom(late, "second")}`;
      expect(again === mapped ? "same" : "other").toBe(EXPECTED[kind].mapping);
      await Promise.all([inner, late, ...strangers].map((end) => end.stop()));
    },
  );

  test("NAT-29: a mapping is gone when nothing passed for its time, or when the table is flushed", async () => {
    const box = lab.nat("forgets", {
      kind: "port_restricted",
      outside: "203.0.113.120",
      inside: "192.168.1.1",
      timeouts: FORGETFUL,
    });
    const host = lab.behind(box, "forgets-host", HOST);
    const inner = await open(host, `${HOST}:4000`, `${ONE}:5010=first`);
    const outer = await open(one, `${ONE}:5010`, "203.0.113.120:4000=answer");
    inner.signal("SIGUSR1");
    expect(await heardFrom(outer, "first")).toBe(4000);
    expect(box.mappedPorts(HOST)).toEqual([4000]);
    box.forget();
    expect(box.mappedPorts(HOST)).toEqual([]);
    inner.signal("SIGUSR1");
    await eventually("the second datagram", () => outer.output.match(/heard first/g)?.length === 2);
    const gone = 2 * FORGETFUL.udp_s * 1000;
    await eventually("the mapping to end", () => !box.mapsUdp, gone);
    outer.signal("SIGUSR1");
    await Bun.sleep(SILENCE_MS);
    expect(inner.output).not.toContain("answer");
  });
});
