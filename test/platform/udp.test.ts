/**
 * What src/transport relies on in Bun's UDP sockets and in the kernel. A failure after an upgrade of
 * Bun says which line to look at again.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { silentLog } from "../../src/base/log.ts";
import { loadSocketOptions } from "../../src/transport/socket-options.ts";

const HOST = "127.0.0.1";
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const BURST = 3000;

const options = loadSocketOptions(silentLog);
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

async function socket(
  onData: (bytes: Buffer) => void = () => undefined,
  onError: (...args: unknown[]) => void = () => undefined,
): Promise<Bun.udp.Socket<"buffer">> {
  const made = await Bun.udpSocket({
    hostname: HOST,
    port: 0,
    socket: { data: (_socket, bytes) => onData(bytes), error: onError },
  });
  open.push(made);
  return made;
}

const fdOf = (made: Bun.udp.Socket<"buffer">): number => (made as { fd?: number }).fd ?? -1;

async function deadPort(): Promise<number> {
  const gone = await socket();
  const { port } = gone;
  gone.close();
  return port;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

/** What this machine grants: the second test below needs more than the kernel's default maximum. */
const granted = await (async () => {
  const probe = await socket();
  const bytes = options.setReceiveBuffer(fdOf(probe), RECEIVE_BUFFER_BYTES);
  probe.close();
  return bytes;
})();

describe("Bun.udpSocket", () => {
  test("has a file descriptor to set options on", async () => {
    expect(fdOf(await socket())).toBeGreaterThan(2);
  });

  test("the error handler gets one argument, the error, whatever the types say", async () => {
    const calls: unknown[][] = [];
    const from = await socket(undefined, (...args) => void calls.push(args));
    from.send("x", await deadPort(), HOST);
    await until(() => calls.length > 0);
    expect(calls[0]).toHaveLength(1);
    expect(calls[0]).toEqual([expect.objectContaining({ code: "ECONNREFUSED" })]);
  });

  test("1 dead and 1 live peer, alternate sends: with our option nothing throws and all arrive", async () => {
    let got = 0;
    let errors = 0;
    const live = await socket(() => {
      got++;
    });
    const from = await socket(undefined, () => {
      errors++;
    });
    expect(options.ignoreIcmpErrors(fdOf(from), 4)).toBe(true);
    const dead = await deadPort();
    const ROUNDS = 200;
    for (let i = 0; i < ROUNDS; i++) {
      expect(from.send("to nobody", dead, HOST)).toBe(true);
      expect(from.send("to somebody", live.port, HOST)).toBe(true);
    }
    await until(() => got === ROUNDS);
    expect(errors).toBe(0);
  });

  test("without it, the error about the dead peer is thrown at the send to the live one", async () => {
    const live = await socket();
    const from = await socket();
    from.send("to nobody", await deadPort(), HOST);
    expect(() => from.send("to somebody", live.port, HOST)).toThrow("ECONNREFUSED");
    expect(from.send("to somebody", live.port, HOST)).toBe(true);
  });

  test("each datagram has memory of its own: keeping it is safe", async () => {
    const kept: Buffer[] = [];
    const to = await socket((bytes) => void kept.push(bytes));
    const from = await socket();
    for (const text of ["first", "second", "third"]) from.send(text, to.port, HOST);
    await until(() => kept.length === 3);
    expect(kept.map(String)).toEqual(["first", "second", "third"]);
    expect(new Set(kept.map((bytes) => bytes.buffer)).size).toBe(3);
  });

  const enough = granted >= RECEIVE_BUFFER_BYTES;
  const title = enough
    ? `a burst of ${BURST} datagrams while the loop is blocked is kept`
    : `a burst is kept: SKIPPED, SO_RCVBUFFORCE is not permitted here (granted ${granted} bytes)`;
  test.skipIf(!enough)(title, async () => {
    let got = 0;
    const to = await socket(() => {
      got++;
    });
    options.setReceiveBuffer(fdOf(to), RECEIVE_BUFFER_BYTES);
    const from = await socket();
    const message = Buffer.alloc(600, 120);
    for (let i = 0; i < BURST; i++) while (!from.send(message, to.port, HOST));
    expect(got).toBe(0); // the loop has not turned once
    await until(() => got === BURST);
  });
});
