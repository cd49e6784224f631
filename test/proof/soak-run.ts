/**
 * The run of soak.proof.ts, in a network of its own: `soak-run.ts MINUTES SEED`. Says each minute how it stands on
 * standard error, and in the end, as JSON, what was asked, what was answered and what stayed behind.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Edge } from "../support/edge.ts";
import { MixedPhones } from "./mixed-phones.ts";
import { MixedTraffic } from "./mixed-traffic.ts";

const [minutes = 1, seed = 1] = process.argv.slice(2).map(Number);
const EDGE = "127.0.0.31";
const CALLERS = "127.0.0.32";
const PHONES = "127.0.0.33";
const RELOAD_MS = 20_000;
const LOOK_MS = 10_000;
/** Timer H and Timer B, one behind the other, and as much again. */
const QUIET_MS_MAX = 150_000;
const RATES = { register: 40, answer: 8, ring: 3, busy: 2, silent: 1, options: 5, connection: 2, broken: 20 };
/** What must be as it was before, by the first word of its line in /metrics. */
const MUST_END = [
  'sipedge_transactions{side="server"}',
  'sipedge_transactions{side="client"}',
  "sipedge_transaction_sources",
  "sipedge_calls",
  "sipedge_calls_up",
  "sipedge_media_calls",
  "sipedge_dialog_endpoints",
  "sipedge_tcp_connections",
  "sipedge_dns_questions_underway",
  "sipedge_dns_lookups_underway",
] as const;

export interface SoakReport {
  readonly seed: number;
  readonly counts: Record<string, { sent: number; answered: number }>;
  readonly statuses: Record<string, number>;
  readonly forgotten: readonly string[];
  readonly repeated: number;
  readonly broken: number;
  readonly reloads: { readonly done: number; readonly refused: number };
  readonly exceptions: number;
  /** What of MUST_END was not 0 in the end. */
  readonly left: Record<string, number>;
  /** MB, every ten seconds. */
  readonly rss_mb: readonly number[];
  readonly heap_mb: readonly number[];
  /** CPU time of a second without traffic. */
  readonly idle_ms_per_s: number;
  /** How the appliance ended. */
  readonly exit: number;
}

const edge = await Edge.start({
  addresses: [EDGE],
  toml: '[auth]\ntrusted_networks = ["127.0.0.0/8"]\n[media]\nrelay = "always"\n[limits]\ntransactions_per_source_max = 20000\n',
});
const phones = await MixedPhones.open(PHONES);
const traffic = await MixedTraffic.open([EDGE, edge.port], CALLERS, phones, seed);

async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${edge.api}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [
      line.slice(0, line.lastIndexOf(" ")),
      Number(line.slice(line.lastIndexOf(" ") + 1)),
    ]),
  );
}

const MB = 1024 * 1024;
const rss_mb: number[] = [];
const heap_mb: number[] = [];
const reloads = { done: 0, refused: 0 };
const plain = readFileSync(edge.configFile, "utf8");
const configs = [
  `${plain}[registrar]\nmax_contacts = 7\n`,
  plain,
  `${plain}[registrar]\nmax_contacts = "many"\n`,
];

/** Each third file has a mistake in it: the old config must go on. */
async function reload(round: number): Promise<void> {
  writeFileSync(edge.configFile, configs[round % configs.length]!);
  const before = (await edge.get<Status>("/v1/status")).reload?.last_at;
  edge.program.signal("SIGHUP");
  for (let tries = 0; tries < 100; tries++) {
    const { reload } = await edge.get<Status>("/v1/status");
    if (reload !== null && reload.last_at !== before) {
      if (reload.ok) reloads.done++;
      else reloads.refused++;
      return;
    }
    await Bun.sleep(50);
  }
}
interface Status {
  readonly reload: { readonly last_at: string; readonly ok: boolean } | null;
}

async function look(word: string): Promise<Map<string, number>> {
  const now = await metrics();
  rss_mb.push(Math.round((now.get("process_resident_memory_bytes") ?? 0) / MB));
  heap_mb.push(Math.round((now.get("sipedge_heap_bytes") ?? 0) / MB));
  process.stderr.write(
    `${word}: RSS ${rss_mb.at(-1)} MB, heap ${heap_mb.at(-1)} MB, calls ${now.get("sipedge_calls")}, ` +
      `open ${traffic.ledger.open}, ${traffic.ledger.summary()}, broken ${traffic.broken}\n`,
  );
  return now;
}

const left = (now: Map<string, number>): Record<string, number> =>
  Object.fromEntries(MUST_END.map((name) => [name, now.get(name) ?? -1] as const).filter(([, n]) => n !== 0));

const load = traffic.run(RATES);
const begin = performance.now();
for (let round = 1; performance.now() - begin < minutes * 60_000; round++) {
  await Bun.sleep(LOOK_MS);
  await look(`${Math.round((performance.now() - begin) / 1000)} s`);
  if ((round * LOOK_MS) % RELOAD_MS === 0) await reload(round / 2);
}
traffic.halt();
await load;
const halted = performance.now();
let now = await metrics();
while (Object.keys(left(now)).length > 0 && performance.now() - halted < QUIET_MS_MAX) {
  await Bun.sleep(1000);
  now = await metrics();
}
await Bun.sleep(2000);
now = await look("quiet");
await Bun.sleep(5000);
const later = await metrics();
if (left(now).sipedge_calls !== undefined)
  process.stderr.write(`calls left: ${JSON.stringify(await edge.get("/v1/calls"))}\n`);
const cpu_s = (of: Map<string, number>): number => of.get("process_cpu_seconds_total") ?? 0;
const idle_ms_per_s = Math.round(((cpu_s(later) - cpu_s(now)) * 1000) / 5);
traffic.close();
phones.close();
const report: SoakReport = {
  seed,
  counts: Object.fromEntries(traffic.ledger.counts),
  statuses: Object.fromEntries(traffic.ledger.statuses),
  forgotten: traffic.ledger.forgotten.slice(0, 20),
  repeated: traffic.ledger.repeated,
  broken: traffic.broken,
  reloads,
  exceptions: (now.get("sipedge_exceptions_total") ?? -1) + (now.get("sipedge_receiver_faults_total") ?? -1),
  left: left(now),
  rss_mb,
  heap_mb,
  idle_ms_per_s,
  exit: await edge.stop(),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
