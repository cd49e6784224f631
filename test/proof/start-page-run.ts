/**
 * The newcomer of start-page.proof.ts: types the commands of docs/start.md, one after the other, as they stand there,
 * sets up two phones, calls, and says how long each step took. Alone in a network of its own.
 *
 *     bun test/proof/start-page-run.ts ROOT
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Baresip } from "../interop/baresip.ts";
import { hearsTones } from "../interop/phones.ts";
import { run } from "../natlab/namespace.ts";
import { Program } from "../support/process.ts";
import { inBareRoot } from "./bare-root.ts";
import { shellLines } from "./start-page.ts";
import { Typist } from "./typist.ts";

const ROOT = resolve(process.argv[2] ?? "");
const HOST = "192.0.2.2";
const PHONES = [
  { name: "201", password: "wonderland", address: "192.0.2.11", tone_hz: 400, rtp_port: 24_000 },
  { name: "202", password: "rabbit-hole", address: "192.0.2.12", tone_hz: 440, rtp_port: 25_000 },
] as const;
const SELFTEST_MS = 90_000;

interface Step {
  readonly step: string;
  readonly seconds: number;
}

const steps: Step[] = [];
const phones: Baresip[] = [];
/** `sipedge serve`, once it runs. */
const served: Program[] = [];

/** The network of a small site: this machine and the two phones. */
function makeNetwork(): void {
  run(["ip", "link", "add", "lan0", "type", "bridge"]);
  for (const address of [HOST, ...PHONES.map((phone) => phone.address)])
    run(["ip", "address", "add", `${address}/24`, "dev", "lan0"]);
  run(["ip", "link", "set", "lan0", "up"]);
}

async function timed(step: string, does: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  await does();
  steps.push({ step, seconds: (performance.now() - begun) / 1000 });
}

/** At a terminal: each question is waited for, then answered. */
async function typed(
  words: readonly string[],
  answers: readonly (readonly [RegExp, string])[],
): Promise<void> {
  const typist = new Typist(inBareRoot(ROOT, ...words));
  for (const [question, answer] of answers) await typist.answer(question, answer);
  await typist.ended();
}

async function finished(words: readonly string[], says: RegExp, within_ms = 15_000): Promise<void> {
  const program = new Program(inBareRoot(ROOT, ...words));
  const code = await program.ended(within_ms);
  if (code !== 0 || !says.test(program.output))
    throw new Error(`${words.join(" ")}: ${code}:\n${program.output}`);
}

const twice = (name: string, password: string): [RegExp, string][] => [
  [new RegExp(`password for ${name}:`), password],
  [/once more:/, password],
];

async function init(words: readonly string[]): Promise<void> {
  const [{ name, password }] = PHONES;
  const account: [RegExp, string] = [/first account/, name];
  await typed(words, [[/Domain/, ""], [/Address/, ""], [/Port/, ""], account, ...twice(name, password)]);
}

async function serve(words: readonly string[]): Promise<void> {
  const program = new Program(inBareRoot(ROOT, ...words));
  served.push(program);
  await program.says(/ ready /);
}

/** What the page says about the phones, between `serve` and `status`: server, user, password, UDP, port 5060. */
async function setUpPhones(): Promise<void> {
  await served[0]?.says(new RegExp(`listens on .*udp ${HOST}:5060`));
  for (const phone of PHONES)
    phones.push(await Baresip.start({ ...phone, registrar: `${HOST}:5060`, transport: "udp" }));
}

async function call(): Promise<void> {
  const [caller, callee] = [phones[0]!, phones[1]!];
  caller.dial(`sip:${PHONES[1].name}@${HOST}:5060`);
  await hearsTones(caller, callee);
  caller.hangUp();
  await callee.event("CALL_CLOSED");
}

/** What is done outside: the download is unpacked and put in its place, seen from the bare root. */
async function outside(line: string): Promise<void> {
  const words = line.split(" ").map((word) => (word.startsWith("/") ? join(ROOT, word) : word));
  const program = new Program(words, { cwd: join(ROOT, "download") });
  if ((await program.ended()) !== 0) throw new Error(`${line}: ${program.output}`);
}

/** By command: how a person answers it, or what is to be seen. A command of the page that is not here fails the proof. */
const NEWCOMER: Readonly<Record<string, (words: readonly string[]) => Promise<void>>> = {
  init,
  user: (words) => typed(words, twice(PHONES[1].name, PHONES[1].password)),
  serve,
  status: (words) => finished(words, /201@[\s\S]*202@/),
  selftest: (words) => finished(words, /media +2 s both ways/, SELFTEST_MS),
};

async function follow(line: string): Promise<void> {
  const [program, ...words] = line.split(" ");
  if (program !== "sipedge") return timed(line, () => outside(line));
  const does = NEWCOMER[words[0] ?? ""];
  if (does === undefined) throw new Error(`the newcomer does not know what to do at: ${line}`);
  await timed(line, () => does(words));
  if (words[0] === "serve") await timed("(two phones are set up and register)", setUpPhones);
  if (words[0] === "status") await timed("(201 calls 202, each hears the other)", call);
}

try {
  makeNetwork();
  for (const line of shellLines(readFileSync(join(import.meta.dir, "../../docs/start.md"), "utf8")))
    await follow(line);
} finally {
  for (const phone of phones) await phone.stop();
  for (const program of served) await program.stop();
}
process.stdout.write(`${JSON.stringify(steps)}\n`);
