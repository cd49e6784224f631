import { describe, expect, test } from "bun:test";
import { SECTIONS } from "../../src/config/facts.ts";
import { configOf, errorsOf } from "./support.ts";

/** A line under its section, with what else the section needs to be right. */
const AROUND: Readonly<Record<string, string>> = {
  user: 'name = "alice"\npassword = "wonderland"',
  group: 'name = "sales"\nring = ["alice"]',
};

const under = (section: string, line: string) => {
  if (section === "") return line;
  const isMany = ["listen", "user", "group"].includes(section);
  const others = (AROUND[section] ?? "")
    .split("\n")
    .filter((each) => each.split(" ", 1)[0] !== line.split(" ", 1)[0]);
  return [isMany ? `[[${section}]]` : `[${section}]`, line, ...others].join("\n");
};

const ACCEPTED: readonly (readonly [section: string, lines: readonly string[]])[] = [
  ["", ["config_version = 1", 'data_dir = "/srv/sip"']],
  [
    "",
    [
      "domains = []",
      'domains = ["example.test", "a-b.c1", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "edge"]',
    ],
  ],
  ["listen", ['transport = "tcp"', 'address = "192.0.2.1"', 'address = "2001:db8::1"', 'address = "any"']],
  ["listen", ["port = 0", "port = 65535", 'advertise = "edge.test"', 'advertise = "[2001:db8::1]:5070"']],
  ["http", ["enabled = false", 'address = "localhost"', 'address = "::1"', 'token = "short"', "port = 0"]],
  ["auth", ['realm = "my site"', 'trusted_networks = ["10.0.0.0/8", "::1", "2001:db8::/32"]']],
  [
    "auth",
    [
      'algorithms = ["MD5"]',
      'algorithms = ["MD5", "SHA-256"]',
      "nonce_lifetime_s = 10",
      'qop = ["auth-int", "auth"]',
      "nonce_source = true",
    ],
  ],
  ["user", ['name = "201"', 'name = "+49.30~a_b!*\'()&=$,;?/-"', 'password = "with spaces und Umläuten"']],
  [
    "registrar",
    ["min_expires_s = 3600", "max_expires_s = 2592000", "default_expires_s = 60", "max_contacts = 1"],
  ],
  [
    "calls",
    [
      "accept_foreign_callers = true",
      'fork = "serial"',
      "hunt_s = 1",
      "forwards_max = 0",
      'early_media = "first"',
    ],
  ],
  [
    "user",
    ['fork = "parallel"', "redirect = true", 'forward_busy = "sip:vm@[2001:db8::1]:5070;transport=tcp"'],
  ],
  ["user", ['forward_always = "voicemail"', "no_answer_s = 600"]],
  ["group", ['ring = ["alice"]', 'ring = ["alice bob 15s", "carol"]', 'forward_no_answer = "201"']],
  [
    "emergency",
    ['numbers = ["112", "*911#"]', 'to = "sip:{number}@carrier.example.test"', 'networks = ["::1"]'],
  ],
  ["log", ['level = "debug"', 'format = "json"']],
  ["timers", ["t1_ms = 50", "t2_ms = 500", "t4_ms = 50", "timer_c_s = 10", "timer_c_s = 3600"]],
  ["limits", ["message_bytes_max = 1300", "transactions_max = 100", "branches_max = 60", "bindings_max = 1"]],
  [
    "tcp",
    [
      "connections_max = 1",
      "idle_s = 10",
      "first_message_s = 1",
      "partial_message_s = 1",
      "connect_timeout_ms = 100",
    ],
  ],
  ["udp", ["receive_buffer_bytes = 65536"]],
  ["shutdown", ["drain_s = 0", "drain_s = 300"]],
];

describe("taken", () => {
  const lines = ACCEPTED.flatMap(([section, each]) => each.map((line) => [section, line] as const));
  test.each(lines)("[%s] %s", (section, line) => {
    expect(errorsOf(under(section, line))).toEqual([]);
  });
});

