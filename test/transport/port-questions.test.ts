/** Asking a silent UDP port whether anybody is there: real sockets on loopback. */
import { afterEach, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { PortQuestions } from "../../src/transport/port-questions.ts";
import { freePort } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const sockets: Bun.udp.Socket<"buffer">[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

const asked = (metrics: Metrics, result: string): number =>
  metrics.counter("sipedge_udp_ports_asked_total", "Silent UDP ports asked whether they are closed", {
    result,
  }).value;

describe("B-12 RFC 3263 §4.3 next target on ICMP", () => {
  for (const address of ["127.0.0.1", "::1"])
    test(`a closed port says so: ${address}`, async () => {
      const metrics = new Metrics();
      let refused = 0;
      new PortQuestions(systemClock, metrics).ask(address, await freePort(address), () => refused++);
      await eventually("the ICMP error", () => refused > 0);
      expect(refused).toBe(1);
      expect([asked(metrics, "asked"), asked(metrics, "refused")]).toEqual([1, 1]);
    });

  test("an open port says nothing, and hears only a keep-alive", async () => {
    const heard: string[] = [];
    const socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      socket: { data: (_socket, bytes) => void heard.push(bytes.toString("latin1")) },
    });
    sockets.push(socket);
    let refused = 0;
    new PortQuestions(systemClock, new Metrics()).ask("127.0.0.1", socket.port, () => refused++);
    await eventually("the keep-alive", () => heard.length > 0);
    expect(heard).toEqual(["\r\n\r\n"]);
    expect(refused).toBe(0);
  });

  test("more questions than 64 at once are not asked; after two seconds there is room again", () => {
    const clock = new VirtualClock();
    const metrics = new Metrics();
    const questions = new PortQuestions(clock, metrics);
    for (let i = 0; i < 70; i++) questions.ask("127.0.0.1", 9, () => {});
    expect([asked(metrics, "asked"), asked(metrics, "too_many")]).toEqual([64, 6]);
    clock.advance(2000);
    questions.ask("127.0.0.1", 9, () => {});
    expect(asked(metrics, "asked")).toBe(65);
    clock.advance(2000);
  });

  test("what is no address asks nobody, and throws nothing", () => {
    const clock = new VirtualClock();
    const questions = new PortQuestions(clock, new Metrics());
    for (const [address, port] of [
      ["no.such.name.invalid", 5060],
      ["127.0.0.1", 0],
      ["127.0.0.1", 70_000],
      ["", 1],
    ] as const)
      expect(() => questions.ask(address, port, () => {})).not.toThrow();
    clock.advance(2000);
  });
});
