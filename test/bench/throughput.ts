#!/usr/bin/env bun
/**
 * The highest rate at which 99 of 100 answers come within 10 ms: requests are sent on time whether or not answers come
 * (open loop), REGISTER and MESSAGE to a phone, the servers in turn.
 *
 *     bun test/bench/throughput.ts [--rounds N]
 */
import { parseArgs } from "node:util";
import { registerMany } from "./load.ts";
import type { Peer } from "./load-peer.ts";
import { answer, NOTHING, nextSerial, open } from "./load-peer.ts";
import type { Kind } from "./servers.ts";
import { isInstalled, PHONE_PORT, REALM, start } from "./servers.ts";

const { values } = parseArgs({ args: process.argv.slice(2), options: { rounds: { type: "string" } } });
const ROUNDS = Number(values.rounds ?? 3);
const KINDS = (["sipedge", "kamailio tlsf", "kamailio default"] as const).filter(isInstalled);
const P99_MS_MAX = 10;
/** Answers that may be missing, of all. */
const LOST_MAX = 0.001;
const TRIAL_S = 2;
const TICK_MS = 2;
const WAIT_MS = 500;
const RATE_MAX = 80_000;
const STEPS = 7;
/** A load that cannot be sent in time measures nothing. */
const OVERRUN_MAX = 1.05;
const USERS = 1000;
const PLAIN = { digest: false, durable: false };

const METHODS = ["REGISTER", "MESSAGE"] as const;
type Method = (typeof METHODS)[number];

function request(method: Method, n: number, peer: Peer): string {
  const user = `m${n % USERS}`;
  const contact =
    method === "REGISTER" ? `Contact: <sip:${user}@127.0.0.1:${PHONE_PORT}>\r\nExpires: 3600\r\n` : "";
  const uri = method === "REGISTER" ? `sip:${REALM}` : `sip:${user}@${REALM}`;
  return `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKt${n}\r\nMax-Forwards: 70\r\nFrom: <sip:${user}@${REALM}>;tag=t\r\nTo: <sip:${user}@${REALM}>\r\nCall-ID: ${method}-${user}\r\nCSeq: ${n} ${method}\r\n${contact}${NOTHING}`;
}

/** Whether so many a second are answered in time. */
async function keepsUp(method: Method, rate: number): Promise<boolean> {
  const begun = new Map<number, number>();
  const took: number[] = [];
  const peer = await open((text) => {
    const n = Number(/CSeq: (\d+)/.exec(text)?.[1]);
    const at = begun.get(n);
    if (at === undefined || !text.startsWith("SIP/2.0 200")) return;
    begun.delete(n);
    took.push(performance.now() - at);
  });
  const count = rate * TRIAL_S;
  const start_ms = performance.now();
  for (let sent = 0; sent < count; await Bun.sleep(TICK_MS)) {
    const due = Math.min(count, ((performance.now() - start_ms) * rate) / 1000);
    for (; sent < due; sent++) {
      const n = nextSerial();
      begun.set(n, start_ms + (1000 * sent) / rate); // when it was due, not when we got round to it
      peer.send(request(method, n, peer));
    }
  }
  const overran = performance.now() - start_ms > 1000 * TRIAL_S * OVERRUN_MAX;
  await Bun.sleep(WAIT_MS);
  peer.close();
  took.sort((a, b) => a - b);
  return (
    !overran &&
    begun.size <= count * LOST_MAX &&
    (took[Math.floor(took.length * 0.99)] ?? Number.NaN) < P99_MS_MAX
  );
}

/** The highest rate that it keeps up with, found by halving. */
async function highest(kind: Kind, method: Method): Promise<number> {
  const server = await start(kind, PLAIN);
  const phone = await open(
    (text, peer) => {
      if (text.startsWith("MESSAGE")) answer(peer, text, "200 OK", NOTHING);
    },
    "udp",
    PHONE_PORT,
  );
  try {
    await registerMany(USERS);
    await keepsUp(method, 1000); // warm
    let [low, high] = [0, RATE_MAX];
    for (let step = 0; step < STEPS; step++) {
      const rate = (low + high) / 2;
      if (await keepsUp(method, rate)) low = rate;
      else high = rate;
      await Bun.sleep(WAIT_MS);
    }
    return low;
  } finally {
    phone.close();
    await server.stop();
  }
}

for (const method of METHODS) {
  const rates = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of KINDS) rates.get(kind)!.push(await highest(kind, method));
  for (const [kind, all] of rates) {
    const sorted = all.toSorted((a, b) => a - b);
    process.stdout.write(
      `${method}, ${kind}: ${sorted[sorted.length >> 1]} a second (${sorted[0]}–${sorted.at(-1)})\n`,
    );
  }
}
