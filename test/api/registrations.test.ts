import { describe, expect, test } from "bun:test";
import type { Api } from "../../src/api/api.ts";
import type { Answer } from "../../src/api/schemas.ts";
import { binding } from "../location/bindings.ts";
import { FakeSources, getJson, keptFlow, openApi } from "./fixture.ts";

type Page = Answer<"Registrations">;

const page = async (api: Api, query = ""): Promise<Page> =>
  (await getJson(api, `/v1/registrations${query}`)) as Page;

/** Follows the cursors to the end; `between` runs before each further page. */
async function everyPage(api: Api, limit: number, between: () => void = () => {}): Promise<Page[]> {
  const pages = [await page(api, `?limit=${limit}`)];
  for (;;) {
    const cursor = pages.at(-1)!.next_cursor;
    if (cursor === null) return pages;
    between();
    pages.push(await page(api, `?limit=${limit}&cursor=${cursor}`));
  }
}

const aors = (pages: readonly Page[]): string[] =>
  pages.flatMap(({ registrations }) => registrations.map(({ aor }) => aor));

describe("/v1/registrations", () => {
  test("shows all of a binding", async () => {
    const sources = new FakeSources();
    sources.register("alice");
    sources.clock.advance(60_000);
    const { registrations, next_cursor } = await page(openApi(sources));
    expect(next_cursor).toBeNull();
    expect(registrations).toEqual([
      {
        aor: "alice@example.test",
        contact: "sip:alice@192.0.2.7:5062;ob",
        q: 0.5,
        expires_in_s: 3540,
        expires_at: "2026-01-01T01:16:40.000Z",
        registered_at: "2026-01-01T00:16:40.000Z",
        instance: "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>",
        reg_id: 1,
        path: ["<sip:edge1.example.test;lr>", '"a, b" <sip:edge2.example.test;lr;ob>'],
        user_agent: "Phone/1.0",
        transport: "tcp",
        local: "10.0.0.1:5060",
        remote: "192.0.2.7:5062",
        flow_id: "tcp:10.0.0.1:5060>192.0.2.7:5062#3",
        nat: ["private_contact", "via_mismatch"],
        alg_signs: [],
        outbound: true,
        reachable: true,
        latency_ms: null,
        pings_missed: 0,
      },
    ]);
  });

  test("NAT-07 NH-15 NT-20 tells what stands in between, and whether the phone still answers", async () => {
    const sources = new FakeSources();
    const { flow } = binding(sources.clock, "alice");
    sources.register("alice", { flow: { ...flow, alg: "half_rewritten" } });
    sources.kept = [keptFlow(flow.id, { missed: 3, lost: true, latency_ms: 31.5 })];
    const [row] = (await page(openApi(sources))).registrations;
    expect(row).toMatchObject({
      alg_signs: ["half_rewritten"],
      reachable: false,
      latency_ms: 31.5,
      pings_missed: 3,
    });
  });

  test("lists in the order of AORs, whatever the order of registration", async () => {
    const sources = new FakeSources();
    for (const user of ["mike", "alice", "zoe", "bob"]) sources.register(user);
    expect(aors([await page(openApi(sources))])).toEqual(
      ["alice", "bob", "mike", "zoe"].map((user) => `${user}@example.test`),
    );
  });

  test("pages hold every binding once, several of one AOR included", async () => {
    const sources = new FakeSources();
    for (let i = 0; i < 25; i++) sources.register(`user${i}`, {}, {}, {});
    const pages = await everyPage(openApi(sources), 7);
    expect(pages.map(({ registrations }) => registrations.length)).toEqual([...Array(10).fill(7), 5]);
    const users = aors(pages).map((aor) => aor.slice(0, aor.indexOf("@")));
    const counted = Map.groupBy(users, (user) => user);
    expect(counted.size).toBe(25);
    for (const rows of counted.values()) expect(rows).toHaveLength(3);
    expect(users).toEqual(users.toSorted());
  });

  test("a full last page has no cursor", async () => {
    const sources = new FakeSources();
    for (const user of ["a", "b", "c", "d"]) sources.register(user);
    const pages = await everyPage(openApi(sources), 2);
    expect(pages.map(({ registrations }) => registrations.length)).toEqual([2, 2]);
  });

  test("who comes and goes between pages disturbs nobody else", async () => {
    const sources = new FakeSources();
    for (let i = 10; i < 30; i++) sources.register(`user${i}`);
    let round = 0;
    const pages = await everyPage(openApi(sources), 4, () => {
      sources.store.replace(`user1${round}`, [], () => {});
      sources.clock.endTurn();
      sources.register(`aaa${round++}`);
    });
    expect(aors(pages)).toEqual(Array.from({ length: 20 }, (_, i) => `user${i + 10}@example.test`));
  });

  test("a store of thousands is looked through in several turns, with changes in between", async () => {
    const sources = new FakeSources();
    for (let i = 0; i < 5000; i++) sources.register(`user${String(i).padStart(5, "0")}`);
    let turns = 0;
    const { atTurnEnd } = sources.clock;
    sources.clock.atTurnEnd = (fn) => {
      if (turns++ === 0) sources.register("user00000"); // seen already: must not come twice
      atTurnEnd.call(sources.clock, fn);
    };
    const { registrations } = await page(openApi(sources), "?limit=1000");
    expect(turns).toBeGreaterThanOrEqual(2);
    expect(registrations.map(({ aor }) => aor)).toEqual(
      Array.from({ length: 1000 }, (_, i) => `user${String(i).padStart(5, "0")}@example.test`),
    );
  });

  test("?user= means exactly that user part", async () => {
    const sources = new FakeSources();
    sources.register("al");
    sources.register("alice");
    sources.register("al@ice");
    const api = openApi(sources);
    expect(aors([await page(api, "?user=al")])).toEqual(["al@example.test"]);
    expect(aors([await page(api, "?user=al%40ice")])).toEqual(["al@ice@example.test"]);
    expect(aors([await page(api, "?user=nobody")])).toEqual([]);
  });

  test.each([
    ["?limit=0", "limit: a number from 1 to 1000"],
    ["?limit=1001", "limit: a number from 1 to 1000"],
    ["?limit=ten", "limit: a number from 1 to 1000"],
    ["?limit=", "limit: a number from 1 to 1000"],
    ["?limt=5", "limt: there is no such parameter here"],
    ["?__proto__=5", "__proto__: there is no such parameter here"],
    ["?cursor=%00", "cursor: not a next_cursor of this list"],
    ["?cursor=", "cursor: not a next_cursor of this list"],
    ["?cursor=c2hvcnQ", "cursor: not a next_cursor of this list"],
  ])("%s is refused", async (query, message) => {
    const answer = await getJson(openApi(new FakeSources()), `/v1/registrations${query}`, 400);
    expect(answer).toEqual({ error: "bad_request", message });
  });

  test("UTF-8 from a phone is shown as the text it is; other bytes one by one; nothing at full length", async () => {
    const sources = new FakeSources();
    const latin1 = (text: string) => Buffer.from(text, "utf8").toString("latin1");
    sources.register(latin1("zoë"), {
      user_agent: "caf\xe9",
      contact: `sip:${"x".repeat(5000)}@192.0.2.7`,
      path: Array(300).fill("<sip:a;lr>"),
    });
    const api = openApi(sources);
    const { registrations } = await page(api, `?user=${encodeURIComponent("zoë")}`);
    expect(registrations).toHaveLength(1);
    expect(registrations[0]).toMatchObject({ aor: "zoë@example.test", user_agent: "café" });
    expect(registrations[0]!.contact).toHaveLength(1001);
    expect(registrations[0]!.path).toHaveLength(20);
    await getJson(api, `/v1/registrations/${encodeURIComponent("zoë@example.test")}`);
  });

  test("AORs too long for a cursor still page", async () => {
    const sources = new FakeSources();
    for (const end of ["a", "b", "c"]) sources.register("\xff".repeat(9000) + end);
    const pages = await everyPage(openApi(sources), 1);
    const shown = pages.flatMap(({ registrations }) => registrations);
    expect(shown).toHaveLength(3);
    for (const { next_cursor } of pages) expect(next_cursor?.length ?? 0).toBeLessThan(2000);
  });
});

describe("/v1/registrations/{aor}", () => {
  const sources = new FakeSources();
  sources.register("alice", {}, {});
  sources.register("100%");
  sources.register("a/b");
  const api = openApi(sources);

  test.each([
    ["alice@example.test", "alice@example.test", 2],
    ["alice%40example.test", "alice@example.test", 2],
    ["alice", "alice@example.test", 2],
    ["alice@127.0.0.1", "alice@example.test", 2],
    ["alice@EXAMPLE.test", "alice@example.test", 2],
    ["100%25@example.test", "100%@example.test", 1],
    ["a%2Fb", "a/b@example.test", 1],
  ])("%s is %s", async (path, aor, count) => {
    const answer = (await getJson(api, `/v1/registrations/${path}`)) as Answer<"AorRegistrations">;
    expect(answer.aor).toBe(aor);
    expect(answer.registrations).toHaveLength(count);
  });

  test.each(["bob", "alice@elsewhere.test", "%E0%A4%A", "%00"])("%s: 404", async (path) => {
    const { error } = await getJson(api, `/v1/registrations/${path}`, 404);
    expect(error).toBe("not_registered");
  });
});
