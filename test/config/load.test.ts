import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { renderErrors } from "../../src/config/errors.ts";
import { exampleToml } from "../../src/config/example.ts";
import { defaultConfig, parseConfig } from "../../src/config/load.ts";
import { configOf, errorsOf, told } from "./support.ts";

describe("what runs without a file", () => {
  const config = defaultConfig();

  test("is what an empty file means", () => {
    expect(configOf("")).toEqual(config);
  });

  test("lets nobody register or call without a password", () => {
    expect(config.auth.trusted_networks).toEqual([]);
    expect(config.calls.accept_foreign_callers).toBe(false);
    expect(config.user).toEqual([]);
  });

  test("has its status API on loopback only", () => {
    expect(config.http).toEqual({ enabled: true, address: "127.0.0.1", port: 8080 });
  });

  test("listens on each address, with UDP and TCP", () => {
    expect(config.listen).toEqual([
      { transport: "udp", address: "any", port: 5060 },
      { transport: "tcp", address: "any", port: 5060 },
    ]);
  });

  test("leaves open what the appliance decides", () => {
    expect([config.data_dir, config.auth.realm]).toEqual([null, null]);
  });

  test("is a fresh one each time", () => {
    const changed = defaultConfig();
    changed.domains.push("example.test");
    changed.listen.pop();
    expect(defaultConfig()).toEqual(config);
  });
});

test("the documented start is taken as it stands", () => {
  const config = configOf(`
config_version = 1
domains = ["example.test", "127.0.0.1"]   # what this appliance is responsible for
data_dir = "/var/lib/sipedge"
[[listen]]
transport = "udp"
address = "127.0.0.1"
port = 5060
advertise = "203.0.113.5:5060"
[http]
address = "127.0.0.1"
port = 8080
[auth]
trusted_networks = ["127.0.0.1/32"]
[[user]]
name = "alice"
password = "wonderland"
[registrar]
min_expires_s = 60
max_expires_s = 3600
default_expires_s = 3600
max_contacts = 10`);
  expect(config.domains).toEqual(["example.test", "127.0.0.1"]);
  expect(config.listen).toEqual([
    { transport: "udp", address: "127.0.0.1", port: 5060, advertise: "203.0.113.5:5060" },
  ]);
  expect(config.user).toMatchObject([{ name: "alice", password: "wonderland" }]);
  expect(config.registrar).toEqual({
    min_expires_s: 60,
    max_expires_s: 3600,
    default_expires_s: 3600,
    max_contacts: 10,
    service_route: false,
  });
});

test("every mistake is told at once, in the order of the file", () => {
  const toml = `config_version = 2
domain = ["x"]
domains = ["sip:foo", "ok.test", 5]
[[listen]]
transport = "ucp"
adress = "any"
[[listen]]
port = "5060"
[registrar]
min_expires_s = 0
max_contacts = 2.5
[timers]
t1_ms = 5000
t2_ms = 4000
[log]
level = true
`;
  expect(errorsOf(toml).map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
    "1:1 config_version",
    "2:1 domain",
    "3:12 domains[0]",
    "3:34 domains[2]",
    "5:1 listen[0].transport",
    "6:1 listen[0].adress",
    "8:1 listen[1].port",
    "10:1 registrar.min_expires_s",
    "11:1 registrar.max_contacts",
    "14:1 timers.t2_ms",
    "16:1 log.level",
  ]);
});

test("mistakes as a person reads them", () => {
  const errors = errorsOf('[[listen]]\n[[listen]]\ntransport = "ucp"\nport = 5061\n[http]\nprot = 1\n');
  expect(renderErrors("edge.toml", errors)).toBe(
    'edge.toml:3: listen[1].transport: found "ucp"; allowed: udp, tcp, tls, ws, wss; did you mean "udp"?\n' +
      "edge.toml:6: http.prot: found an unknown key; allowed: enabled, address, port, token, read_token; " +
      'did you mean "port"?\n',
  );
  expect(renderErrors("edge.toml", errorsOf("port = udp"))).toBe(
    "edge.toml:1:8: found a mistake of form (invalid value); " +
      'allowed: TOML: [section] lines and key = value lines, text in "quotes"\n',
  );
});

describe("text that is no TOML", () => {
  test("has one mistake, with line and column", () => {
    const [error, ...others] = errorsOf('domains = ["a.test"\n[log]\nlevel = "loud"');
    expect(others).toEqual([]);
    expect(error).toMatchObject({ path: "", suggestion: null });
    expect([error?.line, error?.column]).toEqual([2, 1]);
  });

  test("is not quoted: the line may hold a password", () => {
    const toml = '[[user]]\nname = "alice"\npassword = "wonderland" oops\n';
    expect(JSON.stringify(errorsOf(toml))).not.toContain("wonderland");
  });

  test("a key given twice is a mistake of form", () => {
    expect(errorsOf("[log]\n[log]")[0]).toMatchObject({ line: 2, path: "" });
  });

  test("lists nested without end are a mistake of form", () => {
    expect(errorsOf(`domains = ${"[".repeat(100_000)}`)[0]).toMatchObject({ line: 1, path: "" });
  });
});

