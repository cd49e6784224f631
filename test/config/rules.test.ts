import { describe, expect, test } from "bun:test";
import { told } from "./support.ts";

const HA1 = "0123456789abcdef0123456789ABCDEF";

describe("expiry times", () => {
  test.each([
    [
      "min_expires_s = 300\nmax_expires_s = 200",
      ["3 registrar.max_expires_s: 200; at least registrar.min_expires_s (300)"],
    ],
    [
      "max_expires_s = 600",
      [
        "1 registrar.default_expires_s: 3600 (its default); " +
          "from registrar.min_expires_s (60) to registrar.max_expires_s (600)",
      ],
    ],
    [
      "default_expires_s = 59",
      [
        "2 registrar.default_expires_s: 59; from registrar.min_expires_s (60) to registrar.max_expires_s (3600)",
      ],
    ],
    ["max_expires_s = 600\ndefault_expires_s = 600", []],
  ])("%j", (lines, errors) => {
    expect(told(`[registrar]\n${lines}`)).toEqual(errors);
  });

  test("a time that is wrong by itself is not compared", () => {
    expect(told("[registrar]\nmin_expires_s = 5000\nmax_expires_s = 100\ndefault_expires_s = 90")).toEqual([
      "2 registrar.min_expires_s: 5000; whole number 1..3600 (seconds)",
    ]);
  });
});

test("T2 is not shorter than T1", () => {
  expect(told("[timers]\nt1_ms = 600\nt2_ms = 500")).toEqual([
    "3 timers.t2_ms: 500; at least timers.t1_ms (600)",
  ]);
  expect(told("[timers]\nt1_ms = 500\nt2_ms = 500")).toEqual([]);
});

test("a queue holds at least one message", () => {
  const toml = "[limits]\nmessage_bytes_max = 300000\n";
  expect(told(toml)).toEqual([
    "- tcp.queue_bytes_max: 262144 (its default); at least limits.message_bytes_max (300000)",
  ]);
  expect(told(`${toml}[tcp]\nqueue_bytes_max = 300000`)).toEqual([]);
});

describe("listeners", () => {
  const listen = (...lines: string[]) =>
    lines.map((line) => `[[listen]]\n${line.replaceAll("; ", "\n")}\n`).join("");

  test("each point once", () => {
    expect(told(listen("port = 5070", 'transport = "tcp"; port = 5070', "port = 5070"))).toEqual([
      "6 listen[2]: udp any port 5070; each point once: listen[0] has it already",
    ]);
  });

  test("one address in two spellings is one address", () => {
    expect(told(listen('address = "2001:db8:0:0::1"', 'address = "2001:DB8::1"'))).toEqual([
      "3 listen[1]: udp 2001:db8::1 port 5060; each point once: listen[0] has it already",
    ]);
  });

  test("ARC-23, B-72 a PROXY header is only for transports that have a place for it", () => {
    const balanced = (transport: string) =>
      listen(`transport = "${transport}"; port = 5070; proxy_protocol_from = ["192.0.2.0/24"]`);
    const refused = "listen[0].proxy_protocol_from";
    expect(told(balanced("udp"))).toEqual([`4 ${refused}: udp; only with transport tcp or tls`]);
    expect(told(balanced("ws"))).toEqual([
      `4 ${refused}: ws; only with transport tcp or tls (ws: forwarded_for_from)`,
    ]);
    expect(told(balanced("tcp"))).toEqual([]);
  });

  test("several free ports, and an address beside any", () => {
    expect(told(listen("port = 0", "port = 0", "port = 5060", 'address = "192.0.2.1"'))).toEqual([]);
  });
});

