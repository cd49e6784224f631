/** B-14: of two sockets at one port the later one gets the connections, so that the first can go unnoticed. */
import { expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { loadSocketOptions, noSocketOptions } from "../../src/transport/socket-options.ts";
import { until } from "./rig.ts";

const ROUNDS = 40;

for (const hostname of ["127.0.0.1", "::1"])
  test(`B-14 at ${hostname}: the later one, again after the first is gone, and the last one when it is alone`, async () => {
    const options = loadSocketOptions(silentLog);
    const met: string[] = [];
    const listener = (name: string, port: number) =>
      Bun.serve({
        hostname,
        port,
        reusePort: true,
        fetch() {
          met.push(name);
          return new Response();
        },
      });
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    const all = async (port: number): Promise<string> => {
      met.length = 0;
      for (let round = 0; round < ROUNDS; round++)
        await fetch(`http://${host}:${port}/`, { headers: { connection: "close" } });
      await until(() => met.length === ROUNDS);
      return [...new Set(met)].join(" ");
    };
    const first = listener("first", 0);
    const port = first.port!;
    expect(options.newestFirst(hostname, port)).toBe(true);
    expect(await all(port)).toBe("first");
    const second = listener("second", port);
    expect(await all(port)).toBe("second");
    void first.stop(true);
    expect(await all(port)).toBe("second");
    const third = listener("third", port);
    expect(await all(port)).toBe("third");
    for (const server of [second, third]) void server.stop(true);
  });

test("nobody listens there, or there is no libc: it says so", () => {
  expect(loadSocketOptions(silentLog).newestFirst("127.0.0.1", 1)).toBe(false);
  expect(noSocketOptions.newestFirst("127.0.0.1", 1)).toBe(false);
});
