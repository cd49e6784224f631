/** /etc/hosts, /etc/resolv.conf and what the [dns] section makes of servers. */
import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { dns } from "../../src/config/keys-dns.ts";
import { parseForwarder, resolverOptions } from "../../src/dns/resolver-options.ts";
import { parseHosts, parseResolvConf, parseServer } from "../../src/dns/system-files.ts";

test("DNS-06 hosts(5): comments, many names, both families, and nonsense passed over", () => {
  const table = parseHosts(
    "127.0.0.1 localhost\n\n  10.0.0.1\tGW gw.test. # x\n::1 gw\nnonsense here\n10.0.0.2 bad..name\n10.0.0.1 gw\n",
  );
  expect(Object.fromEntries(table)).toEqual({
    localhost: ["127.0.0.1"],
    gw: ["10.0.0.1", "::1"],
    "gw.test": ["10.0.0.1"],
  });
});

test("DNS-12 resolv.conf(5): servers, timeout, attempts; the rest is passed over", () => {
  const text =
    "; c\nsearch a b\nnameserver 192.0.2.1 # x\nnameserver ::1\nnameserver dns.test\noptions ndots:2 timeout:99 attempts:0\n";
  expect(parseResolvConf(text)).toEqual({
    servers: [
      { address: "192.0.2.1", port: 53 },
      { address: "::1", port: 53 },
    ],
    timeout_ms: 30_000,
    attempts: 1,
  });
  expect(parseResolvConf("")).toEqual({
    servers: [{ address: "127.0.0.1", port: 53 }],
    timeout_ms: null,
    attempts: null,
  });
  expect(parseResolvConf("nameserver 192.0.2.1\n".repeat(100)).servers).toHaveLength(8);
});

test("DNS-12 servers as they are written", () => {
  expect(["192.0.2.1", "192.0.2.1:5353", "::1", "[::1]:5353", "[::1]"].map(parseServer)).toEqual([
    { address: "192.0.2.1", port: 53 },
    { address: "192.0.2.1", port: 5353 },
    { address: "::1", port: 53 },
    { address: "::1", port: 5353 },
    { address: "::1", port: 53 },
  ]);
  expect(
    ["", "dns.test", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1]:53", "::1:x"].map(parseServer),
  ).toEqual(Array(6).fill(null));
  expect([parseForwarder("corp.test"), parseForwarder("corp.test x"), parseForwarder("")]).toEqual([
    null,
    null,
    null,
  ]);
});

describe("DNS-12 the [dns] section", () => {
  test("its defaults: servers of resolv.conf, 4 s, no stale answers, ENUM off", () => {
    const config = v.parse(dns, {});
    expect(config).toMatchObject({
      servers: [],
      naptr: true,
      lookup_ms: 4000,
      dead_target_s: 30,
    });
    expect(resolverOptions(config)).toMatchObject({
      servers: [],
      forwarders: [],
      timeout_ms: null,
      cache: { entries_max: 10_000, stale_ms: 0 },
      hosts_path: "/etc/hosts",
    });
  });

  test("servers and forwarders with ports", () => {
    const config = v.parse(dns, {
      servers: ["192.0.2.1", "[::1]:5353"],
      forward: ["corp.test 10.0.0.53:54 ::1"],
      timeout_ms: 500,
    });
    expect(resolverOptions(config)).toMatchObject({
      servers: [
        { address: "192.0.2.1", port: 53 },
        { address: "::1", port: 5353 },
      ],
      forwarders: [
        {
          suffix: "corp.test",
          servers: [
            { address: "10.0.0.53", port: 54 },
            { address: "::1", port: 53 },
          ],
        },
      ],
      timeout_ms: 500,
    });
  });

  test("what makes no sense is refused", () => {
    for (const bad of [
      { servers: ["dns.test"] },
      { servers: ["192.0.2.1:99999"] },
      { forward: ["corp.test"] },
      { forward: ["10.0.0.1 10.0.0.2"] },
      { families: [] },
      { lookup_ms: 1 },
      { unknown: 1 },
    ])
      expect(v.safeParse(dns, bad).success).toBe(false);
  });
});
