#!/usr/bin/env bun
/**
 * `npm run bench`: CPU time per operation of sipedge beside Debian's Kamailio, on the same job, in one
 * run, round by round in turn. The jobs that have a target; --all: all jobs; --only WORD: those of all whose name has
 * the word. --part jobs|memory|idle: only this. --rounds N, --short, --no-kamailio. Ends with 1 when an operation fails.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { options as optionsLoad, registers } from "./load.ts";
import { calls, messages } from "./load-calls.ts";
import type { Kind, Server, Wishes } from "./servers.ts";
import { isInstalled, start } from "./servers.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    all: { type: "boolean" },
    only: { type: "string" },
    part: { type: "string" },
    rounds: { type: "string" },
    short: { type: "boolean" },
    "no-kamailio": { type: "boolean" },
  },
});
const ROUNDS = Number(values.rounds ?? (values.short ? 2 : 5));
const SCALE = values.short ? 0.1 : 1;
const PARTS = ["jobs", "memory", "idle"];
/** `--only` is about jobs. */
const parts = values.part !== undefined ? [values.part] : values.only !== undefined ? ["jobs"] : PARTS;

interface Job {
  readonly name: string;
  readonly operations: number;
  readonly wishes: Wishes;
  readonly run: (count: number) => Promise<void>;
  /** Ratios to reach, against tlsf and default (docs/performance.md). */
  readonly targets: readonly [number | null, number | null];
}

const PLAIN = { digest: false, durable: false };
const TCP = { ...PLAIN, tcp: true };
const TLS = { ...PLAIN, tls: true };
const UNTARGETED = [null, null] as const;

/** What `npm run bench` measures: the rows that have a target, and OPTIONS. */
const USUAL: readonly Job[] = [
  {
    name: "call with Record-Route",
    operations: 20_000,
    wishes: PLAIN,
    run: (n) => calls(n),
    targets: [0.8, 0.25],
  },
  {
    name: "REGISTER, durable here, in memory there",
    operations: 60_000,
    wishes: PLAIN,
    run: (n) => registers(n, false),
    targets: [1.3, 0.6],
  },
  {
    name: "REGISTER with digest, durable here, in memory there",
    operations: 60_000,
    wishes: { digest: true, durable: false },
    run: (n) => registers(n, true),
    targets: [1.4, null],
  },
  {
    name: "REGISTER, durable on both sides",
    operations: 8_000,
    wishes: { digest: false, durable: true },
    run: (n) => registers(n, false),
    targets: [0.12, null],
  },
  {
    name: "OPTIONS to itself",
    operations: 60_000,
    wishes: PLAIN,
    run: (n) => optionsLoad(n),
    targets: UNTARGETED,
  },
];

/** The same three over one connection for each phone; registrations are durable here, in memory there. */
const overStreams = (transport: "tcp" | "tls", wishes: Wishes): readonly Job[] => {
  const over = `over ${transport.toUpperCase()}`;
  return [
    {
      name: `call with Record-Route ${over}`,
      operations: 20_000,
      wishes,
      run: (n) => calls(n, { transport }),
      targets: UNTARGETED,
    },
    {
      name: `REGISTER ${over}`,
      operations: 60_000,
      wishes,
      run: (n) => registers(n, false, transport),
      targets: UNTARGETED,
    },
    {
      name: `OPTIONS ${over}`,
      operations: 60_000,
      wishes,
      run: (n) => optionsLoad(n, transport),
      targets: UNTARGETED,
    },
  ];
};

/** `--all` measures these too. */
const MORE: readonly Job[] = [
  {
    name: "call, not recorded and not traced",
    operations: 20_000,
    wishes: { ...PLAIN, bare: true },
    run: (n) => calls(n),
    targets: UNTARGETED,
  },
  ...[3, 10].map((contacts) => ({
    name: `call forked to ${contacts}`,
    operations: 30_000 / (2 * contacts),
    wishes: PLAIN,
    run: (n: number) => calls(n, { contacts }),
    targets: UNTARGETED,
  })),
  { name: "MESSAGE", operations: 40_000, wishes: PLAIN, run: messages, targets: UNTARGETED },
  ...overStreams("tcp", TCP),
  ...overStreams("tls", TLS),
];

