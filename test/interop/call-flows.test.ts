/**
 * The call flows of RFC 3665 and their neighbours with sipp on both sides: every message on a real socket.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import type { SippOptions } from "./sipp.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

const EDGE_ADDRESS = "127.0.0.2";
const CALLER = "127.0.0.11";
const CALLEE = "127.0.0.12";

/** Every story has a caller and a callee of its own, so that they can run at the same time. */
const ACCOUNTS = Array.from({ length: 60 }, (_, i) => [`caller${i}`, `callee${i}`]).flat();
const PASSWORD = "a long secret";
const TOML = [
  "[auth]",
  'algorithms = ["MD5"]', // all that sipp 3.6 can do
  "[timers]",
  "t1_ms = 100", // gives up after 6.4 s instead of 32
  ...ACCOUNTS.map((name) => `[[user]]\nname = "${name}"\npassword = "${PASSWORD}"`),
].join("\n");

let edge: Edge;
let stories = 0;

/** Registers a contact the way phones do, with the password. */
function register(user: string, contact: string, expires = "600"): Promise<Sipp> {
  return sipp({
    scenario: "register",
    target: edge.hostPort,
    address: CALLEE,
    user,
    password: PASSWORD,
    keys: { contact: `<${contact}>`, expires },
  });
}

interface Story {
  readonly caller: Partial<SippOptions> & { scenario: string };
  /** One phone each; more than one: the call forks. */
  readonly callees: readonly (Partial<SippOptions> & { scenario: string })[];
  readonly calls?: number;
  readonly rate?: number;
}

/** Starts the called phones, registers them under one name, calls them, and waits until all are through. */
async function play(story: Story): Promise<{ caller: Sipp; callees: readonly Sipp[] }> {
  const number = stories++;
  const { calls = 1, rate = 10 } = story;
  const peer = `callee${number}`;
  const callees = await Promise.all(
    story.callees.map((callee) => Sipp.start({ address: CALLEE, user: peer, calls, ...callee })),
  );
  for (const [i, callee] of callees.entries()) {
    const tcp = story.callees[i]!.transport?.startsWith("t") ? ";transport=tcp" : "";
    await register(peer, callee.contact(peer) + tcp);
  }
  const caller = await sipp({
    target: edge.hostPort,
    address: CALLER,
    user: `caller${number}`,
    password: PASSWORD,
    calls,
    rate,
    ...story.caller,
    keys: { peer, ...story.caller.keys },
  });
  await Promise.all(callees.map((callee) => callee.succeeds()));
  return { caller, callees };
}

const skip = missing("call flows of RFC 3665", "sipp");

describe.skipIf(skip)("call flows of RFC 3665 with sipp", () => {
  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE_ADDRESS], toml: TOML });
  });
  afterAll(async () => {
    expect(await edge.stop()).toBe(0);
  });
  test("x", async () => {
    const { caller, callees } = await play({
      caller: { scenario: process.env.A! },
      callees: [{ scenario: process.env.B!, keys: { hold: "100", status: "486", reason: "Busy Here" } }],
    });
    console.log(callees[0].received(/./).join("\n---\n"));
  }, 30_000);
});
