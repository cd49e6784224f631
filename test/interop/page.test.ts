/**
 * ARC-47, B-47: the status page in headless Chromium, beside phones that call: what it shows is what the API says, in
 * light and dark and on a phone's screen, and nothing that came from the network is read as HTML.
 *
 * With SIPEDGE_SCREENSHOTS=DIR the pictures are kept there.
 */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { chromium } from "playwright-core";
import { createApi } from "../../src/api/api.ts";
import { serveApi } from "../../src/api/server.ts";
import { FakeSources } from "../api/fixture.ts";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import type { Baresip } from "./baresip.ts";
import { accounts, hearsTones, Phones } from "./phones.ts";

setDefaultTimeout(90_000);

const EDGE = "127.0.0.35";
const FIRST_PHONE = 141;
const TOKEN = "a-token-nobody-guesses";
const WIDE = { width: 1200, height: 900 };
const README = { width: 1200, height: 1080 };
const NARROW = { width: 390, height: 844 };
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-sync",
];
const PICTURES = process.env.SIPEDGE_SCREENSHOTS;

const absent = missing("the status page", "chromium", "baresip");

interface Calls {
  calls: { call_id: string; media: { mos_lqe: number | null; packets: number }[] | null }[];
}
interface Records {
  records: { call_id: string; status: number; reason: string }[];
}

