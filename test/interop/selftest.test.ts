/** `sipedge selftest` against an appliance that runs: what it says when all is well, when not, and what it leaves behind. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { SqliteFile } from "../../src/location/sqlite-file.ts";
import { SqliteUserStore } from "../../src/location/sqlite-users.ts";
import { Authority } from "../support/authority.ts";
import { Edge, freePort, SIPEDGE } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.45";
const NOTHING = { users: 0, bindings: 0 };

const begin = (edge: Edge, ...more: readonly string[]) =>
  new Program([...SIPEDGE, "selftest", "--config", edge.configFile, "--url", edge.api, ...more]);

/** Its exit code and what it said. */
async function run(edge: Edge, ...more: readonly string[]): Promise<{ code: number; said: string }> {
  const program = begin(edge, ...more);
  return { code: await program.ended(40_000), said: program.output };
}

/** What the store holds. */
function left(edge: Edge): typeof NOTHING {
  const db = new Database(join(edge.dir, "data", "sipedge.db"), { readonly: true });
  try {
    const count = (table: string) =>
      (db.query(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
    return { users: count("users"), bindings: count("bindings") };
  } finally {
    db.close();
  }
}

const nothingIsLeft = (edge: Edge) =>
  eventually("nothing to be left", () => Bun.deepEquals(left(edge), NOTHING));

/** An account of a test that was killed, so long ago. */
function staleAccount(edge: Edge, age_s: number): string {
  const file = new SqliteFile(join(edge.dir, "data"), systemClock, { guest: true });
  const users = new SqliteUserStore(file, { clock: systemClock, log: silentLog, users_max: 10 });
  const made_s = Math.floor(systemClock.wall() / 1000) - age_s;
  const name = `sipedge-selftest-${made_s.toString(36)}-abcdefgh-caller`;
  const ha1_md5 = "0".repeat(32);
  expect(users.put({ name, realm: EDGE, ha1_md5, ha1_sha256: null, source: "store" })).toBeNull();
  file.close();
  return name;
}

describe.skipIf(missing("the self-test over TLS", "openssl"))("B-77 selftest, every listener", () => {
  let authority: Authority;
  let edge: Edge;
  beforeAll(async () => {
    authority = new Authority();
    const { file, key } = authority.issue("edge", { names: [`IP:${EDGE}`] });
    const [tls, ws, wss] = [await freePort(EDGE), await freePort(EDGE), await freePort(EDGE)];
    const listen = { tls, ws, wss };
    edge = await Edge.start({
      addresses: [EDGE],
      toml: `${Object.entries(listen)
        .map(([name, port]) => `[[listen]]\ntransport = "${name}"\naddress = "${EDGE}"\nport = ${port}\n`)
        .join("")}[[certificate]]\nfile = "${file}"\nkey = "${key}"\n`,
    });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
    authority?.[Symbol.dispose]();
  });

  test("registers, calls and talks over udp, tcp, tls, ws and wss; says the MOS and the ladder; ends with 0", async () => {
    const stale = staleAccount(edge, 3600);
    const { code, said } = await run(edge);
    expect(said).toEndWith("ok: calls pass through 5 of 5 listeners\n");
    expect(code).toBe(0);
    for (const transport of ["udp", "tcp", "tls", "ws", "wss"])
      expect(said).toContain(`\n${transport} ${EDGE}:`.replace(/^\nudp/, "udp"));
    expect(said.match(/INVITE: 407, 100, 180, 200, ACK/g)).toHaveLength(5);
    expect(said.match(/2 s both ways, through the relay/g)).toHaveLength(5);
    expect(said.match(/(caller → callee|callee → caller): \d+ of 100 packets, .* MOS 4\.\d\d/g)).toHaveLength(
      10,
    );
    expect(said.match(/the relay measured from the (caller|callee): pcma .* MOS 4\.\d+/g)).toHaveLength(10);
    expect(said.match(/─ INVITE ─/g)!.length).toBeGreaterThanOrEqual(15);
    expect(said).toContain(`the certificate is for ${EDGE}`);
    expect(said).not.toContain("FAILED");
    expect(said).not.toMatch(/password=|response="[0-9a-f]/);
    await nothingIsLeft(edge);
    expect(stale).toStartWith("sipedge-selftest-"); // and is gone with the others
    const { bans } = await edge.get<{ bans: unknown[] }>("/v1/bans");
    expect(bans).toEqual([]);
  });
});

describe("B-77 selftest, what goes wrong", () => {
  async function withEdge(toml: string, story: (edge: Edge) => Promise<void>): Promise<void> {
    const edge = await Edge.start({ addresses: [EDGE], toml });
    try {
      await story(edge);
    } finally {
      expect(await edge.stop()).toBe(0);
    }
  }

  test("a fraud rule that stops the call is named, with what it means; nothing is left behind", () =>
    withEdge('[[screen]]\nname = "nobody-calls"\naction = "refuse"\n', async (edge) => {
      const { code, said } = await run(edge);
      expect(code).toBe(1);
      expect(said).toMatch(/FAILED {2}call +INVITE was answered 403 .*Refused by the rule nobody-calls/);
      expect(said).toContain("a fraud rule stops the test as it would a user");
      expect(said).toContain("FAILED: calls pass through 0 of 2 listeners");
      await nothingIsLeft(edge);
    }));

  test("an address that the guard keeps out is told, with how to let it in", () =>
    withEdge("", async (edge) => {
      const put = { method: "PUT", headers: { "content-type": "application/json" }, body: '{"seconds":300}' };
      expect((await fetch(`${edge.api}/v1/bans/${EDGE}`, put)).status).toBe(200);
      const { code, said } = await run(edge);
      expect(code).toBe(1);
      expect(said).toContain(`the guard keeps ${EDGE} out (by hand)`);
      expect(said).toContain(`DELETE /v1/bans/${EDGE}`);
      await nothingIsLeft(edge);
    }));

  test("stopped in the middle of a call: it is hung up, and nothing is left behind", () =>
    withEdge("", async (edge) => {
      const program = begin(edge);
      await program.says(/ok +call/);
      program.signal("SIGINT");
      expect(await program.ended(20_000)).toBe(1);
      expect(program.output).toMatch(/FAILED {2}media +stopped/);
      await nothingIsLeft(edge);
      await eventually("the call to be over", async () => {
        const { records } = await edge.get<{ records: { ended_by: string }[] }>("/v1/records");
        return records[0]?.ended_by === "caller";
      });
    }));

  test("an appliance with another store does not see the accounts, and is sent nothing", () =>
    withEdge("", async (edge) => {
      const other = join(edge.dir, "other.toml");
      writeFileSync(other, (await Bun.file(edge.configFile).text()).replace('/data"', '/other"'));
      const program = new Program([...SIPEDGE, "selftest", "--config", other, "--url", edge.api]);
      expect(await program.ended()).toBe(1);
      expect(program.output).toContain("does not see the account");
      expect(program.output).toContain("another data_dir");
      const { traces_total } = await edge.get<{ traces_total: number }>("/v1/traces");
      expect(traces_total).toBe(0);
    }));

  test("without the status API it says so, and calls all the same; media need not be relayed", () =>
    withEdge('[media]\nrelay = "never"\n', async (edge) => {
      const { code, said } = await run(edge, "--url", "http://127.0.0.1:9");
      expect(said).toContain("nothing answers at http://127.0.0.1:9");
      expect(said).toContain("2 s both ways, from phone to phone");
      expect(said).toContain("ok: calls pass through 2 of 2 listeners");
      expect(code).toBe(0);
      await nothingIsLeft(edge);
    }));

  test("nobody runs: says what to look at, and ends with 1", () =>
    withEdge("", async (edge) => {
      edge.program.signal("SIGTERM");
      expect(await edge.program.ended()).toBe(0);
      const { code, said } = await run(edge);
      expect(code).toBe(1);
      expect(said).toMatch(/FAILED {2}connect +no connection: .*ECONNREFUSED/);
      expect(said).toContain("is sipedge running with this config");
      await nothingIsLeft(edge);
    }));
});
