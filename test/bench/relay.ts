/**
 * What relaying costs: CPU per packet passed on, and how much longer a datagram to the same thread waits meanwhile.
 *
 *     bun test/bench/relay.ts [--calls 200] [--seconds 5] [--rounds 3]
 *
 * The relay runs in this process, as it does in the appliance, beside a socket that echoes; phones and whoever asks
 * for the echo run in another (test/bench/relay-phones.ts). Rounds with calls take turns with rounds without, and with
 * the same calls through rtpengine in user space, where that is installed.
 */
import { systemClock } from "../../src/base/clock.ts";
import { SystemDice } from "../../src/base/dice.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { bunSockets } from "../../src/media/bun-sockets.ts";
import { CALLER } from "../../src/media/call-media.ts";
import { LocalRelay } from "../../src/media/local-relay.ts";
import type { MediaSession } from "../../src/media/media-session.ts";
import { PortStock } from "../../src/media/port-stock.ts";
import { isInstalled } from "../support/process.ts";
import { RelayEngine } from "./relay-engine.ts";

const ADDRESS = "127.0.0.1";
const PHONES = new URL("relay-phones.ts", import.meta.url).pathname;

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const calls = option("calls", 200);
const seconds = option("seconds", 5);
const rounds = option("rounds", 3);

const metrics = new Metrics();
const stock = new PortStock(
  { clock: systemClock, dice: new SystemDice(), log: silentLog, metrics, open: bunSockets(() => {}) },
  { port_min: 40_000, port_max: 49_999 },
);
const relay = new LocalRelay({ clock: systemClock, metrics, stock, observer: { silent() {}, moved() {} } });
relay.hold([ADDRESS]);
const echo = await Bun.udpSocket({
  hostname: ADDRESS,
  port: 0,
  socket: { data: (socket, bytes, port, address) => void socket.send(bytes, port, address), error() {} },
});

interface Said {
  readonly received: number;
  readonly sent: number;
  readonly echo_ms: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The ports of so many calls whose phones are at `20000 + 4n` and so on. */
async function openCalls(count: number): Promise<{ ports: [number, number][]; close: () => Promise<void> }> {
  const ports: [number, number][] = [];
  const sessions: MediaSession[] = [];
  for (let n = 0; n < count; n++) {
    while (stock.ready() < 4) await Bun.sleep(1);
    const session = relay.open(`call ${n}`);
    sessions.push(session);
    const pair: number[] = [];
    for (const [index, key] of [CALLER, "callee"].entries()) {
      const port = session.side(0, key, ADDRESS)!.rtp_port;
      session.setRemote(0, key, {
        address: ADDRESS,
        rtp_port: 20_000 + 4 * n + 2 * index,
        rtcp_port: 0,
        is_mux: false,
        is_rtp: true,
        direction: "sendrecv",
        payloads: [{ type: 0, name: "PCMU", clock_hz: 8000 }],
        ptime_ms: 20,
        signalling_address: ADDRESS,
        is_nat: false,
        is_anywhere: false,
      });
      pair.push(port);
    }
    session.choose("callee");
    ports.push(pair as [number, number]);
  }
  return { ports, close: async () => void (await Promise.all(sessions.map((session) => session.close()))) };
}

/** The same by rtpengine. */
async function openEngineCalls(engine: RelayEngine, count: number): ReturnType<typeof openCalls> {
  const ports: [number, number][] = [];
  const ends: { close(): Promise<unknown> }[] = [];
  for (let n = 0; n < count; n++) {
    const { pair, end } = await engine.call(`bench-${n}-${performance.now()}`, [
      20_000 + 4 * n,
      20_002 + 4 * n,
    ]);
    ports.push(pair);
    ends.push(end);
  }
  return { ports, close: async () => void (await Promise.all(ends.map((end) => end.close()))) };
}

const ownCpu_us = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function round(
  calls: Awaited<ReturnType<typeof openCalls>>,
  cpu_us: () => number,
): Promise<{ said: Said; cpu_us: number }> {
  const { ports, close } = calls;
  const phones = Bun.spawn(
    [process.execPath, PHONES, String(echo.port), String(seconds), JSON.stringify(ports)],
    {
      stdout: "pipe",
    },
  );
  const before = cpu_us();
  const said = JSON.parse(await new Response(phones.stdout).text()) as Said;
  const spent = cpu_us() - before;
  await close();
  return { said, cpu_us: spent };
}

const engine = isInstalled("rtpengine") ? await RelayEngine.start() : null;
if (engine === null) process.stdout.write("without rtpengine (not installed)\n");
await round(await openCalls(Math.min(20, calls)), ownCpu_us); // warms up
/** µs a packet of both, round by round. */
const ours: number[] = [];
const theirs: number[] = [];
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const ms = (value: number): string => value.toFixed(2);
for (let n = 1; n <= rounds; n++) {
  const engineBefore_us = engine?.cpu_us() ?? 0;
  const idle = await round(await openCalls(0), ownCpu_us);
  const engineIdle_us = (engine?.cpu_us() ?? 0) - engineBefore_us;
  const busy = await round(await openCalls(calls), ownCpu_us);
  const { received, sent, echo_ms } = busy.said;
  const loss = (100 * (1 - received / sent)).toFixed(2);
  ours.push((busy.cpu_us - idle.cpu_us) / received);
  process.stdout.write(
    `round ${n}: ${calls} calls, ${sent} packets, ${loss} % lost, ` +
      `${ours.at(-1)!.toFixed(1)} µs a packet, ` +
      `${((busy.cpu_us / (seconds * 1e6)) * 100).toFixed(0)} % of a core; echo p50/p99/max ` +
      `${ms(echo_ms.p50)}/${ms(echo_ms.p99)}/${ms(echo_ms.max)} ms, ` +
      `alone ${ms(idle.said.echo_ms.p50)}/${ms(idle.said.echo_ms.p99)}/${ms(idle.said.echo_ms.max)} ms\n`,
  );
  if (engine === null) continue;
  const other = await round(await openEngineCalls(engine, calls), () => engine.cpu_us());
  theirs.push((other.cpu_us - engineIdle_us) / other.said.received);
  process.stdout.write(
    `round ${n}: rtpengine, ${other.said.sent} packets, ` +
      `${(100 * (1 - other.said.received / other.said.sent)).toFixed(2)} % lost, ` +
      `${theirs.at(-1)!.toFixed(1)} µs a packet, ${((other.cpu_us / (seconds * 1e6)) * 100).toFixed(0)} % of a core\n`,
  );
}
if (theirs.length > 0)
  process.stdout.write(
    `medians: ${median(ours).toFixed(1)} µs a packet here, ${median(theirs).toFixed(1)} by rtpengine: ` +
      `${(median(ours) / median(theirs)).toFixed(2)} of it\n`,
  );
relay.close();
echo.close();
await engine?.stop();
