/**
 * B-17: browser phones in headless Chromium, JsSIP and SIP.js, register over WebSocket and call each other.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";
import type { Report } from "./browser/page-report.ts";
import { accounts, PASSWORD } from "./phones.ts";

setDefaultTimeout(90_000);

const EDGE = "127.0.0.31";
const PAGES = "127.0.0.1";
const PATIENCE_MS = 30_000;
const absent = missing("phones in a browser", "chromium");
const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
  ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

describe.skipIf(absent)("interop: phones in a browser", () => {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-browser-"));
  const said = new Map<string, Report[]>();
  const browsers: Program[] = [];
  let edge: Edge;
  let pages: Bun.Server<undefined>;
  let port: number;

  beforeAll(async () => {
    const built = await Promise.all(
      ["jssip", "sipjs"].map(async (name) => {
        const entrypoints = [new URL(`browser/${name}-page.ts`, import.meta.url).pathname];
        const { outputs } = await Bun.build({ entrypoints, target: "browser", format: "esm" });
        return [name, await outputs[0]!.text()] as const;
      }),
    );
    pages = Bun.serve({
      hostname: PAGES,
      port: 0,
      async fetch(request) {
        const { pathname } = new URL(request.url);
        const user = /^\/said\/(\w+)$/.exec(pathname)?.[1];
        if (user !== undefined) {
          said.set(user, [...(said.get(user) ?? []), (await request.json()) as Report]);
          return new Response(null, { status: 204 });
        }
        const script = built.find(([name]) => pathname === `/${name}.js`)?.[1];
        if (script !== undefined)
          return new Response(script, { headers: { "content-type": "text/javascript" } });
        const html = `<!doctype html><script type="module" src="${pathname}.js"></script>`;
        return new Response(html, { headers: { "content-type": "text/html" } });
      },
    });
    port = await freePort(EDGE);
    edge = await Edge.start({
      addresses: [EDGE],
      toml:
        `[[listen]]\ntransport = "ws"\naddress = "${EDGE}"\nport = ${port}\n` +
        `origins = ["http://${PAGES}:${pages.port}"]\n${accounts("ann", "ben", "cem", "dan")}`,
    });
  });
  afterAll(async () => {
    await Promise.all(browsers.map((browser) => browser.stop()));
    await pages?.stop(true);
    rmSync(dir, { recursive: true, force: true });
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  /** A browser of its own with one page. */
  function open(page: "jssip" | "sipjs", user: string, calls?: string, host = PAGES): Program {
    said.delete(user);
    const query = new URLSearchParams({
      ws: `ws://${EDGE}:${port}/`,
      domain: EDGE,
      user,
      password: PASSWORD,
      ...(calls !== undefined && { calls }),
    });
    const profile = `--user-data-dir=${mkdtempSync(join(dir, "profile-"))}`;
    const browser = new Program([
      "chromium",
      ...FLAGS,
      profile,
      `http://${host}:${pages.port}/${page}?${query}`,
    ]);
    browsers.push(browser);
    return browser;
  }

  const hears = (user: string, what: Report["what"]): Promise<Report> =>
    eventually(
      () => `${user} to say "${what}"; it said ${JSON.stringify(said.get(user))}`,
      () => said.get(user)?.find((report) => report.what === what),
      PATIENCE_MS,
    );

  const registrations = async (): Promise<{ aor: string; nat: string[]; transport: string }[]> =>
    (
      await edge.get<{ registrations: { aor: string; nat: string[]; transport: string }[] }>(
        "/v1/registrations",
      )
    ).registrations;

  test("two JsSIP phones: registered, a call, voice both ways, hung up", async () => {
    open("jssip", "ben");
    await hears("ben", "registered");
    expect((await registrations()).map(({ transport, nat }) => [transport, nat])).toEqual([
      ["ws", expect.arrayContaining(["websocket"])],
    ]);
    open("jssip", "ann", "ben");
    for (const user of ["ann", "ben"]) {
      await hears(user, "up");
      expect((await hears(user, "hears")).packets).toBeGreaterThan(25);
    }
    for (const user of ["ann", "ben"]) await hears(user, "ended");
  });

  test("SIP.js takes a call of JsSIP", async () => {
    open("sipjs", "cem");
    await hears("cem", "registered");
    open("jssip", "dan", "cem");
    await hears("cem", "up");
    expect((await hears("dan", "hears")).packets).toBeGreaterThan(25);
    await hears("cem", "ended");
  });

  test("a page that is closed is out of use at once: a call to it ends with 480", async () => {
    const cem = browsers[2]!;
    await cem.stop();
    await eventually("its registration to be out of reach", async () => {
      const { flows } = await edge.get<{ flows: { transport: string }[] }>("/v1/flows");
      return flows.filter(({ transport }) => transport === "ws").length === 3;
    });
    open("jssip", "dan", "cem");
    expect((await hears("dan", "failed")).cause).toMatch(/Unavailable/i);
  });

  test("a page from an origin that is not listed gets no connection", async () => {
    open("jssip", "ben", undefined, "localhost");
    await hears("ben", "disconnected");
    const metrics = await (await fetch(`${edge.api}/metrics`)).text();
    expect(metrics).toMatch(/sipedge_ws_refused_total\{status="403"\} [1-9]/);
  });
});
