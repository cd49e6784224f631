/**
 * Trunks that are known by their certificates: Kamailio over mutual TLS, from an address that nobody named; and
 * connections that serve both ways (RFC 5923).
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyPair } from "../support/authority.ts";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";
import { StreamPhone } from "../support/stream-phone.ts";
import { accounts, PASSWORD } from "./phones.ts";
import { listening, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.55";
const TRUNK = "127.0.0.56";
const CALLER = "127.0.0.57";
const CALLEE = "127.0.0.58";
const CONFIG = join(import.meta.dir, "kamailio", "trunk.cfg");

function lacksTls(): boolean {
  const has = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"].some((folder) =>
    existsSync(join(folder, "kamailio/modules/tls.so")),
  );
  if (!has) process.stderr.write("skipped: a trunk over TLS (not installed: kamailio-tls-modules)\n");
  return !has;
}
const absent = missing("a trunk over TLS", "kamailio", "sipp", "openssl") || lacksTls();

/** A carrier that hands every call on to `edge`. */
function kamailio(
  dir: string,
  port: number,
  secured: number,
  edge: string,
  { file, key }: KeyPair,
  authority: Authority,
): Program {
  const words = { EDGE_URI: edge, CERTIFICATE: file, KEY: key, AUTHORITY: authority.file };
  return new Program([
    ...["kamailio", "-f", CONFIG, "-DD", "-E", "-m", "64", "-M", "8", "-Y", dir, "-w", dir],
    ...["-P", join(dir, "pid"), "-l", `udp:${TRUNK}:${port}`, "-l", `tls:${TRUNK}:${secured}`],
    ...Object.entries(words).flatMap(([name, value]) => ["-A", `${name}="${value}"`]),
  ]);
}

describe.skipIf(absent)("interop: a trunk over mutual TLS", () => {
  let authority: Authority;
  let edge: Edge;
  let trunk: Program;
  let dir: string;
  let tls: number;
  let trunkAt: string;
  let other: KeyPair;

  beforeAll(async () => {
    authority = new Authority();
    const ours = authority.issue("edge", { names: ["DNS:edge.test", `IP:${EDGE}`] });
    const theirs = authority.issue("trunk", { names: ["DNS:trunk.example.net"] });
    other = authority.issue("other", { names: ["DNS:other.example.net"] });
    tls = await freePort(EDGE);
    edge = await Edge.start({
      addresses: [EDGE],
      toml:
        `[[listen]]\ntransport = "tls"\naddress = "${EDGE}"\nport = ${tls}\n` +
        `[[certificate]]\nfile = "${ours.file}"\nkey = "${ours.key}"\n` +
        `[tls]\nca = "${authority.file}"\nclient_certificate = "request"\n` +
        `[calls]\naccept_foreign_callers = false\n${accounts("alice")}` +
        `[[peer]]\nname = "carrier"\nuris = ["sip:trunk.example.net;transport=tls"]\nprobe_s = 0\n` +
        `certificate_name = "trunk.example.net"\n`,
    });
    const port = await freePort(TRUNK);
    trunkAt = `${TRUNK}:${port}`;
    dir = mkdtempSync(join(tmpdir(), "sipedge-trunk-"));
    trunk = kamailio(dir, port, await freePort(TRUNK), `sip:${EDGE}:${tls};transport=tls`, theirs, authority);
    await listening("udp", port);
  });
  afterAll(async () => {
    await trunk?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
    authority?.[Symbol.dispose]();
  });

  test("SIP-40, RFC 5922 §7 its certificate names it: its calls are let in, from whatever address", async () => {
    const phone = await Sipp.start({ scenario: "callee-is-hung-up", address: CALLEE });
    try {
      const keys = { contact: `<${phone.contact("alice")}>`, expires: "600" };
      const at = { target: edge.hostPort, address: CALLEE, user: "alice", password: PASSWORD };
      await sipp({ scenario: "register", ...at, keys });
      const call = { scenario: "foreign-caller-hangs-up", address: CALLER, user: "+4930123" };
      await sipp({ ...call, target: trunkAt, keys: { peer: `alice@${edge.hostPort}` } });
      await phone.succeeds();
    } finally {
      await phone.stop();
    }
    const { traces } = await edge.get<{ traces: { id: string }[] }>("/v1/traces?limit=5");
    const shown = await Promise.all(traces.map(({ id }) => edge.get(`/v1/traces/${id}`)));
    expect(JSON.stringify(shown)).toContain("caller: peer carrier");
  });

  test("SIP-40 another good certificate, or none, makes nobody a peer", async () => {
    const pem = { cert: await Bun.file(other.file).text(), key: await Bun.file(other.key).text() };
    for (const shown of [pem, {}]) {
      const phone = await StreamPhone.tls({ host: EDGE, port: tls, ...shown });
      try {
        const contact = [`Contact: <${phone.contact}>`];
        const invite = phone.request("INVITE", `sip:alice@${EDGE}`, "sip:x@trunk.example.net", contact);
        expect(await phone.ask(invite)).toStartWith("SIP/2.0 403 ");
      } finally {
        phone.close();
      }
    }
  });
});

