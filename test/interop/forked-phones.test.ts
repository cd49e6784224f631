/**
 * Calls that ring several baresip phones: one user with three phones, a phone that registers while it
 * rings, and a ring group whose steps follow one another.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import type { Baresip } from "./baresip.ts";
import { accounts, Phones, talk } from "./phones.ts";
import { headers } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.5";
const TOML = `${accounts("alice", "bob", "gina", "dora", "emil", "frida")}
[[group]]
name = "sales"
ring = ["dora 2s", "emil frida"]
`;

const absent = missing("forked calls with phones", "baresip", "sox");

describe.skipIf(absent)("interop: forked calls with baresip", () => {
  let edge: Edge;
  let phones: Phones;
  let alice: Baresip;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
    phones = new Phones(edge, 71);
    alice = await phones.add("alice");
  });
  afterAll(async () => {
    await phones?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  const call = (name: string) => {
    alice.forget();
    alice.dial(`sip:${name}@${edge.hostPort}`);
  };
  const rings = (name: string) => phones.add(name, { answers: false });

  /** The phone rang, was cancelled because of the answer elsewhere, and has said 487. */
  async function lost(phone: Baresip, reason: RegExp): Promise<void> {
    await phone.event("CALL_CLOSED");
    const [cancel, ...more] = phone.received(/^CANCEL /);
    expect(more).toEqual([]);
    expect(headers(cancel!, "Reason").join(", ")).toMatch(reason);
    await eventually("487", () => phone.sent(/^SIP\/2\.0 487/).length > 0);
    await eventually("the ACK of the 487", () => phone.received(/^ACK /).length > 0);
    expect(phone.events).not.toContain("CALL_ESTABLISHED");
    expect(phone.received(/^BYE /)).toEqual([]);
  }

  test("FLOW-18, SRV-10, B-28 three phones ring, one answers, the others are told who did not miss a call", async () => {
    const [one, two, three] = [await rings("bob"), await rings("bob"), await rings("bob")];
    call("bob");
    for (const phone of [one, two, three]) await phone.event("CALL_INCOMING");
    await eventually("three 180", () => alice.received(/^SIP\/2\.0 180/).length === 3);
    two.command("accept");
    await two.event("CALL_ESTABLISHED");
    for (const phone of [one, three]) await lost(phone, /^SIP\s*;\s*cause=200\b/);
    await talk(alice, two);
    expect(alice.received(/^SIP\/2\.0 100/)).toHaveLength(1); // ours; theirs stay with us
    expect(two.received(/^CANCEL /)).toEqual([]);
  });

  test("B-22 late forking: a phone that registers while the other one rings takes the call", async () => {
    const first = await rings("gina");
    call("gina");
    await first.event("CALL_INCOMING");
    const late = await phones.add("gina");
    await talk(alice, late);
    await lost(first, /^SIP\s*;\s*cause=200\b/);
  });

  test("SVC-12 RFC 5359 §2.12 find-me: one phone for two seconds, then two, one of which answers", async () => {
    const [dora, emil, frida] = [await rings("dora"), await rings("emil"), await rings("frida")];
    call("sales");
    await dora.event("CALL_INCOMING");
    expect([emil.events, frida.events].flat()).not.toContain("CALL_INCOMING");
    await Promise.all([emil.event("CALL_INCOMING"), frida.event("CALL_INCOMING")]);
    await dora.event("CALL_CLOSED");
    frida.command("accept");
    await talk(alice, frida);
    await lost(emil, /^SIP\s*;\s*cause=200\b/);
    expect(dora.received(/^CANCEL /)).toHaveLength(1);
    expect(dora.events).not.toContain("CALL_ESTABLISHED");
  });
});
