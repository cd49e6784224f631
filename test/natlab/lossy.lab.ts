/**
 * Lines that lose packets: a fifth of them, and registrations and calls still find their way; all of them, and
 * the phone is out of use as soon as its pings stay without an answer.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/process.ts";
import { uriOf } from "./calls.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";

/** As it is shipped. */
const EDGE = "203.0.113.10";
/** One that calls a phone lost after its first ping without an answer. */
const STRICT = "203.0.113.11";
const PUBLIC = "203.0.113.20";
const NEIGHBOUR = "203.0.113.21";
const HOST = "192.168.1.10";
const LOSS_PERCENT = 20;
const CALLS = 10;
const PING_S = 5;
/** RFC 3261 §17: time for all tries of a request, Timers B and F. */
const TRIES_MS = 32_000;
/** The last ping that was answered, the one that was not, and the time for its answer. */
const LOST_MS = 3 * PING_S * 1000 + 10_000;

setDefaultTimeout(90_000);

describe.skipIf(noLab("lines that lose packets"))("lines that lose packets", () => {
  let lab: Lab;
  let edge: LabEdge;
  let strict: LabEdge;
  let outside: LabPhone;
  let neighbour: LabPhone;

  beforeAll(async () => {
    lab = new Lab("lossy");
    const toml = `[keepalive]\ninterval_s = ${PING_S}\nlost_after = 1`;
    edge = await LabEdge.start(lab.host("edge", EDGE), { address: EDGE, users: ["outside", "lossy"] });
    const users = ["neighbour", "vanishing"];
    strict = await LabEdge.start(lab.host("strict", STRICT), { address: STRICT, users, toml });
    outside = await reachable(edge, "outside", PUBLIC);
    neighbour = await reachable(strict, "neighbour", NEIGHBOUR);
  });
  afterAll(() => lab?.close());

  function reachable({ hostPort }: LabEdge, name: string, address: string) {
    return LabPhone.start(lab.host(name, address), { name, registrar: hostPort, transport: "udp", address });
  }

  async function phone({ hostPort }: LabEdge, name: string, outer: string, losing: number) {
    const box = lab.nat(name, { kind: "port_restricted", outside: outer, inside: "192.168.1.1" });
    box.lose(losing);
    const host = lab.behind(box, `${name}-host`, HOST);
    const options = { name, registrar: hostPort, transport: "udp", address: HOST } as const;
    return { box, phone: await LabPhone.start(host, options) };
  }

  test(`RFC 3261 §17: ${CALLS} calls with ${LOSS_PERCENT} % loss, each side hears of the end`, async () => {
    const { box, phone: callee } = await phone(edge, "lossy", "203.0.113.100", LOSS_PERCENT);
    for (let number = 0; number < CALLS; number++) {
      callee.forget();
      outside.forget();
      outside.dial(uriOf(callee, outside));
      await outside.got(/^SIP\/2\.0 200/, "INVITE", TRIES_MS);
      await callee.got(/^ACK /, "ACK", TRIES_MS);
      outside.hangUp();
      await callee.got(/^BYE /, "BYE", TRIES_MS);
      await outside.got(/^SIP\/2\.0 200/, "BYE", TRIES_MS);
    }
    expect(box.lost).toBeGreaterThan(0);
  });

  test("NH-15, B-81: a phone that vanished is out of use after its pings stay without an answer", async () => {
    const { box, phone: vanishing } = await phone(strict, "vanishing", "203.0.113.101", 0);
    expect(strict.registrations("vanishing").map(({ reachable }) => reachable)).toEqual([true]);
    box.loseAll();
    await eventually(
      "the phone to be out of use",
      () => strict.registrations("vanishing").every(({ reachable }) => !reachable),
      LOST_MS,
    );
    neighbour.forget();
    neighbour.dial(uriOf(vanishing, neighbour));
    const refusal = await neighbour.got(/^SIP\/2\.0 480/, "INVITE");
    expect(refusal).toContain("keepalives");
  });
});