describe.skipIf(absent)("interop: one TLS connection for both ways (RFC 5923)", () => {
  const NATTED = "127.0.0.59";
  const LENT_PORT = 5999;
  let authority: Authority;
  let edge: Edge;
  let trunk: Program;
  let dir: string;
  let tls: number;
  let trunkAt: string;
  let phone: Sipp;
  let theirs: KeyPair;

  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`${edge.api}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
  };

  beforeAll(async () => {
    authority = new Authority();
    const ours = authority.issue("edge", { names: ["DNS:edge.test", `IP:${EDGE}`] });
    const carrier = authority.issue("trunk", { names: [`IP:${TRUNK}`] });
    theirs = authority.issue("natted", { names: ["DNS:pbx.example.net", `IP:${NATTED}`] });
    const [port, secured] = [await freePort(TRUNK), await freePort(TRUNK)];
    trunkAt = `${TRUNK}:${port}`;
    tls = await freePort(EDGE);
    dir = mkdtempSync(join(tmpdir(), "sipedge-trunk-"));
    trunk = kamailio(dir, port, secured, `sip:${EDGE}:${tls};transport=tls`, carrier, authority);
    await listening("udp", port);
    edge = await Edge.start({
      addresses: [EDGE],
      toml:
        `[[listen]]\ntransport = "tls"\naddress = "${EDGE}"\nport = ${tls}\n` +
        `[[certificate]]\nfile = "${ours.file}"\nkey = "${ours.key}"\n` +
        `[tls]\nca = "${authority.file}"\nclient_certificate = "request"\n${accounts("alice")}` +
        `[[peer]]\nname = "carrier"\nuris = ["sip:${TRUNK}:${secured};transport=tls"]\nnetworks = ["${TRUNK}"]\n` +
        `[[peer]]\nname = "pbx"\nuris = ["sip:${NATTED}:${LENT_PORT};transport=tls"]\nprobe_s = 0\n` +
        `certificate_name = "pbx.example.net"\n` +
        `[[route]]\nname = "all"\nto = ["peer:pbx"]\n`,
    });
    phone = await Sipp.start({ scenario: "callee-is-hung-up", address: CALLEE });
    const keys = { contact: `<${phone.contact("alice")}>`, expires: "600" };
    await sipp({
      ...{ scenario: "register", target: edge.hostPort, address: CALLEE, user: "alice", password: PASSWORD },
      keys,
    });
  });
  afterAll(async () => {
    await phone?.stop();
    await trunk?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
    authority?.[Symbol.dispose]();
  });

  test("B-05 Kamailio sends its calls down the connection on which we asked whether it is there", async () => {
    await eventually("a probe", async () => (await metric("sipedge_tcp_connections_opened_total")) === 1);
    const call = { scenario: "foreign-caller-hangs-up", address: CALLER, user: "+4930123" };
    await sipp({ ...call, target: trunkAt, keys: { peer: `alice@${edge.hostPort}` } });
    await phone.succeeds();
    expect(await metric("sipedge_tcp_connections_accepted_total")).toBe(0);
    expect(await metric("sipedge_tcp_connections_opened_total")).toBe(1);
  });

  test("B-05 a PBX that nobody can connect to is called over the connection that it opened", async () => {
    const pem = { cert: await Bun.file(theirs.file).text(), key: await Bun.file(theirs.key).text() };
    const pbx = await StreamPhone.tls({ host: EDGE, port: tls, localAddress: NATTED, ...pem });
    const caller = () =>
      sipp({
        ...{ scenario: "caller-is-refused", target: edge.hostPort, address: CALLER },
        ...{
          user: "alice",
          password: PASSWORD,
          keys: { home: edge.hostPort, peer: `4930999@${edge.hostPort}` },
        },
      });
    const options = pbx.request("OPTIONS", `sip:${EDGE}`, "sip:pbx.example.net");
    const alias = options.map((line) =>
      line.startsWith("Via:")
        ? line.replace(pbx.host, `pbx.example.net:${LENT_PORT}`).concat(";alias")
        : line,
    );
    try {
      expect(await pbx.ask(alias)).toStartWith("SIP/2.0 200 ");
      const refused = caller();
      const invite = await pbx.got(/^INVITE sip:4930999@/);
      pbx.answer(invite, "486 Busy Here");
      await refused;
      expect(pbx.received.some((message) => message.startsWith("ACK "))).toBe(true);
      expect(await metric("sipedge_tcp_connections_opened_total")).toBe(1); // the one to Kamailio
    } finally {
      pbx.close();
    }
  });
});
