/**
 * The resolver against real name servers on this machine: dnsmasq (which cuts long answers and sends no SOA)
 * and unbound, with zones written here.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AUTHORITATIVE_ANSWER, decode, encode } from "dns-packet";
import { systemClock } from "../../src/base/clock.ts";
import { SystemDice } from "../../src/base/dice.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { DeadTargets } from "../../src/dns/dead-targets.ts";
import { lookUpEnum } from "../../src/dns/enum.ts";
import { Locator } from "../../src/dns/locator.ts";
import { nodeFiles } from "../../src/dns/node-files.ts";
import { nodeSockets } from "../../src/dns/node-sockets.ts";
import type { Answer, RecordType } from "../../src/dns/records.ts";
import { Resolver } from "../../src/dns/resolver.ts";
import type { ServerAddress } from "../../src/dns/sockets.ts";
import { zoneLines } from "../../src/dns/zone-lines.ts";
import type { SipUri } from "../../src/message/uri.ts";
import { parseUri } from "../../src/message/uri.ts";
import { eventually, missing, Program } from "../support/process.ts";

const LISTENERS = [
  { transport: "udp", host: "203.0.113.5", port: 5060 },
  { transport: "tcp", host: "203.0.113.5", port: 5060 },
  { transport: "tls", host: "2001:db8::5", port: 5061 },
] as const;
const PUBLISHED = { domains: ["example.test"], listeners: LISTENERS, ttl_s: 3600 };

/** A port of the loopback that nobody listens on now, for datagrams and streams. */
async function freePort(): Promise<number> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", socket: {} });
  const { port } = socket;
  socket.close();
  return port;
}

const local = (port: number): ServerAddress => ({ address: "127.0.0.1", port });

function rig(folder: string, servers: readonly ServerAddress[]) {
  const clock = systemClock;
  const dice = new SystemDice();
  const metrics = new Metrics();
  const resolver = new Resolver(
    { clock, dice, log: silentLog, metrics, sockets: nodeSockets, files: nodeFiles },
    {
      servers,
      forwarders: [],
      timeout_ms: 1000,
      attempts: 2,
      total_ms: 8000,
      ttl_max_s: 3600,
      negative_ttl_max_s: 60,
      cache: { entries_max: 1000, bytes_max: 1e6, stale_ms: 0 },
      hosts_path: join(folder, "hosts"),
      resolv_conf_path: join(folder, "resolv.conf"),
    },
  );
  const locator = new Locator(
    { clock, dice, metrics, names: resolver, dead: new DeadTargets(clock, metrics, 30_000) },
    { transports: ["udp", "tcp", "tls"], naptr: true, families: ["ipv4", "ipv6"], lookup_ms: 8000 },
  );
  const ask = (name: string, type: RecordType) =>
    new Promise<Answer>((resolve) => resolver.ask(name, type, (answer) => resolve(answer as Answer)));
  const locate = (uri: string) =>
    new Promise<string[]>((resolve) =>
      locator.lookUp(parseUri(uri) as SipUri, (places, end) =>
        resolve(places.length > 0 ? places.map((p) => `${p.transport} ${p.address} ${p.port}`) : [end]),
      ),
    );
  const value = (name: string, label: string) =>
    metrics
      .collect()
      .find((family) => family.name === name)
      ?.samples.find((sample) => Object.values(sample.labels).includes(label))?.value ?? 0;
  return { resolver, ask, locate, value };
}

const skipDnsmasq = missing("look-ups against dnsmasq", "dnsmasq");
const skipUnbound = missing("look-ups against unbound", "unbound");

