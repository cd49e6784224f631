/**
 * Phones over TLS: baresip registers, calls and talks, encrypted from phone to phone; openssl looks at what is shown.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import type { Baresip } from "./baresip.ts";
import { accounts, Phones, talk } from "./phones.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.29";
const absent = missing("phones over TLS", "baresip", "sox", "openssl");

interface Flows {
  readonly flows: readonly { readonly transport: string }[];
}

describe.skipIf(absent)("interop: phones over TLS", () => {
  let authority: Authority;
  let edge: Edge;
  let phones: Phones;
  let port: number;
  let cem: Baresip;

  beforeAll(async () => {
    authority = new Authority();
    const { file, key } = authority.issue("edge", { names: ["DNS:edge.test", `IP:${EDGE}`] });
    const far = authority.issue("far", { names: ["DNS:far.test"] });
    port = await freePort(EDGE);
    edge = await Edge.start({
      addresses: [EDGE],
      toml:
        `[[listen]]\ntransport = "tls"\naddress = "${EDGE}"\nport = ${port}\n` +
        `[[certificate]]\nfile = "${file}"\nkey = "${key}"\n` +
        `[[certificate]]\nfile = "${far.file}"\nkey = "${far.key}"\n` +
        `[media]\nrelay = "always"\naccept_from = "anywhere"\n${accounts("ann", "ben", "cem", "dan", "eva")}`,
    });
    phones = new Phones(edge, 140);
  });
  afterAll(async () => {
    await phones?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
    authority?.[Symbol.dispose]();
  });

  const overTls = (name: string, more = {}): Promise<Baresip> =>
    phones.add(name, { transport: "tls", registrar: `${EDGE}:${port}`, ca: authority.file, ...more });

  test("SIP-41, ARC-18: two phones over TLS talk with SRTP; their keys pass, and are not in the trace", async () => {
    const [ann, ben] = [
      await overTls("ann", { media: "srtp-mand" }),
      await overTls("ben", { media: "srtp-mand" }),
    ];
    ann.dial(`sip:ben@${EDGE}:${port};transport=tls`);
    await talk(ann, ben);
    const [invite] = ben.received(/^INVITE /);
    expect(invite).toMatch(/^a=crypto:\d+ \S+ inline:\S{20,}/m);
    expect(invite).toMatch(/^Via: SIP\/2\.0\/TLS /m);
    expect(invite).toMatch(/^Record-Route: <sip:[^>]+;transport=tls;lr>/m);
    const sentKey = /inline:(\S+)/.exec(ann.sent(/^INVITE /)[0]!)![1]!;
    expect(invite).toContain(sentKey);
    const { traces } = await edge.get<{ traces: { id: string }[] }>("/v1/traces?limit=5");
    const shown = await Promise.all(traces.map(({ id }) => edge.get(`/v1/traces/${id}`)));
    expect(JSON.stringify(shown)).toContain("inline:***");
    expect(JSON.stringify(shown)).not.toContain(sentKey);
  });

  test("ARC-13: a phone over TLS and one over UDP talk: two Record-Routes, each for its side", async () => {
    const dan = await overTls("dan");
    cem = await phones.add("cem");
    dan.dial(`sip:cem@${EDGE}:${port};transport=tls`);
    await talk(cem, dan);
    const routes = cem
      .received(/^INVITE /)
      .at(-1)!
      .match(/^Record-Route: .*$/gm)!;
    expect(routes).toHaveLength(2);
    expect(routes[0]).not.toContain("transport=");
    expect(routes[1]).toContain(";transport=tls;lr>");
  });

  test("a phone whose connection is gone is out of use at once", async () => {
    const eva = await overTls("eva");
    await eventually("its connection", async () =>
      (await edge.get<Flows>("/v1/flows")).flows.some(({ transport }) => transport === "tls"),
    );
    await eva.stop();
    cem.forget();
    cem.dial(`sip:eva@${edge.hostPort}`);
    const closed = await cem.event("CALL_CLOSED", 5000);
    expect(closed.param).toMatch(/480|404/);
  });

  test("openssl: version, chain and name are good; another name gets its own certificate; old versions get none", () => {
    const ask = (...more: readonly string[]): string => {
      const argv = ["openssl", "s_client", "-connect", `${EDGE}:${port}`, "-CAfile", authority.file, ...more];
      const { stdout, stderr } = Bun.spawnSync(argv, { stdin: Buffer.from("\n"), timeout: 10_000 });
      return stdout.toString() + stderr.toString();
    };
    const good = ask("-servername", "edge.test", "-verify_hostname", "edge.test", "-verify_return_error");
    expect(good).toContain("Verify return code: 0 (ok)");
    expect(good).toMatch(/TLSv1\.3/);
    expect(ask("-servername", "far.test")).toMatch(/subject=.*CN ?= ?far/);
    expect(ask("-tls1_1")).toMatch(/alert|no protocols available|wrong version|internal error/i);
  });
});
