import { afterEach, describe, expect, test } from "bun:test";
import type { LocalEndpoint } from "../../src/base/flow.ts";
import { localAddresses } from "../../src/transport/local-addresses.ts";
import { Rig, sip, TCP, TcpPeer, UDP, until } from "./rig.ts";

const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

function rigOf(parts: ConstructorParameters<typeof Rig>[0] = {}): Rig {
  const rig = new Rig(parts);
  open.push(rig.transports);
  return rig;
}

const shown = (rig: Rig): string[] =>
  rig.transports.endpoints().map(({ transport, address }) => `${transport} ${address}`);
const entry = (transport: string, address: string, port = 0) => ({ transport, address, port });

/** A port that was free a moment ago, for both transports. */
function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

describe("listen", () => {
  test("opens both transports on both families and shows the real ports", async () => {
    const rig = rigOf();
    await rig.listen([
      ["udp", "127.0.0.1"],
      ["tcp", "127.0.0.1"],
      ["udp", "::1"],
      ["tcp", "::1"],
    ]);
    expect(shown(rig)).toEqual(["udp 127.0.0.1", "tcp 127.0.0.1", "udp ::1", "tcp ::1"]);
    for (const { port, address, sentBy } of rig.transports.endpoints()) {
      expect(port).toBeGreaterThan(0);
      expect(sentBy).toBe(address === "::1" ? `[::1]:${port}` : `127.0.0.1:${port}`);
    }
  });

  for (const transport of ["udp", "tcp"]) {
    test(`${transport} port in use: a failure with its entry, and nothing stays half open`, async () => {
      const first = rigOf();
      await first.listen([[transport, "127.0.0.1"]]);
      const { port } = first.endpoint(transport);
      const second = rigOf();
      const other = freePort();
      const entries = [entry("udp", "127.0.0.1", other), entry("tcp", "127.0.0.1", other)];
      const failures = await second.transports.listen(
        [...entries, entry(transport, "127.0.0.1", port)],
        TCP,
        UDP,
      );
      expect(failures.map(({ index, code }) => [index, code])).toEqual([[2, "EADDRINUSE"]]);
      expect(second.transports.endpoints()).toEqual([]);
      expect(await second.transports.listen(entries, TCP, UDP)).toEqual([]);
    });

    test(`${transport} on an address that is not ours`, async () => {
      const rig = rigOf();
      const failures = await rig.transports.listen([entry(transport, "203.0.113.77")], TCP, UDP);
      expect(failures.map(({ index, code }) => [index, code])).toEqual([[0, "EADDRNOTAVAIL"]]);
      expect(failures[0]?.message).toContain("is not an address of this machine");
    });
  }

  test("every failure is told, not only the first", async () => {
    const rig = rigOf();
    const failures = await rig.transports.listen(
      [entry("udp", "203.0.113.77"), entry("udp", "127.0.0.1"), entry("tcp", "203.0.113.78")],
      TCP,
      UDP,
    );
    expect(failures.map(({ index }) => index)).toEqual([0, 2]);
  });

  test("the advertised name is what messages carry", async () => {
    const rig = rigOf();
    const entries = [{ ...entry("udp", "127.0.0.1"), advertise: "203.0.113.5:5060" }];
    expect(await rig.transports.listen(entries, TCP, UDP)).toEqual([]);
    expect(rig.endpoint("udp").sentBy).toBe("203.0.113.5:5060");
    expect(rig.transports.snapshot().endpoints[0]?.sent_by).toBe("203.0.113.5:5060");
  });
});