describe.skipIf(skipDnsmasq)("dnsmasq", () => {
  let folder = "";
  let port = 0;
  let server: Program;
  let hole: Socket;
  let holePort = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sipedge-dns-"));
    port = await freePort();
    const many = Array.from(
      { length: 60 },
      (_, i) => `srv-host=_sip._udp.many.test,h${i}.many.test,${5060 + i},${i},1`,
    );
    const lines = [
      ...zoneLines({ ...PUBLISHED, format: "dnsmasq" }),
      ...many,
      "host-record=h0.many.test,192.0.2.100,2001:db8::100",
      "host-record=gw.test,192.0.2.7",
      "cname=alias.test,gw.test",
      "naptr-record=3.2.1.0.3.9.4.e164.test,10,10,u,E2U+sip,!^\\+49(.*)$!sip:\\1@gw.test!",
    ];
    writeFileSync(join(folder, "dnsmasq.conf"), `${lines.join("\n")}\n`);
    writeFileSync(join(folder, "hosts"), "10.9.0.2 pinned.test\n");
    server = new Program([
      "dnsmasq",
      "--keep-in-foreground",
      "--log-facility=-",
      "--log-queries",
      "--no-resolv",
      "--no-hosts",
      "--local-ttl=60",
      "--local=/test/",
      "--bind-interfaces",
      "--listen-address=127.0.0.1",
      `--port=${port}`,
      `--conf-file=${join(folder, "dnsmasq.conf")}`,
      "--pid-file",
      `--user=${process.env.USER ?? "root"}`,
    ]);
    await server.says(/started/);
    hole = createSocket("udp4");
    await new Promise<void>((resolve) => hole.bind(0, "127.0.0.1", () => resolve()));
    holePort = hole.address().port;
  });

  afterAll(async () => {
    hole?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("DNS-15 the printed records lead phones here, the safest transport first", async () => {
    const { locate, resolver } = rig(folder, [local(port)]);
    expect(await locate("sip:alice@example.test")).toEqual(["tls 2001:db8::5 5061"]);
    expect(await locate("sips:alice@example.test")).toEqual(["tls 2001:db8::5 5061"]);
    expect(await locate("sip:alice@example.test;transport=udp")).toEqual(["udp 203.0.113.5 5060"]);
    resolver.close();
  });

  test("DNS-09 the server's log shows each question once, and the cache answers the second call", async () => {
    const { locate, resolver } = rig(folder, [local(port)]);
    const before = server.output.length;
    for (let i = 0; i < 3; i++) expect(await locate("sip:a@gw.test:5062")).toEqual(["udp 192.0.2.7 5062"]);
    const asked = () => server.output.slice(before).match(/query\[A+\] gw\.test/gi) ?? [];
    await eventually("two queries in the log", () => asked().length >= 2);
    expect(
      asked()
        .map((line) => line.toLowerCase())
        .sort(),
    ).toEqual(["query[a] gw.test", "query[aaaa] gw.test"]);
    resolver.close();
  });

  test("DNS-01 sixty SRV records do not fit a datagram: the stream brings them all", async () => {
    const { ask, locate, value, resolver } = rig(folder, [local(port)]);
    const answer = await ask("_sip._udp.many.test", "SRV");
    expect(answer.kind === "records" && answer.records.length).toBe(60);
    expect(value("sipedge_dns_queries_total", "tcp")).toBe(1);
    expect((await locate("sip:a@many.test;transport=udp")).slice(0, 2)).toEqual([
      "udp 192.0.2.100 5060",
      "udp 2001:db8::100 5060",
    ]);
    resolver.close();
  });

  test("DNS-02 no such name, no such record, an alias", async () => {
    const { ask, resolver } = rig(folder, [local(port)]);
    expect(await ask("nowhere.test", "A")).toEqual({ kind: "none", exists: false });
    expect(await ask("gw.test", "AAAA")).toEqual({ kind: "none", exists: true });
    expect(await ask("alias.test", "A")).toMatchObject({ kind: "records", records: ["192.0.2.7"] });
    resolver.close();
  });

  test("DNS-06 a name of the hosts file is found without a query", async () => {
    const { locate, value, resolver } = rig(folder, [local(port)]);
    expect(await locate("sip:a@pinned.test")).toEqual(["udp 10.9.0.2 5060"]);
    expect(value("sipedge_dns_queries_total", "udp")).toBe(0);
    resolver.close();
  });

  test("DNS-13 a number leads to its URI", async () => {
    const { resolver } = rig(folder, [local(port)]);
    const uri = await new Promise((resolve) => lookUpEnum(resolver, "+4930123", "e164.test", resolve));
    expect(uri).toBe("sip:30123@gw.test");
    resolver.close();
  });

  test("B-12 a black hole and a closed port before it: the live server answers all the same", async () => {
    const { locate, resolver } = rig(folder, [local(await freePort()), local(holePort), local(port)]);
    expect(await locate("sip:a@gw.test:5060")).toEqual(["udp 192.0.2.7 5060"]);
    const dead = resolver.snapshot(0).servers.map((each) => each.dead);
    expect([dead[0], dead[2]]).toEqual([true, false]);
    resolver.close();
  });
});

