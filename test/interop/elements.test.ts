/**
 * Elements of SIP on real sockets, written by hand because no phone program writes them so: folded and
 * compact headers, wrong lengths, bare line feeds, one branch from two hosts.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { accounts, PASSWORD } from "./phones.ts";
import { values } from "./scripted-caller.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.6";
const CALLER = "127.0.0.95";
const OTHER_CALLER = "127.0.0.96";
const CALLEE = "127.0.0.97";
const STRANGER = "127.0.0.98";
const TOML = `${accounts("bob")}[auth]\ntrusted_networks = ["${CALLER}/32", "${OTHER_CALLER}/32"]\n`;

describe("interop: elements of SIP on real sockets", () => {
  let edge: Edge;
  let alice: UdpPhone;
  let zoe: UdpPhone;
  let bob: UdpPhone;
  let stranger: UdpPhone;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
    const target = [EDGE, edge.port] as const;
    const places = [CALLER, OTHER_CALLER, CALLEE, STRANGER];
    [alice, zoe, bob, stranger] = (await Promise.all(places.map((at) => UdpPhone.open(at, target)))) as [
      UdpPhone,
      UdpPhone,
      UdpPhone,
      UdpPhone,
    ];
    expect(await bob.register("bob", PASSWORD, EDGE)).toStartWith("SIP/2.0 200 ");
  });
  afterAll(async () => {
    for (const phone of [alice, zoe, bob, stranger]) phone?.close();
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });
  beforeEach(() => {
    for (const phone of [alice, zoe, bob, stranger]) phone.forget();
  });

  const uri = `sip:bob@${EDGE}`;
  const message = (phone: UdpPhone, extra: readonly string[] = []) =>
    phone.request("MESSAGE", uri, `sip:alice@${EDGE}`, extra);

  /** What bob gets of this, and answers with 200. */
  async function arrives(lines: readonly string[]): Promise<string> {
    bob.forget();
    const asked = alice.ask(lines);
    const request = await bob.got(/^MESSAGE /);
    bob.answer(request, "200 OK");
    expect(await asked).toStartWith("SIP/2.0 200 ");
    return request;
  }

  /** Replaces the Content-Length of a request by these lines, and what follows them. */
  const ending = (lines: readonly string[], ...end: readonly string[]) => [...lines.slice(0, -1), ...end];

  test("SIP-02 RFC 3261 §7.3 compact forms, folded lines, any case, UTF-8: understood, and passed on as they are", async () => {
    const own = `z9hG4bK${alice.port}-compact`;
    const name = Buffer.from("Zoë Ångström", "utf8").toString("latin1");
    const kept = [
      `f: "${name}" <sip:alice@${EDGE}>`,
      "  ;tag=folded",
      `t: <${uri}>`,
      `I: compact-${alice.port}`,
      "cSEQ:   7   MESSAGE",
      "s: Gr\xc3\xbc\xc3\x9fe",
      'X-Unknown :\tany thing, <at> "all',
    ];
    const via = `v: SIP / 2.0 / UDP ${CALLER}:${alice.port} ; branch=${own} ; rport`;
    const lines = [`MESSAGE ${uri} SIP/2.0`, via, "MAX-FORWARDS: 70", ...kept, "l: 0"];
    alice.send(...lines);
    const request = await bob.got(/^MESSAGE /);
    expect(request).toContain(kept.join("\r\n"));
    expect(request).toContain("MAX-FORWARDS: 69\r\n");
    bob.send(
      "SIP/2.0 200 OK",
      ...request.split("\r\n").filter((line) => /^v(ia)? ?:/i.test(line)),
      ...kept.slice(0, 5),
      "l: 0",
    );
    expect(await alice.got(/^SIP\/2\.0 200 /)).toContain(kept.slice(0, 5).join("\r\n"));
  });

  test("SIP-04 RFC 5630 §5.3 sips: is never taken down to UDP: 480, and the phone hears nothing", async () => {
    const answer = await alice.ask(alice.request("MESSAGE", `sips:bob@${EDGE}`, `sip:alice@${EDGE}`));
    expect(answer).toStartWith("SIP/2.0 480 ");
    expect(bob.received).toEqual([]);
  });

  test("SIP-05 RFC 3261 §19.3 two refusals of one Call-ID: two To tags", async () => {
    const register = (cseq: number) =>
      stranger
        .request("REGISTER", `sip:${EDGE}`, uri, [`Contact: <sip:${STRANGER}:${stranger.port}>`])
        .map((line) =>
          line.replace(/^Call-ID: .*/, "Call-ID: two-tags").replace(/^CSeq: 1/, `CSeq: ${cseq}`),
        );
    const answers = [await stranger.ask(register(1)), await stranger.ask(register(2))];
    for (const answer of answers) expect(answer).toStartWith("SIP/2.0 401 ");
    const tags = answers.map((answer) => /;tag=(\S+)/.exec(values(answer, "To")[0]!)![1]!);
    expect(new Set(tags).size).toBe(2);
    for (const tag of tags) expect(tag.length).toBeGreaterThanOrEqual(6); // 32 bits are six characters of 64
  });

  describe("SIP-07 RFC 3261 §18.3 Content-Length over UDP", () => {
    const text = ["Content-Type: text/plain"];

    test("longer than the body: 400, and nothing goes on", async () => {
      const lines = ending(message(alice, text), "Content-Length: 100", "", "Watson");
      expect(await alice.ask(lines)).toStartWith("SIP/2.0 400 ");
      expect(bob.received).toEqual([]);
    });

    test("shorter: the rest does not go along", async () => {
      const request = await arrives(
        ending(message(alice, text), "Content-Length: 6", "", "Watson, come here"),
      );
      expect(request).toEndWith("\r\n\r\nWatson");
    });

    test("blanks after the colon; the short form; none at all", async () => {
      for (const line of ["Content-Length:    8", "l:8", "Content-Length : \t8"])
        expect(await arrives(ending(message(alice, text), line, "", "Watson"))).toEndWith(
          "\r\n\r\nWatson\r\n",
        );
      const request = await arrives(ending(message(alice, text), "", "Watson"));
      expect(request).toEndWith("\r\n\r\nWatson\r\n\r\n");
    });
  });

  test("SIP-11 RFC 3261 §7 bare line feeds end no line: refused, and nothing goes on", async () => {
    for (const subject of ["Subject: a\nX-Smuggled: yes", "Subject: a\rX-Smuggled: yes"])
      expect(await alice.ask(message(alice, [subject]))).toStartWith("SIP/2.0 400 ");
    // Without a CSeq that can be read there is no answer (§8.2.6.2).
    alice.send(...message(alice).map((line) => line.replace(/^CSeq.*/, "$&\nX-Smuggled: yes")));
    await arrives(message(alice, ["Subject: the one after"]));
    expect(bob.received).toHaveLength(1);
  });

  test("SIP-12, SIP-14 RFC 3261 §17.2.3 one branch and Call-ID from two hosts: two calls, each CANCEL ends its own", async () => {
    const branch = "z9hG4bK-the-same";
    const same = (phone: UdpPhone, method: string) =>
      phone
        .request(method, uri, `sip:alice@${EDGE}`, [`Contact: <sip:${phone.address}:${phone.port}>`])
        .map((line) =>
          line
            .replace(/branch=[^;]+/, `branch=${branch}`)
            .replace(/^Call-ID: .*/, "Call-ID: the-same")
            .replace(/^(From: .*;tag=).*/, `$1${phone.port}`),
        );
    const invited = async (phone: UdpPhone) => {
      phone.send(...same(phone, "INVITE"));
      const mine = (each: string) => each.startsWith("INVITE ") && each.includes(`;tag=${phone.port}\r\n`);
      const invite = await eventually("the INVITE", () => bob.received.find(mine));
      bob.answer(invite, "180 Ringing");
      await phone.got(/^SIP\/2\.0 180 /);
      return invite;
    };
    const [first, second] = [await invited(alice), await invited(zoe)];
    expect(first).not.toBe(second);
    alice.send(...same(alice, "CANCEL"));
    const cancel = await bob.got(/^CANCEL /);
    expect(values(cancel, "Via")[0]).toBe(values(first, "Via")[0]!);
    bob.answer(cancel, "200 OK");
    bob.answer(first, "487 Request Terminated");
    await alice.got(/^SIP\/2\.0 487 /);
    bob.answer(second, "486 Busy Here");
    await zoe.got(/^SIP\/2\.0 486 /);
    expect(zoe.received.join("")).not.toContain("SIP/2.0 487");
  });

  describe("SRV-05 a registrar's answers", () => {
    const register = (...extra: readonly string[]) =>
      alice.request("REGISTER", `sip:${EDGE}`, uri, extra).map(toBob);
    const toBob = (line: string) => (line.startsWith("To:") ? `To: <${uri}>` : line);

    test("RFC 3261 §10.3: 423 with Min-Expires, 400 for Contact: * with anything else, 200 with Date and all contacts", async () => {
      const contact = `Contact: <sip:${CALLEE}:9>`;
      const brief = await alice.ask(register(contact, "Expires: 5"));
      expect(brief).toStartWith("SIP/2.0 423 ");
      expect(values(brief, "Min-Expires")).toEqual(["60"]);
      expect(await alice.ask(register("Contact: *", "Expires: 60"))).toStartWith("SIP/2.0 400 ");
      expect(await alice.ask(register("Contact: *", contact, "Expires: 0"))).toStartWith("SIP/2.0 400 ");
      const list = await alice.ask(register());
      expect(list).toStartWith("SIP/2.0 200 ");
      expect([values(list, "Contact").length, values(list, "Date").length]).toEqual([1, 1]);
    });

    for (const [method, status] of [
      ["SUBSCRIBE", 405],
      ["MESSAGE", 405],
      ["INVITE", 405],
      ["BREW", 501],
    ] as const)
      test(`${method} to the appliance itself: ${status}`, async () => {
        const answer = await alice.ask(alice.request(method, `sip:${EDGE}`, `sip:alice@${EDGE}`));
        expect(answer).toStartWith(`SIP/2.0 ${status} `);
        if (status === 405) expect(values(answer, "Allow")[0]).toContain("REGISTER");
      });
  });
});
