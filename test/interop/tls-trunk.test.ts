/**
 * A trunk that is known by its certificate: Kamailio over mutual TLS, from an address that nobody named.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeyPair } from "../support/authority.ts";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";
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
    const [port, secured] = [await freePort(TRUNK), await freePort(TRUNK)];
    trunkAt = `${TRUNK}:${port}`;
    dir = mkdtempSync(join(tmpdir(), "sipedge-trunk-"));
    const words = {
      EDGE_URI: `sip:${EDGE}:${tls};transport=tls`,
      CERTIFICATE: theirs.file,
      KEY: theirs.key,
      AUTHORITY: authority.file,
    };
    trunk = new Program([
      ...["kamailio", "-f", CONFIG, "-DD", "-E", "-m", "64", "-M", "8", "-Y", dir, "-w", dir],
      ...["-P", join(dir, "pid"), "-l", `udp:${trunkAt}`, "-l", `tls:${TRUNK}:${secured}`],
      ...Object.entries(words).flatMap(([name, value]) => ["-A", `${name}="${value}"`]),
    ]);
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
