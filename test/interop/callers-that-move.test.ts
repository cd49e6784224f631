/**
 * Callers that change their place: to the other proxy when the first one is dead, and to another address in
 * the middle of a call. The called phone is sipp.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { accounts, PASSWORD } from "./phones.ts";
import type { Ask } from "./scripted-caller.ts";
import { credentials, requestLines, sdpAt, values } from "./scripted-caller.ts";
import { headers, Sipp, sipp } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.6";
const CALLER = "127.0.0.91";
const MOVED_CALLER = "127.0.0.92";
const CALLEE = "127.0.0.93";
const TOML = `${accounts("alice", "bob", "carol")}[calls]\naccept_foreign_callers = true`;

const absent = missing("callers that move", "sipp");

describe.skipIf(absent)("interop: callers that move", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TOML });
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  async function registered(user: string, scenario: string, at: string): Promise<Sipp> {
    const phone = await Sipp.start({ scenario, address: CALLEE });
    const keys = { contact: `<${phone.contact(user)}>`, expires: "600" };
    await sipp({ scenario: "register", target: at, address: CALLEE, user, password: PASSWORD, keys });
    return phone;
  }

  const target = (of: Edge) => [of.addresses[0]!, of.port] as const;

  test("FLOW-09 RFC 3665 §3.4 proxy 1 dies after its challenge: proxy 2 challenges anew and connects", async () => {
    const first = await Edge.start({ addresses: [EDGE], toml: TOML }); // the same domain and realm, another port
    const phone = await registered("bob", "callee-is-hung-up", edge.hostPort);
    const toFirst = await UdpPhone.open(CALLER, target(first));
    const toSecond = await UdpPhone.open(CALLER, target(edge));
    try {
      const uri = `sip:bob@${EDGE}`;
      const call = { from: `sip:alice@${EDGE}`, to: uri, fromTag: "a", callId: `fails-over@${CALLER}` };
      const invite = (by: UdpPhone, cseq: number, ...more: readonly string[]) =>
        requestLines(by, { ...call, method: "INVITE", uri, cseq, headers: more, body: sdpAt(CALLER) });
      const proof = (challenge: string) => credentials(challenge, "INVITE", uri, "alice", PASSWORD);
      const ack = (by: UdpPhone, answer: string, cseq: number, more: Partial<Ask> = {}) =>
        by.send(...requestLines(by, { ...call, toTag: tagOf(answer), method: "ACK", uri, cseq, ...more }));

      const challenge = await toFirst.ask(invite(toFirst, 1));
      ack(toFirst, challenge, 1);
      first.program.signal("SIGKILL");
      await first.program.ended();
      toFirst.forget();
      toFirst.send(...invite(toFirst, 2, proof(challenge)));

      const another = await toSecond.ask(invite(toSecond, 3, proof(challenge)));
      expect(another).toStartWith("SIP/2.0 407 ");
      expect(values(another, "Proxy-Authenticate")[0]).toMatch(/stale=true/i); // so that nobody is asked again
      ack(toSecond, another, 3);
      const answer = await toSecond.ask(invite(toSecond, 4, proof(another)));
      expect(answer).toStartWith("SIP/2.0 200 ");
      const route = values(answer, "Record-Route").map((value) => `Route: ${value}`);
      const inside = { uri: contactOf(answer), toTag: tagOf(answer), headers: route };
      ack(toSecond, answer, 4, inside);
      const bye = requestLines(toSecond, { ...call, ...inside, method: "BYE", cseq: 5 });
      expect(await toSecond.ask(bye)).toStartWith("SIP/2.0 200 ");
      await phone.succeeds();
      expect(toFirst.received).toEqual([]);
    } finally {
      toFirst.close();
      toSecond.close();
      await phone.stop();
      await first.stop();
    }
  });

  test("FLOW-12, SIP-08 RFC 3665 §3.7 the caller's address changes: re-INVITE from there, BYE goes there", async () => {
    const phone = await registered("carol", "callee-sees-move", edge.hostPort);
    const before = await UdpPhone.open(CALLER, target(edge));
    const after = await UdpPhone.open(MOVED_CALLER, target(edge));
    try {
      const uri = `sip:carol@${edge.hostPort}`;
      const call = { from: "sip:zoe@elsewhere.test", to: uri, fromTag: "z", callId: `moves@${CALLER}` };
      const invite: Ask = { ...call, method: "INVITE", uri, cseq: 1, body: sdpAt(CALLER) };
      const answer = await before.ask(requestLines(before, invite));
      expect(answer).toStartWith("SIP/2.0 200 ");
      const inside = {
        ...call,
        uri: contactOf(answer),
        toTag: tagOf(answer),
        headers: values(answer, "Record-Route").map((value) => `Route: ${value}`),
      };
      before.send(...requestLines(before, { ...inside, method: "ACK", cseq: 1 }));
      before.forget();
      const body = sdpAt(MOVED_CALLER, 2);
      const again = await after.ask(requestLines(after, { ...inside, method: "INVITE", cseq: 2, body }));
      expect(again).toStartWith("SIP/2.0 200 ");
      after.send(...requestLines(after, { ...inside, method: "ACK", cseq: 2 }));
      const bye = await after.got(/^BYE /);
      expect(bye).toStartWith(`BYE sip:${MOVED_CALLER}:${after.port} SIP/2.0\r\n`);
      after.answer(bye, "200 OK");
      await phone.succeeds();
      const [first, second] = phone.received(/^INVITE /);
      expect(first).toContain(`c=IN IP4 ${CALLER}\n`);
      expect(second).toContain(`c=IN IP4 ${MOVED_CALLER}\n`);
      expect(headers(second!, "Contact")).toEqual([`<sip:${MOVED_CALLER}:${after.port}>`]);
      expect(before.received.filter((message) => !message.startsWith("SIP/2.0 "))).toEqual([]);
    } finally {
      before.close();
      after.close();
      await phone.stop();
    }
  });
});

const contactOf = (answer: string) => /<([^>]+)>/.exec(values(answer, "Contact")[0] ?? "")?.[1] ?? "";
const tagOf = (answer: string) => /;tag=([^;]+)/.exec(values(answer, "To")[0] ?? "")?.[1] ?? "";