describe("users", () => {
  const user = (...lines: string[]) => `[[user]]\n${lines.join("\n")}\n`;

  test("each name once", () => {
    expect(told(user('name = "a"', 'password = "x"') + user('name = "a"', 'password = "y"'))).toEqual([
      '5 user[1].name: "a"; each name once: user[0] has it already',
    ]);
  });

  test("the name is needed", () => {
    expect(told(user('password = "x"'))).toEqual([
      "1 user[0].name: nothing; 1..64 of A-Z a-z 0-9 . _ ~ ! * ' ( ) & = + $ , ; ? / -",
    ]);
  });

  test("a password or a hash", () => {
    expect(told(user('name = "a"'))).toEqual(["1 user[0].password: nothing; one of password, ha1"]);
    expect(told(user('name = "a"', 'password = "x"', `ha1 = "${HA1}"`))).toEqual([
      "4 user[0].ha1: ha1 beside a password; one of password, ha1",
    ]);
    expect(told(user('name = "a"', `ha1 = "${HA1}"`))).toEqual([]);
    expect(told(user('name = "a"', `ha1 = "${HA1}"`, `ha1_sha256 = "${HA1}${HA1}"`))).toEqual([]);
  });

  test("a password that is wrong by itself is not missing", () => {
    expect(told(user('name = "a"', 'password = ""'))).toEqual([
      '3 user[0].password: ********; 1..256 characters, or "file:PATH", or "env:NAME"',
    ]);
  });

  test("the second hash stands beside the first", () => {
    expect(told(user('name = "a"', 'password = "x"', `ha1_sha256 = "${HA1}${HA1}"`))).toEqual([
      "4 user[0].ha1_sha256: ha1_sha256 without ha1; only beside ha1",
    ]);
  });

  test("the same of SHA-512-256; of several algorithms one hash will do", () => {
    const hash = `ha1_sha512_256 = "${HA1}${HA1}"`;
    expect(told(user('name = "a"', 'password = "x"', hash))).toEqual([
      "4 user[0].ha1_sha512_256: ha1_sha512_256 without ha1; only beside ha1",
    ]);
    const auth = '[auth]\nalgorithms = ["SHA-512-256", "SHA-256"]\n';
    expect(told(auth + user('name = "a"', `ha1 = "${HA1}"`, hash))).toEqual([]);
    expect(told(auth + user('name = "a"', `ha1 = "${HA1}"`))).toEqual([
      "5 user[0].ha1: ha1 alone; with ha1_sha512_256 or ha1_sha256, for auth.algorithms leaves MD5 out",
    ]);
  });

  test("an MD5 hash is of no use where MD5 is not offered", () => {
    const auth = '[auth]\nalgorithms = ["SHA-256"]\n';
    expect(told(auth + user('name = "a"', `ha1 = "${HA1}"`))).toEqual([
      "5 user[0].ha1: ha1 alone; with ha1_sha256, for auth.algorithms leaves MD5 out",
    ]);
    expect(told(auth + user('name = "a"', `ha1 = "${HA1}"`, `ha1_sha256 = "${HA1}${HA1}"`))).toEqual([]);
    expect(told(auth + user('name = "a"', 'password = "x"'))).toEqual([]);
  });
});

describe("a status API that others can reach has a token", () => {
  const http = (...lines: string[]) => told(`[http]\n${lines.join("\n")}`);
  const needed = "at least 16 characters, for http.address is not loopback";

  test.each(["192.0.2.1", "0.0.0.0", "::", "2001:db8::1"])("%s", (address) => {
    const line = `address = "${address}"`;
    expect(http(line)).toEqual([`1 http.token: nothing; ${needed}`]);
    expect(http(line, 'token = "15-characters--"')).toEqual([`3 http.token: ********; ${needed}`]);
    expect(http(line, 'token = "16-characters---"')).toEqual([]);
    expect(http(line, "enabled = false")).toEqual([]);
  });

  test.each(["127.0.0.1", "127.8.8.8", "::1", "0:0:0:0:0:0:0:1", "localhost"])("not %s", (address) => {
    expect(http(`address = "${address}"`)).toEqual([]);
  });

  test("counted after the file was read", () => {
    const toml = '[http]\naddress = "0.0.0.0"\ntoken = "file:t"';
    expect(told(toml, { t: "  a-token-of-20-chars--\n" })).toEqual([]);
    expect(told(toml, { t: "short\n" })).toEqual([`3 http.token: ********; ${needed}`]);
  });
});
