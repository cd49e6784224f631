/**
 * RFC 7118: phones over WebSocket on the whole appliance, in a process of its own: calls with a phone over UDP, who
 * hangs up, and a page that is loaded again.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Edge, freePort } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { inCall, StreamPhone } from "../support/stream-phone.ts";
import { registerOpenly } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";

const EDGE = "127.0.0.59";
const DESK = "127.0.0.60";

let edge: Edge;
let port: number;
let page: StreamPhone;
let desk: UdpPhone;

beforeAll(async () => {
  port = await freePort(EDGE);
  edge = await Edge.start({
    addresses: [EDGE],
    toml:
      `[[listen]]\ntransport = "ws"\naddress = "${EDGE}"\nport = ${port}\n` +
      `[auth]\ntrusted_networks = ["127.0.0.0/8"]\n`,
  });
});
afterAll(async () => {
  if (edge !== undefined) expect(await edge.stop()).toBe(0);
});
beforeEach(async () => {
  page = await open();
  desk = await UdpPhone.open(DESK, [EDGE, edge.port]);
});
afterEach(() => {
  page.close();
  desk.close();
});

const open = (): Promise<StreamPhone> => StreamPhone.webSocket(`ws://${EDGE}:${port}/`);
const INSTANCE = "<urn:uuid:8c6fd0a8-4f43-4c0e-a1c5-0d1e2f3a4b5c>";

/** Registers as browser phones do (RFC 7118 §6, RFC 5626 §4.2). */
function register(phone: StreamPhone, user: string): Promise<string> {
  const aor = `sip:${user}@${EDGE}`;
  const contact = `Contact: <${phone.contact}>;reg-id=1;+sip.instance="${INSTANCE}"`;
  return phone.ask(
    phone.request("REGISTER", aor, aor, [contact, "Expires: 600", "Supported: path, outbound"]),
  );
}

const valuesOf = (message: string, name: string): string[] =>
  [...message.matchAll(new RegExp(`^${name}: (.*)\\r?$`, "gm"))].map(([, value]) => value!.trim());

/** The request that a called phone sends inside its call: everything the other way round. */
function fromCallee(method: string, invite: string, fresh: readonly string[], tag: string): string[] {
  const [from, to] = [valuesOf(invite, "From")[0]!, valuesOf(invite, "To")[0]!];
  const target = /<([^>]+)>/.exec(valuesOf(invite, "Contact")[0]!)![1]!;
  return [
    `${method} ${target} SIP/2.0`,
    ...fresh.filter((line) => /^(Via|Max-Forwards):/.test(line)),
    ...valuesOf(invite, "Record-Route").map((route) => `Route: ${route}`),
    `From: ${to};tag=${tag}`,
    `To: ${from}`,
    `Call-ID: ${valuesOf(invite, "Call-ID")[0]}`,
    `CSeq: 77 ${method}`,
    "Content-Length: 0",
  ];
}

/** A page calls the desk phone; gives what each side had of the INVITE, and the answer. */
async function pageCallsDesk(): Promise<{ sent: string[]; rung: string; answer: string }> {
  const user = `desk${desk.port}`;
  expect(await registerOpenly(desk, user, EDGE)).toStartWith("SIP/2.0 200 ");
  const sent = page.request("INVITE", `sip:${user}@${EDGE}`, `sip:ann@${EDGE}`, [
    `Contact: <${page.contact};ob>`,
  ]);
  page.send(...sent);
  const rung = await desk.got(/^INVITE /);
  desk.answer(rung, "200 OK", [`Contact: <sip:${user}@${desk.address}:${desk.port}>`]);
  const answer = await page.got(/^SIP\/2\.0 200 /);
  page.send(...inCall("ACK", 1, page, sent, answer));
  await desk.got(/^ACK /);
  return { sent, rung, answer };
}

/** The desk phone calls the page. */
async function deskCallsPage(): Promise<{ rung: string; answer: string; sent: string[] }> {
  expect(await register(page, "web")).toStartWith("SIP/2.0 200 ");
  const contact = [`Contact: <sip:desk@${desk.address}:${desk.port}>`];
  const sent = desk.request("INVITE", `sip:web@${EDGE}`, `sip:desk@${EDGE}`, contact);
  desk.send(...sent);
  const rung = await page.got(/^INVITE /);
  page.answer(rung, "200 OK", [`Contact: <${page.contact}>`]);
  const answer = await desk.got(/^SIP\/2\.0 200 /);
  return { rung, answer, sent };
}

