/**
 * `sipedge forward` as a process of its own, beside a running appliance and without one.
 */
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configText, Edge, SIPEDGE } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.4";
const USERS = ["alice", "bob"]
  .map((name) => `[[user]]\nname = "${name}"\npassword = "a long secret"\n`)
  .join("");

/** Runs the command and gives its exit code and both outputs. */
async function forward(config: string, ...words: string[]): Promise<{ code: number; output: string }> {
  const program = new Program([...SIPEDGE, "forward", ...words, "--config", config]);
  const code = await program.ended();
  return { code, output: program.output };
}

/** `sipedge user ACTION NAME` in the same manner; a password is there for it to read. */
async function user(config: string, ...words: string[]): Promise<{ code: number; output: string }> {
  const program = new Program([...SIPEDGE, "user", ...words, "--config", config], {
    stdin: "a long secret\n",
  });
  const code = await program.ended();
  return { code, output: program.output };
}

describe("interop: `forward` without a running appliance", () => {
  let dir: string;
  let config: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "sipedge-forward-"));
    config = join(dir, "sipedge.toml");
    writeFileSync(config, configText([EDGE], 5060, join(dir, "data"), USERS));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test("sets rules one by one, shows them, and removes them one by one", async () => {
    expect(await forward(config, "alice")).toEqual({ code: 0, output: "alice: nothing is forwarded\n" });
    expect((await forward(config, "alice", "busy", "bob")).code).toBe(0);
    const set = await forward(config, "alice", "no_answer", "sip:vm@elsewhere.test", "--after", "15");
    expect(set).toEqual({
      code: 0,
      output:
        "alice (stored)\n  busy            bob\n  no_answer       sip:vm@elsewhere.test\n  --after         15 s\n",
    });
    expect(await forward(config, "alice")).toEqual(set);
    expect(await forward(config)).toEqual(set);
    expect((await forward(config, "alice", "no_answer", "off")).output).toBe(
      "alice (stored)\n  busy            bob\n",
    );
    expect((await forward(config, "alice", "busy", "off")).output).toBe("alice: nothing is forwarded\n");
    expect((await forward(config)).output).toBe("nothing is forwarded\n");
  });

  test("a user who is removed takes the rules along: the next one of that name starts without", async () => {
    expect((await user(config, "add", "dora")).code).toBe(0);
    expect((await forward(config, "dora", "always", "bob")).code).toBe(0);
    expect((await user(config, "remove", "dora")).code).toBe(0);
    expect((await user(config, "add", "dora")).code).toBe(0);
    expect((await forward(config, "dora")).output).toBe("dora: nothing is forwarded\n");
  });

  test("rules of the config file: the start of every change, and back with `off`", async () => {
    const forwarded = `[[user]]\nname = "carol"\npassword = "a long secret"\nforward_busy = "bob"\n`;
    writeFileSync(config, configText([EDGE], 5060, join(dir, "data"), USERS + forwarded));
    const fromConfig = { code: 0, output: "carol (in the config file)\n  busy            bob\n" };
    expect(await forward(config, "carol")).toEqual(fromConfig);
    expect((await forward(config, "carol", "always", "alice")).output).toStartWith(
      "carol (stored)\n  always          alice\n  busy            bob\n",
    );
    await forward(config, "carol", "always", "off");
    expect((await forward(config, "carol", "busy", "off")).output).toBe(
      "carol (stored)\n  nothing is forwarded, whatever the config file says\n",
    );
    expect(await forward(config, "carol", "off")).toEqual(fromConfig);
    expect((await forward(config, "carol", "off")).code).toBe(1);
  });

  test("a destination that is nobody here is stored, and said", async () => {
    const { code, output } = await forward(config, "alice", "always", "carol");
    expect(code).toBe(0);
    expect(output).toContain("always: carol is no user or group here now");
  });

  test("several at once: every rule is kept", async () => {
    const rules = ["always", "busy", "no_answer", "not_registered", "unreachable"];
    await forward(config, "alice"); // makes the database
    const ended = await Promise.all(rules.map((rule) => forward(config, "alice", rule, "bob")));
    expect(ended.map(({ code }) => code)).toEqual(rules.map(() => 0));
    const { output } = await forward(config, "alice");
    for (const rule of rules) expect(output).toMatch(new RegExp(`^  ${rule} +bob$`, "m"));
  });

  test("nobody of that name", async () => {
    const { code, output } = await forward(config, "nobody", "always", "bob");
    expect([code, output]).toEqual([1, "sipedge: there is no user nobody; to add one: user add nobody\n"]);
  });

  test.each([
    [["alice", "allways", "bob"], "a rule is one of always, busy"],
    [["alice", "always"], "forward takes:"],
    [["alice", "always", "bob", "carol"], "forward takes:"],
    [["--after", "5"], "forward takes:"],
    [["alice", "always", "a b"], "always: neither a sip: URI nor a name"],
    [["alice", "always", "sip:bob@x\r\nVia: y"], "always: not a valid sip: URI"],
    [["alice", "no_answer", "bob", "--after", "601"], "--after: a whole number from 1 to 600"],
    [["alice", "no_answer", "bob", "--after", "1e2"], "--after: a whole number from 1 to 600"],
    [["alice", "busy", "bob", "--after", "5"], "--after belongs to a destination of no_answer"],
  ])("wrong words %j: 2, and why", async (words, why) => {
    const { code, output } = await forward(config, ...words);
    expect(code).toBe(2);
    expect(output).toStartWith(`sipedge: ${why}`);
  });
});

describe("interop: `forward` beside a running appliance", () => {
  let edge: Edge;
  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: USERS });
  });
  afterAll(() => edge.stop().then(() => {}));

  const shown = () => edge.get<Record<string, unknown>>("/v1/users/alice/forwarding");

  test("what it sets is seen there, what is set there it shows, and kill -9 loses nothing", async () => {
    expect((await forward(edge.configFile, "alice", "busy", "bob")).code).toBe(0);
    await eventually("the rule to be known", async () => (await shown()).busy === "bob");
    const put = await fetch(`${edge.api}/v1/users/alice/forwarding`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"always":"bob"}',
    });
    expect(put.status).toBe(200);
    expect(edge.program.output).toMatch(/forwarding-set user=alice from=127\.0\.0\.1 always=bob/);
    expect((await forward(edge.configFile, "alice")).output).toBe("alice (stored)\n  always          bob\n");
    edge.program.signal("SIGKILL");
    await edge.program.ended();
    await edge.again();
    expect(await shown()).toMatchObject({ source: "store", always: "bob", busy: null });
  });
});