describe("any", () => {
  test("is every address of this machine but link-local ones", async () => {
    const rig = rigOf();
    await rig.listen([["udp", "any"]]);
    expect(shown(rig).sort()).toEqual(
      localAddresses()
        .map((address) => `udp ${address}`)
        .sort(),
    );
    expect(localAddresses()).toContain("127.0.0.1");
    expect(localAddresses().filter((address) => address.startsWith("fe80"))).toEqual([]);
  });

  test("follows the addresses as they come and go", async () => {
    let addresses = ["127.0.0.1"];
    const rig = rigOf({ addresses: () => addresses });
    await rig.listen([
      ["udp", "any"],
      ["tcp", "any"],
    ]);
    const kept = rig.endpoint("udp");
    addresses = ["127.0.0.1", "127.0.0.2"];
    rig.clock.advance(5000);
    await until(() => shown(rig).length === 4);
    expect(shown(rig)).toEqual(["udp 127.0.0.1", "tcp 127.0.0.1", "udp 127.0.0.2", "tcp 127.0.0.2"]);

    const gone = rig.transports.endpoints()[3] as LocalEndpoint;
    const peer = await TcpPeer.to(gone);
    await until(() => rig.metric("tcp_connections") === 1);
    await until(() => rig.clock.pending === 2); // the sweep, and the next look at the addresses
    addresses = ["127.0.0.1"];
    rig.clock.advance(5000);
    await until(() => shown(rig).length === 2);
    expect(rig.endpoint("udp")).toBe(kept);
    await until(() => peer.closed);
    expect(rig.metric("tcp_closed_total", { reason: "listener_gone" })).toBe(1);
  });

  test("an address that cannot be bound yet is tried again", async () => {
    const addresses = ["127.0.0.1", "203.0.113.77"];
    const rig = rigOf({ addresses: () => addresses });
    await rig.listen([["udp", "any"]]);
    expect(shown(rig)).toEqual(["udp 127.0.0.1"]);
    addresses[1] = "127.0.0.3";
    rig.clock.advance(5000);
    await until(() => shown(rig).length === 2);
  });

  test("nobody looks when no entry says any, nor after close", async () => {
    const rig = rigOf();
    await rig.listen([["udp", "127.0.0.1"]]);
    expect(rig.clock.pending).toBe(0);
    await rig.transports.reconfigure([entry("udp", "any")], TCP, UDP);
    expect(rig.clock.pending).toBe(1);
    rig.transports.close();
    expect(rig.clock.pending).toBe(0);
  });
});

describe("reconfigure", () => {
  test("opens the new, closes the gone, leaves the same alone", async () => {
    const rig = rigOf();
    const port = freePort();
    const stays = entry("tcp", "127.0.0.1", port);
    await rig.transports.listen([stays, entry("udp", "127.0.0.1", port)], TCP, UDP);
    const before = rig.endpoint("tcp");
    const gone = rig.endpoint("udp");
    const peer = await TcpPeer.to(before);
    peer.write(sip("1"));
    await until(() => rig.receiver.messages.length === 1);

    expect(await rig.transports.reconfigure([entry("udp", "127.0.0.2", port), stays], TCP, UDP)).toEqual([]);
    expect(shown(rig).sort()).toEqual(["tcp 127.0.0.1", "udp 127.0.0.2"]);
    expect(rig.endpoint("tcp")).toBe(before);
    peer.write(sip("2"));
    await until(() => rig.receiver.messages.length === 2);
    expect(rig.transports.flowById(`udp:127.0.0.1:${gone.port}>192.0.2.1:5060`)).toBeNull();
    peer.socket.destroy();
  });

  test("a new name on the same socket shows on flows that exist", async () => {
    const rig = rigOf();
    const port = freePort();
    await rig.transports.listen([entry("udp", "127.0.0.1", port)], TCP, UDP);
    const flow = rig.transports.flowTo("udp", "127.0.0.1", 5060)!;
    const named = { ...entry("udp", "127.0.0.1", port), advertise: "sip.example.test:5060" };
    await rig.transports.reconfigure([named], TCP, UDP);
    expect(flow.open).toBe(true);
    expect(flow.local.sentBy).toBe("sip.example.test:5060");
  });

  test("a failure leaves everything as it was", async () => {
    const rig = rigOf();
    const port = freePort();
    await rig.transports.listen([entry("udp", "127.0.0.1", port)], TCP, UDP);
    const before = rig.transports.endpoints();
    const failures = await rig.transports.reconfigure(
      [entry("udp", "127.0.0.2", port), entry("udp", "203.0.113.77", port)],
      { ...TCP, connections_max: 0 },
      UDP,
    );
    expect(failures).toHaveLength(1);
    expect(rig.transports.endpoints()).toEqual(before);
    const other = rigOf();
    expect(await other.transports.listen([entry("udp", "127.0.0.2", port)], TCP, UDP)).toEqual([]);
  });

  test("limits change for connections that exist", async () => {
    const rig = rigOf();
    const port = freePort();
    const entries = [entry("tcp", "127.0.0.1", port)];
    await rig.transports.listen(entries, TCP, UDP);
    const peer = await TcpPeer.to(rig.endpoint("tcp"));
    await until(() => rig.metric("tcp_connections") === 1);
    await rig.transports.reconfigure(entries, { ...TCP, idle_s: 5 }, UDP);
    rig.clock.advance(6000);
    expect(rig.metric("tcp_closed_total", { reason: "idle" })).toBe(1);
    peer.socket.destroy();
  });

  test("several at once run one after the other", async () => {
    const rig = rigOf();
    const port = freePort();
    const lists = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((address) => [entry("udp", address, port)]);
    const results = await Promise.all(lists.map((entries) => rig.transports.reconfigure(entries, TCP, UDP)));
    expect(results).toEqual([[], [], []]);
    expect(shown(rig)).toEqual(["udp 127.0.0.3"]);
  });

  test("closing in the middle of it leaves nothing open", async () => {
    const rig = rigOf();
    const port = freePort();
    const work = rig.transports.listen(
      [entry("udp", "127.0.0.1", port), entry("tcp", "127.0.0.1", port)],
      TCP,
      UDP,
    );
    rig.transports.close();
    await work;
    const next = rigOf();
    const entries = [entry("udp", "127.0.0.1", port), entry("tcp", "127.0.0.1", port)];
    expect(await next.transports.listen(entries, TCP, UDP)).toEqual([]);
  });
});