describe("RFC 7118 §5 a call from a page to a phone over UDP", () => {
  test("each side sees a Via and a Record-Route of its own transport; the Contact stays .invalid", async () => {
    const { rung, answer } = await pageCallsDesk();
    const [ours, theirs] = valuesOf(rung, "Via");
    expect(ours).toStartWith(`SIP/2.0/UDP ${EDGE}:${edge.port};branch=z9hG4bK`);
    expect(theirs).toStartWith(`SIP/2.0/WS ${page.host};branch=`);
    expect(theirs).toMatch(/;received=127\.0\.0\.1/);
    const routes = valuesOf(rung, "Record-Route");
    expect(routes).toHaveLength(2);
    expect(routes[0]).toMatch(new RegExp(`^<sip:[^@]+@${EDGE}:${edge.port};lr>$`));
    expect(routes[1]).toMatch(new RegExp(`^<sip:[^@]+@${EDGE}:${port};transport=ws;lr>$`));
    expect(valuesOf(rung, "Contact")).toEqual([`<${page.contact};ob>`]);
    expect(valuesOf(answer, "Record-Route")).toEqual(routes);
    expect(valuesOf(answer, "Via")).toHaveLength(1);
    expect(valuesOf(answer, "Via")[0]).toStartWith(`SIP/2.0/WS ${page.host};`);
  });

  test("the page hangs up", async () => {
    const { sent, answer } = await pageCallsDesk();
    const ended = page.ask(inCall("BYE", 2, page, sent, answer));
    const bye = await desk.got(/^BYE /);
    expect(valuesOf(bye, "Route")).toEqual([]);
    desk.answer(bye, "200 OK");
    expect(await ended).toStartWith("SIP/2.0 200 ");
  });

  test("the phone that was called hangs up: its BYE goes over the page's connection", async () => {
    const { rung } = await pageCallsDesk();
    const bye = fromCallee("BYE", rung, desk.request("BYE", "sip:x@x", "sip:x@x"), `p${desk.port}`);
    const ended = desk.ask(bye);
    const came = await page.got(/^BYE /);
    expect(came).toStartWith(`BYE ${page.contact};ob SIP/2.0\r\n`);
    expect(valuesOf(came, "Via")[0]).toStartWith(`SIP/2.0/WS ${EDGE}:${port};branch=`);
    expect(valuesOf(came, "Route")).toEqual([]);
    page.answer(came, "200 OK");
    expect(await ended).toStartWith("SIP/2.0 200 ");
  });
});

describe("RFC 7118 §5 a call from a phone over UDP to a page", () => {
  test("it rings over the page's connection, and the page that was called hangs up", async () => {
    const { rung, answer } = await deskCallsPage();
    expect(rung).toStartWith(`INVITE ${page.contact}`);
    expect(valuesOf(rung, "Via")[0]).toStartWith(`SIP/2.0/WS ${EDGE}:${port};branch=`);
    const routes = valuesOf(rung, "Record-Route");
    expect(routes[0]).toContain(`${EDGE}:${port};transport=ws;lr>`);
    expect(routes[1]).not.toContain("transport=");
    expect(valuesOf(answer, "Contact")).toEqual([`<${page.contact}>`]);
    const ended = page.ask(fromCallee("BYE", rung, page.request("BYE", "sip:x@x", "sip:x@x"), page.host));
    const came = await desk.got(/^BYE /);
    expect(came).toStartWith(`BYE sip:desk@${desk.address}:${desk.port} SIP/2.0\r\n`);
    expect(valuesOf(came, "Via")[0]).toStartWith(`SIP/2.0/UDP ${EDGE}:${edge.port};branch=`);
    desk.answer(came, "200 OK");
    expect(await ended).toStartWith("SIP/2.0 200 ");
  });
});

describe("RFC 7118 §6, RFC 5626 §4.2 a page that is loaded again", () => {
  interface Registrations {
    readonly registrations: readonly { readonly contact: string; readonly remote: string }[];
  }
  const registered = async (): Promise<Registrations["registrations"]> =>
    (await edge.get<Registrations>("/v1/registrations?user=again")).registrations;

  test("the same instance over another connection takes the place of the first, whose flow is gone", async () => {
    expect(await register(page, "again")).toStartWith("SIP/2.0 200 ");
    const [first] = await registered();
    page.close();
    const reloaded = await open();
    try {
      expect(await register(reloaded, "again")).toStartWith("SIP/2.0 200 ");
      const now = await registered();
      expect(now.map(({ contact }) => contact)).toEqual([expect.stringContaining(reloaded.host)]);
      expect(now[0]!.remote).not.toBe(first!.remote);
      await eventually("the first connection to be gone", async () => {
        const { flows } = await edge.get<{ flows: { remote: string }[] }>("/v1/flows");
        return flows.every(({ remote }) => remote !== first!.remote);
      });
      desk.send(
        ...desk.request("INVITE", `sip:again@${EDGE}`, `sip:desk@${EDGE}`, ["Contact: <sip:desk@x>"]),
      );
      const rung = await reloaded.got(/^INVITE /);
      expect(rung).toStartWith(`INVITE ${reloaded.contact}`);
      reloaded.answer(rung, "486 Busy Here");
      expect(await desk.got(/^SIP\/2\.0 [2-6]/)).toStartWith("SIP/2.0 486 ");
      expect(page.received.filter((message) => message.startsWith("INVITE "))).toEqual([]);
    } finally {
      reloaded.close();
    }
  });

  test("the first connection still open: calls go over the new one only", async () => {
    expect(await register(page, "twice")).toStartWith("SIP/2.0 200 ");
    const reloaded = await open();
    try {
      expect(await register(reloaded, "twice")).toStartWith("SIP/2.0 200 ");
      desk.send(
        ...desk.request("INVITE", `sip:twice@${EDGE}`, `sip:desk@${EDGE}`, ["Contact: <sip:desk@x>"]),
      );
      reloaded.answer(await reloaded.got(/^INVITE /), "603 Decline");
      expect(await desk.got(/^SIP\/2\.0 [2-6]/)).toStartWith("SIP/2.0 603 ");
      expect(page.received.filter((message) => message.startsWith("INVITE "))).toEqual([]);
    } finally {
      reloaded.close();
    }
  });
});