describe.skipIf(absent)("interop: the status page", () => {
  let browser: Browser;
  let edge: Edge;
  let phones: Phones;
  let page: Page;
  let ann: Baresip;
  let ben: Baresip;
  /** What the browser complained about, and every URL it asked for. */
  let complaints: string[] = [];
  let asked: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
    const toml = `[media]\nrelay = "always"\naccept_from = "anywhere"\nport_min = 31400\nport_max = 31799\n`;
    const peer = `[[peer]]\nname = "carrier"\nuris = ["sip:127.0.0.35:9"]\nprobe_s = 0\n[[screen]]\nname = "no-premium"\nnumbers = ["0900."]\n`;
    edge = await Edge.start({ addresses: [EDGE], toml: `${toml}${peer}${accounts("ann", "ben", "cem")}` });
    phones = new Phones(edge, FIRST_PHONE);
  });
  afterEach(async () => {
    await page?.close();
    expect(complaints).toEqual([]);
    expect(asked.filter((url) => !url.startsWith("http://127.0.0.") && !/^(data|blob):/.test(url))).toEqual(
      [],
    );
  });
  afterAll(async () => {
    await browser?.close();
    await phones?.stop();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  async function open(url: string, scheme: "light" | "dark" = "light", viewport = WIDE): Promise<Page> {
    page = await browser.newPage({ colorScheme: scheme, viewport });
    complaints = [];
    asked = [];
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
    });
    page.on("pageerror", (error) => void complaints.push(String(error)));
    page.on("dialog", (dialog) => void complaints.push(dialog.message()));
    page.on("request", (request) => void asked.push(request.url()));
    await page.goto(url);
    return page;
  }

  async function picture(name: string, fullPage = true): Promise<void> {
    if (PICTURES !== undefined) await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage });
  }

  const shows = (what: string, text: string | RegExp): Promise<unknown> =>
    eventually(
      () => `the page to show ${what}`,
      async () => {
        const body = await page.innerText("body");
        return typeof text === "string" ? body.includes(text) : text.test(body);
      },
      20_000,
    );

  /** What axe-core holds against it, of some weight. */
  async function barriers(): Promise<string[]> {
    const session = await page.context().newCDPSession(page);
    const { result } = (await session.send("Runtime.evaluate", {
      expression: `${axe.source}; axe.run(document).then((found) => JSON.stringify(found.violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ").slice(0, 300))))`,
      awaitPromise: true,
    })) as { result: { value?: string } };
    return JSON.parse(result.value ?? '["axe did not run"]') as string[];
  }

  const sideways = (): Promise<number> =>
    page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");

  test("an empty appliance: nobody is there, and it says so", async () => {
    await open(`${edge.api}/`);
    await shows("that it is ready", "ready");
    await shows("no phones", "No phone is registered.");
    await shows("no calls", "Nobody is on the phone.");
  });

  test("who registers and calls appears by itself, with the numbers of the API", async () => {
    await open(`${edge.api}/`);
    await shows("no phones", "No phone is registered.");
    ann = await phones.add("ann");
    ben = await phones.add("ben");
    await shows("ann", `ann@${EDGE}`);
    await shows("ben", `ben@${EDGE}`);
    ann.dial(`sip:ben@${edge.hostPort}`);
    await hearsTones(ann, ben);
    await shows("the call with its quality", /ann@\S+\s+ben@[\s\S]*MOS 4/);
    await eventually("the tiles to agree with the API", async () => {
      const { counts } = await edge.get<{ counts: Record<string, number> }>("/v1/status");
      const { calls_total } = await edge.get<{ calls_total: number }>("/v1/calls");
      const tiles = await page.$$eval(".tile", (all) =>
        all.map((tile) => [tile.querySelector("dt")?.textContent, tile.querySelector("dd")?.textContent]),
      );
      const shown = Object.fromEntries(tiles) as Record<string, string>;
      return (
        shown.calls === String(calls_total) &&
        shown.registrations === String(counts.registrations) &&
        shown["users registered"] === String(counts.users_registered)
      );
    });
    await eventually("the quality of both directions to agree with the API", async () => {
      const { calls } = await edge.get<Calls>("/v1/calls");
      const shown = await page.$$eval("#calls .quality b", (all) => all.map((each) => each.textContent));
      const told = (calls[0]?.media ?? []).map(({ mos_lqe }) => `MOS ${mos_lqe}`);
      return told.length === 2 && shown.length === 2 && shown.every((mos) => /^MOS 4\.\d+$/.test(mos ?? ""));
    });
    await picture("running-call");
    expect(await barriers()).toEqual([]);
    ann.hangUp();
    await ben.event("CALL_CLOSED");
    await shows("that nobody talks", "Nobody is on the phone.");
    await shows("its record", /answered, ended by caller/);
  });

  test("why did this call fail? one click from the list, message by message, and as pcap", async () => {
    const cem = await phones.add("cem");
    cem.dial(`sip:09001234@${edge.hostPort}`);
    const failed = await eventually("the call to be refused", async () => {
      const { records } = await edge.get<Records>("/v1/records");
      return records.find(({ status }) => status === 403);
    });
    await open(`${edge.api}/`);
    await shows("it among what needs attention", "403 Refused by the rule no-premium");
    await shows("the rule", "(no-premium)");
    await page.click(`#records a[data-key="record ${failed.call_id}"]`);
    await shows("the verdict", "403 Refused by the rule no-premium");
    const trace = await edge.get<{ entries: { summary: string }[] }>(`/v1/traces/${failed.call_id}`);
    const rungs = await page.$$eval(".ladder li", (all) => all.map((each) => each.textContent ?? ""));
    expect(rungs.length).toBe(trace.entries.length);
    for (const [i, { summary }] of trace.entries.entries()) expect(rungs[i]).toContain(summary);
    await page.click(".ladder details summary");
    await shows("the message itself", "INVITE sip:09001234@");
    expect(await page.innerText(".ladder pre")).not.toContain('response="0'); // proofs are stars
    const [pcap] = await Promise.all([page.waitForEvent("download"), page.click("button")]);
    expect(pcap.suggestedFilename()).toMatch(/\.pcap$/);
    await picture("failed-call");
    expect(await barriers()).toEqual([]);
  });

  test("a call with its quality and one that failed, side by side: docs/page.png", async () => {
    phones.forget();
    ben.dial(`sip:ann@${edge.hostPort}`);
    await hearsTones(ben, ann);
    await open(`${edge.api}/`, "light", README);
    await shows("the call with its quality", /ben@\S+\s+ann@[\s\S]*MOS 4/);
    await shows("the one that failed", "403 Refused by the rule no-premium");
    await shows("three phones", /Registered phones[\s\S]*ann@[\s\S]*ben@[\s\S]*cem@/);
    await picture("page", false);
    ben.hangUp();
    await ann.event("CALL_CLOSED");
  });

  test("a name that is HTML is shown, not obeyed", async () => {
    const evil = '<img src=x onerror="alert(1)">';
    const socket = await Bun.udpSocket({ hostname: "127.0.0.140", port: 0 });
    const lines = [
      `INVITE sip:ben@${edge.hostPort} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.140:${socket.port};branch=z9hG4bKevil;rport`,
      "Max-Forwards: 70",
      `From: "${evil.replaceAll('"', "'")}" <sip:%3Cscript%3Ealert(1)%3C/script%3E@elsewhere.test>;tag=<b>x</b>`,
      `To: <sip:ben@${EDGE}>`,
      "Call-ID: <script>alert(2)</script>",
      "CSeq: 1 INVITE",
      `Contact: <sip:x@127.0.0.140:${socket.port}>`,
      `User-Agent: ${evil}`,
      "Content-Length: 0",
      "",
      "",
    ];
    socket.send(lines.join("\r\n"), edge.port, EDGE);
    const kept = await eventually("its trace", async () => {
      const { traces } = await edge.get<{ traces: { id: string; call_id: string }[] }>("/v1/traces");
      return traces.find(({ call_id }) => call_id.includes("script"));
    });
    socket.close();
    await open(`${edge.api}/#/trace/${encodeURIComponent(kept.call_id)}`);
    await shows("its Call-ID as text", "<script>alert(2)</script>");
    await page.click(".ladder details summary");
    await shows("its header as text", evil);
    expect(await page.$$eval("main img, main script, main b", (all) => all.length)).toBeLessThanOrEqual(1); // the verdict's
  });

  for (const [scheme, viewport, name] of [
    ["light", NARROW, "narrow-light"],
    ["dark", WIDE, "dark"],
    ["dark", NARROW, "narrow-dark"],
  ] as const)
    test(`${name}: nothing leaves the screen sideways, and axe-core finds nothing serious`, async () => {
      await open(`${edge.api}/`, scheme, viewport);
      await shows("the last calls", /ended by caller/);
      for (const summary of await page.$$("section > details > summary")) await summary.click();
      await shows("what was opened", "GET /v1/transactions");
      await eventually(
        "every section to be there",
        async () => (await page.$$("details .source")).length >= 11,
      );
      await picture(name);
      expect(await sideways()).toBeLessThanOrEqual(0);
      expect(await barriers()).toEqual([]);
      await page.click("#records a");
      await shows("a ladder", "pcap for Wireshark");
      await picture(`${name}-ladder`);
      expect(await sideways()).toBeLessThanOrEqual(0);
      expect(await barriers()).toEqual([]);
    });

  test("with a token it asks for it first, and shows nothing without", async () => {
    const sources = new FakeSources();
    sources.history.start();
    for (let minute = 0; minute < 90; minute++) sources.clock.advance(60_000);
    sources.register("alice");
    const api = createApi(sources, { token: TOKEN, address: "127.0.0.1" });
    const guarded = serveApi(api, "127.0.0.1", 0);
    if ("code" in guarded) throw new Error(guarded.message);
    try {
      await open(`http://127.0.0.1:${guarded.port}/`);
      await shows("the question", "http.token");
      expect(await page.innerText("body")).not.toContain("example.test");
      expect(await barriers()).toEqual([]);
      await page.fill("#token", "wrong");
      await page.press("#token", "Enter");
      await shows("that it is not", "This is not the token.");
      await page.fill("#token", TOKEN);
      await page.press("#token", "Enter");
      await shows("the appliance", "alice@example.test");
      await eventually("the charts", async () => (await page.$$("figure svg path.line")).length === 6);
      await picture("charts");
      expect(await barriers()).toEqual([]);
      await page.reload();
      await shows("the appliance again, without asking", "alice@example.test");
      expect(asked.some((url) => url.includes(TOKEN))).toBe(false);
    } finally {
      await page.close();
      await guarded.stop();
    }
  });
});
