/**
 * What src/transport relies on in Bun.listen and in Bun's node:net.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Socket as NodeSocket } from "node:net";

const HOST = "127.0.0.1";
const BIG = Buffer.alloc(16_000_000, 120);

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

interface Accepted {
  socket: Bun.Socket;
  events: string[];
  segments: Buffer[];
}

/** A Bun.listen socket that writes down its events, and a node:net client that reads nothing yet. */
async function pair(): Promise<{ ours: Accepted; theirs: NodeSocket }> {
  const all: Accepted[] = [];
  const events: string[] = [];
  const segments: Buffer[] = [];
  const listener = Bun.listen({
    hostname: HOST,
    port: 0,
    socket: {
      open: (socket) => void all.push({ socket, events, segments }),
      data: (_socket, bytes) => void segments.push(bytes),
      drain: () => void events.push("drain"),
      end: () => void events.push("end"),
      close: (_socket, error) => void events.push(`close ${(error as { code?: string })?.code ?? ""}`),
    },
  });
  const theirs = connect({ host: HOST, port: listener.port, allowHalfOpen: true });
  theirs.on("error", () => undefined);
  theirs.pause();
  open.push(() => {
    theirs.destroy();
    listener.stop(true);
  });
  await until(() => all.length === 1 && theirs.readyState === "open");
  return { ours: all[0]!, theirs };
}

describe("Bun.listen", () => {
  test("write() takes what the kernel takes, buffers nothing, and drain says when to go on", async () => {
    const { ours, theirs } = await pair();
    const taken = ours.socket.write(BIG);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(BIG.length);
    expect(ours.socket.write(Buffer.from("more"))).toBe(0);
    let got = 0;
    theirs.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    theirs.resume();
    await until(() => ours.events.includes("drain"));
    await until(() => got === taken);
    expect(ours.socket.write(Buffer.from("more"))).toBe(4);
    await until(() => got === taken + 4);
  });

  test("write() after the end is -1, and terminate() runs the close handler before it returns", async () => {
    const { ours } = await pair();
    ours.socket.terminate();
    expect(ours.events).toEqual(["close "]);
    expect(ours.socket.write(Buffer.from("x"))).toBe(-1);
  });

  test("shutdown() sends FIN behind what was written and reads on", async () => {
    const { ours, theirs } = await pair();
    let text = "";
    let ended = false;
    theirs.on("data", (bytes: Buffer) => {
      text += bytes;
    });
    theirs.on("end", () => {
      ended = true;
    });
    ours.socket.write("last words");
    ours.socket.shutdown();
    expect(ours.socket.write("x")).toBe(-1);
    theirs.resume();
    await until(() => ended);
    expect(text).toBe("last words");
    theirs.write("still talking");
    await until(() => ours.segments.length === 1);
    theirs.end();
    await until(() => ours.events.length > 0);
    expect(ours.events.at(-1)).toBe("close ");
  });

  test("FIN is end and close; RST is close with ECONNRESET", async () => {
    const fin = await pair();
    fin.theirs.end();
    await until(() => fin.ours.events.includes("close "));
    expect(fin.ours.events).toEqual(["end", "close "]);
    const rst = await pair();
    rst.theirs.resetAndDestroy();
    await until(() => rst.ours.events.length > 0);
    expect(rst.ours.events).toEqual(["close ECONNRESET"]);
  });

  test("each segment has memory of its own: keeping it is safe", async () => {
    const { ours, theirs } = await pair();
    for (const text of ["one", "two"]) {
      theirs.write(text);
      await until(() => ours.segments.map(String).join("").endsWith(text));
    }
    expect(ours.segments.map(String)).toEqual(["one", "two"]);
    expect(ours.segments[0]!.buffer).not.toBe(ours.segments[1]!.buffer);
  });
});

describe("node:net on Bun", () => {
  test("writableNeedDrain is true once it holds something back, and drain follows", async () => {
    let far: NodeSocket | undefined;
    const server = createServer((socket) => {
      far = socket;
      socket.pause();
    }).listen(0, HOST);
    await until(() => server.listening);
    const near = connect({ host: HOST, port: (server.address() as { port: number }).port });
    open.push(() => {
      near.destroy();
      far?.destroy();
      server.close();
    });
    let drained = false;
    near.on("drain", () => {
      drained = true;
    });
    await until(() => far !== undefined && near.readyState === "open");
    expect(near.writableNeedDrain).toBe(false);
    near.write(BIG);
    expect(near.writableNeedDrain).toBe(true);
    far?.on("data", () => undefined);
    far?.resume();
    await until(() => drained);
    expect(near.writableNeedDrain).toBe(false);
  });

  test("each segment has memory of its own: keeping it is safe", async () => {
    const segments: Buffer[] = [];
    let far: NodeSocket | undefined;
    const server = createServer((socket) => {
      far = socket;
    }).listen(0, HOST);
    await until(() => server.listening);
    const near = connect({ host: HOST, port: (server.address() as { port: number }).port });
    near.on("data", (bytes: Buffer) => void segments.push(bytes));
    open.push(() => {
      near.destroy();
      far?.destroy();
      server.close();
    });
    await until(() => far !== undefined);
    for (const text of ["one", "two"]) {
      far?.write(text);
      await until(() => segments.map(String).join("").endsWith(text));
    }
    expect(segments.map(String)).toEqual(["one", "two"]);
    expect(segments[0]!.buffer).not.toBe(segments[1]!.buffer);
  });
});