describe("flowTo", () => {
  test("the socket named, else a loopback one for loopback peers", async () => {
    const rig = rigOf();
    await rig.listen([
      ["udp", "127.0.0.1"],
      ["udp", "127.0.0.2"],
      ["udp", "::1"],
      ["tcp", "127.0.0.2"],
    ]);
    const [one, two, six, tcp] = rig.transports.endpoints();
    expect(rig.transports.flowTo("udp", "127.0.0.9", 5060)?.local).toBe(one);
    expect(rig.transports.flowTo("udp", "127.0.0.9", 5060, two)?.local).toBe(two);
    expect(rig.transports.flowTo("udp", "::1", 5060, two)?.local).toBe(six);
    expect(rig.transports.flowTo("udp", "127.0.0.1", 5060, tcp)?.local).toBe(two);
    expect(rig.transports.flowTo("udp", "::ffff:127.0.0.1", 5060)?.remoteAddress).toBe("127.0.0.1");
  });

  test("a loopback socket reaches nobody else", async () => {
    const rig = rigOf();
    await rig.listen([
      ["udp", "127.0.0.1"],
      ["tcp", "127.0.0.1"],
    ]);
    for (const transport of ["udp", "tcp"] as const) {
      expect(rig.transports.flowTo(transport, "192.0.2.1", 5060)).toBeNull();
      expect(rig.transports.flowTo(transport, "192.0.2.1", 5060, rig.endpoint(transport))).toBeNull();
      expect(rig.transports.flowTo(transport, "::1", 5060)).toBeNull();
    }
  });

  test("nothing without a listener of that transport, nor to what is no address", async () => {
    const rig = rigOf();
    await rig.listen([["udp", "127.0.0.1"]]);
    expect(rig.transports.flowTo("tcp", "127.0.0.1", 5060)).toBeNull();
    expect(rig.transports.flowTo("tls", "127.0.0.1", 5061)).toBeNull();
    expect(rig.transports.speaksTcp("127.0.0.1", 5060)).toBe(false);
    for (const [address, port] of [
      ["host.test", 5060],
      ["", 5060],
      ["fe80::1%lo", 5060],
      ["127.0.0.1", 0],
      ["127.0.0.1", 65_536],
    ] as const) {
      expect(rig.transports.flowTo("udp", address, port)).toBeNull();
    }
  });
});

describe("snapshot", () => {
  test("shows endpoints and connections, as many as asked for", async () => {
    const rig = rigOf();
    await rig.listen([["tcp", "127.0.0.1"]]);
    const peers = [await TcpPeer.to(rig.endpoint("tcp")), await TcpPeer.to(rig.endpoint("tcp"))];
    peers[0]!.write(sip("1"));
    await until(() => rig.metric("tcp_connections") === 2 && rig.receiver.messages.length === 1);
    rig.receiver.messages[0]!.flow.send(Buffer.from(sip("22")));
    rig.clock.advance(7000);
    const { endpoints, connections, connections_total } = rig.transports.snapshot(1);
    expect(endpoints).toHaveLength(1);
    expect(connections_total).toBe(2);
    expect(connections).toHaveLength(1);
    const row = rig.transports.snapshot().connections.find(({ messages_in }) => messages_in === 1);
    expect(row).toEqual({
      id: rig.receiver.messages[0]!.flow.id,
      remote_address: "127.0.0.1",
      remote_port: peers[0]!.socket.localPort ?? 0,
      outgoing: false,
      state: "open",
      bytes_in: sip("1").length,
      bytes_out: sip("22").length,
      messages_in: 1,
      queued_bytes: 0,
      since: new Date(rig.clock.wall() - 7000).toISOString(),
      idle_s: 7,
    });
    for (const peer of peers) peer.socket.destroy();
  });
});