const KINDS = (["sipedge", "kamailio tlsf", "kamailio default"] as const).filter(
  (kind) => isInstalled(kind) && !(values["no-kamailio"] && kind !== "sipedge"),
);

const out = (line = ""): void => void process.stdout.write(`${line}\n`);
const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN;

/** CPU microseconds per operation, one number a round, the servers taking turns. */
async function measure(job: Job): Promise<Map<Kind, number[]>> {
  const operations = Math.round(job.operations * SCALE);
  const samples = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of KINDS) {
      const server = await start(kind, job.wishes);
      try {
        await job.run(Math.round(operations / 2)); // warm: compiled code, filled caches
        const before = server.cpuMs();
        await job.run(operations);
        samples.get(kind)!.push(((server.cpuMs() - before) * 1000) / operations);
      } finally {
        await server.stop();
      }
    }
  }
  return samples;
}

function show(job: Job, samples: Map<Kind, number[]>): void {
  const ours = median(samples.get("sipedge") ?? []);
  const cells = KINDS.map((kind) => {
    const all = samples.get(kind)!;
    return `${median(all).toFixed(1)} (${Math.min(...all).toFixed(1)}–${Math.max(...all).toFixed(1)})`;
  });
  const ratios = (["kamailio tlsf", "kamailio default"] as const).map((kind, i) => {
    const theirs = samples.get(kind);
    if (theirs === undefined) return "–";
    const ratio = ours / median(theirs);
    const target = job.targets[i] ?? null;
    return `${ratio.toFixed(2)}${target === null ? "" : ` (target ${target}: ${ratio <= target ? "met" : "missed"})`}`;
  });
  out(`| ${[job.name, ...cells, ...ratios].join(" | ")} |`);
}

/** Bytes per call that is set up and stands, right after 5,000 of them. */
async function memoryPerCall(kind: Kind, bare: boolean): Promise<number> {
  const count = Math.round(5000 * Math.max(SCALE, 0.2));
  const server = await start(kind, { ...PLAIN, bare });
  try {
    await calls(500);
    await Bun.sleep(1000);
    const before = server.memoryBytes();
    await calls(count, { hold: true });
    await Bun.sleep(2000);
    return (server.memoryBytes() - before) / count;
  } finally {
    await server.stop();
  }
}

async function idle(): Promise<void> {
  const begun = performance.now();
  const server: Server = await start("sipedge", PLAIN);
  const first = performance.now() - begun;
  await Bun.sleep(5000);
  const before = server.cpuMs();
  const seconds = values.short ? 5 : 30;
  await Bun.sleep(seconds * 1000);
  const cpu = (server.cpuMs() - before) / seconds;
  out(
    `idle: ${(server.memoryBytes() / 2 ** 20).toFixed(0)} MB anonymous memory, ${cpu.toFixed(2)} ms CPU per second, first answer within ${first.toFixed(0)} ms of the start`,
  );
  await server.stop();
}

const { only } = values;
const all = [...USUAL, ...MORE];
const jobs = only !== undefined ? all.filter(({ name }) => name.includes(only)) : values.all ? all : USUAL;
if (jobs.length === 0 || !parts.every((part) => PARTS.includes(part))) {
  out(`Nothing to measure. Parts: ${PARTS.join(", ")}. Jobs: ${all.map(({ name }) => name).join("; ")}.`);
  process.exit(2);
}
out(
  `${cpus()[0]?.model ?? "CPU"}, ${cpus().length} cores, Bun ${Bun.version}; CPU µs per operation, median of ${ROUNDS} rounds (least–most)`,
);
if (KINDS.length === 1)
  out(
    "Kamailio is not measured (apt-get install kamailio kamailio-sqlite-modules kamailio-tls-modules sqlite3)",
  );
if (parts.includes("jobs")) {
  out();
  out(`| ${["job", ...KINDS, "to tlsf", "to default"].join(" | ")} |`);
  out(`|${"---|".repeat(KINDS.length + 3)}`);
  for (const job of jobs) show(job, await measure(job));
  out();
}
if (parts.includes("memory"))
  for (const kind of KINDS)
    for (const bare of kind === "sipedge" ? [true, false] : [true]) {
      const what = bare ? kind : `${kind}, recorded and traced`;
      out(`memory per call held, ${what}: ${((await memoryPerCall(kind, bare)) / 1024).toFixed(1)} KB`);
    }
if (parts.includes("idle")) await idle();
