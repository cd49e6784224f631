#!/usr/bin/env bun
/**
 * The highest rate at which 99 of 100 answers come within 10 ms of when their request was due: requests are sent on time
 * whether or not answers come (open loop); REGISTER, MESSAGE to a phone, and calls; the servers in turn. Of a call the
 * time from INVITE to its 200 counts; all of it, to BYE's 200, has to end.
 *
 *     bun test/bench/throughput.ts [--only WORD] [--rounds N] [--short]
 */
import { parseArgs } from "node:util";
import { registerMany } from "./load.ts";
import { openCaller, openPhones, takesCalls } from "./load-calls.ts";
import type { Peer } from "./load-peer.ts";
import { answer, NOTHING, nextSerial, open } from "./load-peer.ts";
import type { Kind, Server } from "./servers.ts";
import { isInstalled, PHONE_PORT, REALM, start } from "./servers.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: { only: { type: "string" }, rounds: { type: "string" }, short: { type: "boolean" } },
});
const ROUNDS = Number(values.rounds ?? (values.short ? 1 : 3));
const KINDS = (["sipedge", "kamailio tlsf", "kamailio default"] as const).filter(isInstalled);
const P99_MS_MAX = 10;
/** Operations that may not end well, of all. */
const LOST_MAX = 0.001;
const TRIAL_S = values.short ? 1 : 2;
const TICK_MS = 2;
const WAIT_MS = 500;
/** CPU time in WAIT_MS of a server that has nothing left to do. */
const QUIET_MS = 20;
/** As long as a transaction repeats itself (RFC 3261 §17.1.1.2 Timer B). */
const SETTLE_MS_MAX = 32_000;
const STEPS = values.short ? 4 : 7;
/** A load that cannot be sent in time measures nothing. */
const OVERRUN_MAX = 1.05;
const USERS = 1000;
const WARM_RATE = 1000;
const PLAIN = { digest: false, durable: false };

/** What becomes of the operations under way, each of which has a number. */
interface Heard {
  answered(n: number): void;
  ended(n: number): void;
}

interface Load {
  begin(n: number): void;
  close(): void;
}

interface Job {
  readonly name: string;
  /** No server is asked for more than this. */
  readonly rate_max: number;
  /** The phones that are called. */
  phones(): Promise<readonly Peer[]>;
  load(heard: Heard): Promise<Load>;
}

const JOBS: readonly Job[] = [
  {
    name: "REGISTER",
    rate_max: 80_000,
    phones: async () => [],
    load: (heard) => requests("REGISTER", heard),
  },
  { name: "MESSAGE", rate_max: 80_000, phones: messagePhone, load: (heard) => requests("MESSAGE", heard) },
  { name: "call", rate_max: 16_000, phones: () => openPhones([takesCalls()]), load: callsOf },
];

async function messagePhone(): Promise<readonly Peer[]> {
  await registerMany(USERS);
  const takes = (text: string, peer: Peer): void => {
    if (text.startsWith("MESSAGE")) answer(peer, text, "200 OK", NOTHING);
  };
  return [await open(takes, "udp", PHONE_PORT)];
}

async function requests(method: "REGISTER" | "MESSAGE", heard: Heard): Promise<Load> {
  const peer = await open((text) => {
    const n = Number(/CSeq: (\d+)/.exec(text)?.[1]);
    if (!text.startsWith("SIP/2.0 200")) return;
    heard.answered(n);
    heard.ended(n);
  });
  const contact =
    method === "REGISTER" ? (user: string) => `Contact: <sip:${user}@127.0.0.1:${PHONE_PORT}>\r\n` : () => "";
  const begin = (n: number): void => {
    const user = `m${n % USERS}`;
    const uri = method === "REGISTER" ? `sip:${REALM}` : `sip:${user}@${REALM}`;
    peer.send(
      `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKt${n}\r\nMax-Forwards: 70\r\nFrom: <sip:${user}@${REALM}>;tag=t\r\nTo: <sip:${user}@${REALM}>\r\nCall-ID: ${method}-${user}\r\nCSeq: ${n} ${method}\r\n${contact(user)}${NOTHING}`,
    );
  };
  return { begin, close: peer.close };
}

async function callsOf(heard: Heard): Promise<Load> {
  const numberOf = (id: string): number => Number(/call-(\d+)/.exec(id)?.[1]);
  const caller = await openCaller({
    answered: (id) => {
      heard.answered(numberOf(id));
      return true;
    },
    ended: (id) => heard.ended(numberOf(id)),
    refused: () => {}, // it does not end
  });
  return { begin: caller.invite, close: caller.close };
}

/** Whether so many a second are answered in time. */
async function keepsUp(job: Job, rate: number): Promise<boolean> {
  const due_ms = new Map<number, number>();
  const underWay = new Set<number>();
  const took: number[] = [];
  const load = await job.load({
    answered(n) {
      const due = due_ms.get(n);
      if (due_ms.delete(n)) took.push(performance.now() - due!);
    },
    ended: (n) => void underWay.delete(n),
  });
  const count = rate * TRIAL_S;
  const start_ms = performance.now();
  for (let sent = 0; sent < count; await Bun.sleep(TICK_MS)) {
    const due = Math.min(count, ((performance.now() - start_ms) * rate) / 1000);
    for (; sent < due; sent++) {
      const n = nextSerial();
      due_ms.set(n, start_ms + (1000 * sent) / rate); // when it was due, not when we got round to it
      underWay.add(n);
      load.begin(n);
    }
  }
  const overran = performance.now() - start_ms > 1000 * TRIAL_S * OVERRUN_MAX;
  await Bun.sleep(WAIT_MS);
  load.close();
  took.sort((a, b) => a - b);
  const p99_ms = took[Math.floor(took.length * 0.99)] ?? Number.NaN;
  return !overran && underWay.size <= count * LOST_MAX && p99_ms < P99_MS_MAX;
}

/** An overload leaves work behind, repeats among it, which must not count against the next rate. */
async function settled(server: Server): Promise<void> {
  for (let waited = 0; waited < SETTLE_MS_MAX; waited += WAIT_MS) {
    const before = server.cpuMs();
    await Bun.sleep(WAIT_MS);
    if (server.cpuMs() - before <= QUIET_MS) return;
  }
}

/** The highest rate that it keeps up with, found by halving. */
async function highest(kind: Kind, job: Job): Promise<number> {
  const server = await start(kind, PLAIN);
  try {
    const phones = await job.phones();
    try {
      await keepsUp(job, WARM_RATE);
      let [low, high] = [0, job.rate_max];
      for (let step = 0; step < STEPS; step++) {
        const rate = (low + high) / 2;
        if (await keepsUp(job, rate)) low = rate;
        else high = rate;
        await settled(server);
      }
      return low;
    } finally {
      for (const phone of phones) phone.close();
    }
  } finally {
    await server.stop();
  }
}

for (const job of JOBS.filter(({ name }) => name.includes(values.only ?? ""))) {
  const rates = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of KINDS) rates.get(kind)!.push(await highest(kind, job));
  for (const [kind, all] of rates) {
    const sorted = all.toSorted((a, b) => a - b);
    process.stdout.write(
      `${job.name}, ${kind}: ${sorted[sorted.length >> 1]} a second (${sorted[0]}–${sorted.at(-1)}, median of ${ROUNDS})\n`,
    );
  }
}