const REFUSED: readonly (readonly [section: string, lines: readonly string[]])[] = [
  [
    "",
    [
      "config_version = 2",
      'data_dir = ""',
      'domains = ["a b"]',
      'domains = ["x:5060"]',
      'domains = ["300.1.1.1"]',
    ],
  ],
  [
    "listen",
    ['transport = "sctp"', 'address = "edge.test"', 'address = "fe80::1"', 'address = "192.0.2.0/24"'],
  ],
  [
    "listen",
    ["port = -1", "port = 65536", "port = 5060.5", 'advertise = "a:b:c"', 'advertise = "edge.test:0"'],
  ],
  ["http", ["enabled = 1", 'address = "example.test"', 'token = ""', 'token = "with space"', "port = inf"]],
  [
    "auth",
    ['realm = ""', "realm = 'a\"b'", 'trusted_networks = ["10.0.0.0/33"]', 'trusted_networks = ["lan"]'],
  ],
  [
    "auth",
    [
      "algorithms = []",
      'algorithms = ["MD5", "MD5"]',
      'algorithms = ["SHA-512"]',
      "nonce_lifetime_s = 9",
      "qop = []",
      'qop = ["auth-conf"]',
      "nonce_source = 1",
    ],
  ],
  ["user", ['name = ""', 'name = "a@b"', 'name = "a b"', 'password = ""', 'password = "a\\nb"']],
  [
    "registrar",
    ["min_expires_s = 3601", "max_expires_s = 2592001", "max_contacts = 0", "max_contacts = 101"],
  ],
  ["calls", ['accept_foreign_callers = "no"', 'fork = "random"', "hunt_s = 0", "forwards_max = 21"]],
  [
    "user",
    [
      'forward_busy = ""',
      'forward_busy = "bob@example.test"',
      'forward_busy = "tel:+4930"',
      'forward_busy = "sip:bob@a b"',
      'forward_busy = "sip:bob@x?Subject=y"',
      'forward_busy = "sip:bob@x;method=BYE"',
      'forward_busy = "sip:bob@x>\\r\\nEvil: 1"',
      "no_answer_s = 601",
    ],
  ],
  ["group", ['ring = ["15s"]', 'ring = [""]', 'ring = ["alice 601s"]', 'ring = ["al ice@x"]']],
  ["emergency", ['numbers = ["help"]', 'to = "sip:"', 'networks = ["here"]']],
  ["log", ['level = "trace"', 'format = "xml"']],
  ["timers", ["t1_ms = 49", "t1_ms = 5001", "timer_c_s = 9", "timer_c_s = 3601", "t4_ms = nan"]],
  [
    "limits",
    ["message_bytes_max = 1299", "message_bytes_max = 1048577", "branches_max = 61", "branches_max = 0"],
  ],
  ["tcp", ["connections_max = 0", "idle_s = 9", "idle_s = 86401", "queue_bytes_max = 0"]],
  ["udp", ["receive_buffer_bytes = 0"]],
  ["nat", ['contact = "hide"']],
  ["shutdown", ["drain_s = -1", "drain_s = 301"]],
];

describe("refused, and nothing else with it", () => {
  const lines = REFUSED.flatMap(([section, each]) => each.map((line) => [section, line] as const));
  test.each(lines)("[%s] %s", (section, line) => {
    const key = line.split(" ", 1)[0]!;
    const errors = errorsOf(under(section, line));
    expect(errors).toHaveLength(1);
    expect(errors[0]!.path.split(".").at(-1)).toStartWith(key);
  });
});

describe("a better word", () => {
  test.each([
    ["listen", 'transport = "UDP"', "udp"],
    ["listen", 'transport = "tpc"', "tcp"],
    ["listen", 'address = "0.0.0.0"', "any"],
    ["listen", 'address = "::"', "any"],
    ["listen", 'address = "localhost"', "127.0.0.1"],
    ["listen", 'address = "::ffff:192.0.2.1"', "192.0.2.1"],
    ["listen", 'address = "[2001:db8::1]"', "2001:db8::1"],
    ["http", 'address = "any"', "0.0.0.0"],
    ["log", 'level = "warning"', null],
    ["log", 'level = "wran"', "warn"],
    ["auth", 'algorithms = ["SHA256"]', "SHA-256"],
  ])("[%s] %s: %j", (section, line, better) => {
    expect(errorsOf(under(section, line))[0]?.suggestion).toBe(better);
  });

  test("a number in quotes gets the hint to leave them out", () => {
    expect(errorsOf('[tcp]\nidle_s = "60"')[0]?.allowed).toBe(
      "whole number 10..86400 (seconds), without quotes",
    );
  });
});

test("every key says what it does, what it takes and what goes wrong", () => {
  const keys = SECTIONS.flatMap((section) => section.keys);
  expect(keys.length).toBeGreaterThan(40);
  for (const { name, does, allowed, without } of keys)
    for (const words of [does, allowed, without]) expect([name, words.length > 3]).toEqual([name, true]);
});

test("units come last in the names of numbers", () => {
  const units: Readonly<Record<string, RegExp>> = {
    seconds: /_s$/,
    milliseconds: /_ms$/,
    bytes: /_bytes(_max)?$/,
  };
  for (const { keys } of SECTIONS)
    for (const { name, allowed } of keys) {
      const unit = /^whole number .*\((\w+)\)$/.exec(allowed)?.[1] ?? "";
      expect(name).toMatch(units[unit] ?? /./);
    }
});

test("the values of a section are those of the file", () => {
  expect(configOf("[limits]\nbranches_max = 3").limits).toMatchObject({
    message_bytes_max: 65_535,
    transactions_max: 100_000,
    branches_max: 3,
    bindings_max: 100_000,
  });
});