/** A server that gives every name an address and signs nothing. */
function unsignedServer() {
  return Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data(socket, bytes, port, address) {
        const query = decode(bytes);
        const asked = query.questions?.[0];
        const answers =
          asked?.type === "A"
            ? [{ type: "A", name: asked.name, ttl: 60, data: "203.0.113.66" } as const]
            : [];
        const flags = AUTHORITATIVE_ANSWER;
        const reply = {
          type: "response",
          id: query.id ?? 0,
          flags,
          questions: query.questions ?? [],
          answers,
        } as const;
        socket.send(encode(reply), port, address);
      },
    },
  });
}

describe.skipIf(skipUnbound)("unbound", () => {
  let folder = "";
  let port = 0;
  let forger: Awaited<ReturnType<typeof unsignedServer>>;
  let server: Program;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "sipedge-dns-"));
    port = await freePort();
    forger = await unsignedServer();
    const data = zoneLines({ ...PUBLISHED, format: "zone" }).map((line) => `  local-data: '${line}'`);
    const config = [
      "server:",
      "  interface: 127.0.0.1",
      `  port: ${port}`,
      '  username: ""',
      '  chroot: ""',
      '  pidfile: ""',
      "  use-syslog: no",
      "  do-daemonize: no",
      "  do-not-query-localhost: no",
      "  verbosity: 1",
      '  module-config: "validator iterator"',
      '  local-zone: "test." nodefault',
      `  trust-anchor: "signed.test. DS 1 13 2 ${"0".repeat(64)}"`,
      '  local-zone: "example.test." static',
      "  local-data: 'example.test. 3600 IN SOA ns.example.test. op.example.test. 1 3600 600 86400 30'",
      ...data,
      "  local-data: 'alias.example.test. 60 IN CNAME sip.example.test.'",
      "remote-control:",
      "  control-enable: no",
      "stub-zone:",
      '  name: "signed.test."',
      `  stub-addr: 127.0.0.1@${forger.port}`,
    ];
    writeFileSync(join(folder, "unbound.conf"), `${config.join("\n")}\n`);
    server = new Program(["unbound", "-d", "-c", join(folder, "unbound.conf")]);
    await server.says(/start of service/);
  });

  afterAll(async () => {
    await server?.stop();
    forger?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("DNS-15 the printed zone lines load and lead here", async () => {
    const { locate, resolver } = rig(folder, [local(port)]);
    expect(await locate("sip:alice@example.test")).toEqual(["tls 2001:db8::5 5061"]);
    resolver.close();
  });

  test("RFC 2308 §5 no such name is kept for the SOA's minimum", async () => {
    const { ask, resolver } = rig(folder, [local(port)]);
    expect(await ask("nowhere.example.test", "A")).toEqual({ kind: "none", exists: false });
    const [record] = resolver.snapshot(1).records;
    expect(record!.expires_in_ms).toBeLessThanOrEqual(30_000);
    expect(record!.expires_in_ms).toBeGreaterThan(5000);
    resolver.close();
  });

  test("DNS-14 a zone whose signatures are missing: unbound says SERVFAIL, and that is a failure, not no such name", async () => {
    const { ask, resolver } = rig(folder, [local(port)]);
    expect(await ask("gw.signed.test", "A")).toEqual({ kind: "failed", reason: "SERVFAIL" });
    resolver.close();
  });
});
