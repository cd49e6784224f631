/**
 * What relaying costs: CPU per packet passed on, and how much longer a datagram to the same thread waits meanwhile.
 *
 *     bun test/bench/relay.ts [--calls 200] [--seconds 5] [--rounds 3]
 *
 * The relay runs in this process, as it does in the appliance, beside a socket that echoes; phones and whoever asks
 * for the echo run in another (test/bench/relay-phones.ts). Rounds with calls take turns with rounds without.
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

/** The ports of so many calls whose phones are at `10000 + 2n` and so on. */
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

async function round(count: number): Promise<{ said: Said; cpu_us: number }> {
  const { ports, close } = await openCalls(count);
  const phones = Bun.spawn(
    [process.execPath, PHONES, String(echo.port), String(seconds), JSON.stringify(ports)],
    {
      stdout: "pipe",
    },
  );
  const before = process.cpuUsage();
  const said = JSON.parse(await new Response(phones.stdout).text()) as Said;
  const { user, system } = process.cpuUsage(before);
  await close();
  return { said, cpu_us: user + system };
}

await round(Math.min(20, calls)); // warms up
const ms = (value: number): string => value.toFixed(2);
for (let n = 1; n <= rounds; n++) {
  const idle = await round(0);
  const busy = await round(calls);
  const { received, sent, echo_ms } = busy.said;
  const loss = (100 * (1 - received / sent)).toFixed(2);
  process.stdout.write(
    `round ${n}: ${calls} calls, ${sent} packets, ${loss} % lost, ` +
      `${((busy.cpu_us - idle.cpu_us) / received).toFixed(1)} µs a packet, ` +
      `${((busy.cpu_us / (seconds * 1e6)) * 100).toFixed(0)} % of a core; echo p50/p99/max ` +
      `${ms(echo_ms.p50)}/${ms(echo_ms.p99)}/${ms(echo_ms.max)} ms, ` +
      `alone ${ms(idle.said.echo_ms.p50)}/${ms(idle.said.echo_ms.p99)}/${ms(idle.said.echo_ms.max)} ms\n`,
  );
}
relay.close();
echo.close();