describe("unknown keys", () => {
  const suggestion = (toml: string) => errorsOf(toml)[0]?.suggestion;

  test.each([
    ['domain = "x"', "domains"],
    ["[registar]", "registrar"],
    ["[tcp]\nidle-s = 60", "idle_s"],
    ["[[listen]]\nPort = 5060", "port"],
    ["[registrar]\nrealm = 'x'", "realm under [auth]"],
    ["[log]\ntransport = 'udp'", "transport under [[listen]]"],
    ["[log]\ndomains = []", "domains above the first [section]"],
    ["[log]\ncolour = 'red'", null],
  ])("%j: did you mean %j", (toml, better) => {
    expect(suggestion(toml)).toBe(better);
  });

  test("all of them, not only the first", () => {
    expect(errorsOf("a = 1\nb = 2\n[log]\nc = 3\n[d]\ne = 4").map(({ path }) => path)).toEqual([
      "a",
      "b",
      "log.c",
      "d",
    ]);
  });

  test("names of every object's own are unknown as well", () => {
    const toml = "[http]\nconstructor = 1\n__proto__ = 2\ntoString = 3\n";
    expect(errorsOf(toml).map(({ path }) => path)).toEqual([
      "http.constructor",
      "http.__proto__",
      "http.toString",
    ]);
  });

  test("their value is not shown: it may be a misspelled password", () => {
    const toml = '[[user]]\nname = "alice"\nha1 = "00000000000000000000000000000000"\npasword = "wonderland"';
    expect(errorsOf(toml)[0]).toMatchObject({ path: "user[0].pasword", suggestion: "password" });
    expect(JSON.stringify(errorsOf(toml))).not.toContain("wonderland");
  });

  test("a long or odd one cannot garble the message", () => {
    expect(errorsOf(`"a\\nb" = 1\n${"k".repeat(500)} = 1`).map(({ path }) => path)).toEqual([
      '"a\\nb"',
      `"${"k".repeat(64)}…"`,
    ]);
  });
});

describe("a table where none belongs, and none where one does", () => {
  test.each([
    ["registrar = 5", "registrar", "a number", null],
    ["http = 'secret'", "http", "a text", null],
    ["log = 1979-05-27", "log", "a date", null],
    ["[[http]]\nport = 1", "http", "a list of 1", "[http]"],
    ["[user]\nname = 'alice'", "user", "a table", "[[user]]"],
    ["user = ['alice:wonderland']", "user[0]", "a text", null],
    ["user = [['wonderland']]", "user[0]", "a list of 1", null],
    ["[log.level]\na = 1", "log.level", "{ a }", null],
    ["domains = 'a.test'", "domains", '"a.test"', null],
    ["listen = []", "listen", "a list of 0", null],
  ])("%j", (toml, path, found, suggestion) => {
    const errors = errorsOf(toml);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ path, found, suggestion });
  });

  test("an inline table is as good as a section", () => {
    const config = configOf('log = { level = "warn" }\nlisten = [{ transport = "tcp", port = 0 }]');
    expect(config.log).toEqual({ level: "warn", format: "text" });
    expect(config.listen).toEqual([{ transport: "tcp", address: "any", port: 0 }]);
  });
});

test("a long value is cut in the message", () => {
  const [error] = errorsOf(`[log]\nlevel = "${"x".repeat(10_000)}"`);
  expect(error!.found.length).toBeLessThan(100);
});

describe("whatever the text is", () => {
  const example = exampleToml().replace(/^#(?=[a-z[])/gm, "");
  const edit = fc.record({
    at: fc.nat(example.length),
    cut: fc.nat(30),
    put: fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom("\n", "[", "]", "{}", '"', "= 1", "a.b", "[[x]]\n"),
    ),
  });

  test("there is a configuration or a list of mistakes with their places, never an exception", () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let toml = example;
        for (const { at, cut, put } of edits) toml = toml.slice(0, at) + put + toml.slice(at + cut);
        const result = parseConfig(toml, {
          readFile: () => "a-token-from-a-file",
          readVariable: () => "a-token-from-a-variable",
        });
        if ("config" in result) return;
        expect(result.errors.length).toBeGreaterThan(0);
        for (const { path, found, allowed } of result.errors) {
          expect(found).not.toBe("");
          expect(allowed).not.toBe("");
          expect(typeof path).toBe("string");
        }
        expect(renderErrors("f", result.errors).split("\n")).toHaveLength(result.errors.length + 1);
      }),
      { numRuns: 1000 },
    );
  });
});

test("a mistake without a place in the file is told last", () => {
  expect(told("[limits]\nmessage_bytes_max = 300000\n[log]\nlevel = 1")).toEqual([
    "4 log.level: 1; debug, info, warn, error",
    "- tcp.queue_bytes_max: 262144 (its default); at least limits.message_bytes_max (300000)",
  ]);
});
