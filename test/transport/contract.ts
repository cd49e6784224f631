/**
 * What every transport promises, whatever carries it: one suite, run for each.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Flow, TransportName } from "../../src/base/flow.ts";
import { hostPort } from "../../src/base/flow.ts";
import type { Rig } from "./rig.ts";
import { sip, until } from "./rig.ts";

/** A peer that has sent `hello`, as the transports and as the test see it. */
export interface Meeting {
  readonly rig: Rig;
  /** Our flow to the peer. */
  readonly flow: Flow;
  readonly peerAddress: string;
  readonly peerPort: number;
  /** Lets the peer send one message. */
  send(text: string): void;
  /** Lets the peer send what keeps the path open. */
  keepalive(): void;
  /** Everything the peer got so far. */
  got(): string;
  /** Closes both sides. */
  end(): void;
}

export interface Contract {
  readonly transport: TransportName;
  readonly address: string;
  meet(): Promise<Meeting>;
}

const ALL_BYTES = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

export function transportContract(name: string, contract: Contract): void {
  describe(`transport contract: ${name}`, () => {
    let meeting: Meeting;
    const texts = (): string[] => meeting.rig.receiver.messages.map(({ text }) => text);

    beforeEach(async () => {
      meeting = await contract.meet();
    });
    afterEach(() => meeting.end());

    test("the flow names both ends", () => {
      const { flow, rig, peerAddress, peerPort } = meeting;
      expect(flow.transport).toBe(contract.transport);
      expect(flow.reliable).toBe(contract.transport !== "udp");
      expect(flow.open).toBe(true);
      expect(flow.local).toBe(rig.endpoint(contract.transport));
      expect(flow.local.sentBy).toBe(hostPort(contract.address, flow.local.port));
      expect([flow.remoteAddress, flow.remotePort]).toEqual([peerAddress, peerPort]);
      const ends = `${contract.transport}:${flow.local.sentBy}>${hostPort(peerAddress, peerPort)}`;
      expect(flow.id.replace(/#\d+$/, "")).toBe(ends);
      expect(/#\d+$/.test(flow.id)).toBe(flow.reliable);
    });

    test("messages arrive byte for byte and in order, from the same flow", async () => {
      const sent = [sip(ALL_BYTES), sip(""), sip("x".repeat(1200))];
      for (const text of sent) meeting.send(text);
      await until(() => texts().length === 1 + sent.length);
      expect(texts().slice(1)).toEqual(sent);
      for (const { flow } of meeting.rig.receiver.messages) expect(flow.id).toBe(meeting.flow.id);
    });

    test("what is sent reaches the peer byte for byte and in order", async () => {
      const sent = [sip(ALL_BYTES), sip("2"), sip("x".repeat(1200))];
      for (const text of sent) expect(meeting.flow.send(Buffer.from(text, "latin1"))).toBe(true);
      await until(() => meeting.got().length >= sent.join("").length);
      expect(meeting.got()).toBe(sent.join(""));
    });

    test("an answer from inside the receiver", async () => {
      meeting.rig.receiver.onMessage = (_text, flow) => void flow.send(Buffer.from(sip("answer")));
      meeting.send(sip("question"));
      await until(() => meeting.got() === sip("answer"));
      expect(meeting.rig.receiver.messages).toHaveLength(2);
    });

    test("the flow is found again by its id, and by its far end", () => {
      const { flow, rig } = meeting;
      expect(rig.transports.flowById(flow.id)?.id).toBe(flow.id);
      expect(rig.transports.flowTo(flow.transport, flow.remoteAddress, flow.remotePort)?.id).toBe(flow.id);
    });

    test("ids that name nothing", () => {
      const { flow, rig } = meeting;
      const other = flow.id.replace(`:${flow.local.port}>`, `:${flow.local.port === 1 ? 2 : 1}>`);
      for (const id of ["", ">", "udp:", "udp:>", `${flow.id}x`, `sctp${flow.id.slice(3)}`, other]) {
        expect(rig.transports.flowById(id)).toBeNull();
      }
    });

    test("keep-alives reach nobody and are counted", async () => {
      const before = meeting.rig.metric("keepalives_total");
      meeting.keepalive();
      meeting.send(sip("behind"));
      await until(() => texts().includes(sip("behind")));
      expect(texts()).toHaveLength(2);
      expect(meeting.rig.metric("keepalives_total")).toBeGreaterThan(before);
    });

    test("a receiver that throws costs that message only", async () => {
      meeting.rig.receiver.onMessage = (text) => {
        if (text === sip("bad")) throw new Error("ours");
      };
      meeting.send(sip("bad"));
      meeting.send(sip("good"));
      await until(() => texts().includes(sip("good")));
      expect(meeting.rig.metric("receiver_faults_total")).toBe(1);
    });

    test("after close: not open, sends are dropped and counted, nobody is found", () => {
      const { flow, rig } = meeting;
      rig.transports.close();
      expect(flow.open).toBe(false);
      expect(flow.send(Buffer.from(sip("late")))).toBe(false);
      const failed = flow.reliable ? "tcp_send_failed_total" : "udp_send_failed_total";
      expect(rig.metric(failed, { reason: "closed" })).toBe(1);
      expect(rig.transports.flowById(flow.id)).toBeNull();
      expect(rig.transports.flowTo(flow.transport, flow.remoteAddress, flow.remotePort)).toBeNull();
      expect(rig.transports.endpoints()).toEqual([]);
      rig.transports.close();
    });

    test("watchers learn of the end of a connection once; a UDP flow has none", async () => {
      const { flow, rig } = meeting;
      const told: string[] = [];
      const gone: string[] = [];
      const leaver = { flowClosed: () => void gone.push("left") };
      flow.watch({ flowClosed: (which, reason) => void told.push(`${which.id} ${reason}`) });
      flow.watch(leaver);
      flow.unwatch(leaver);
      rig.transports.close();
      expect(told).toEqual([]); // never from inside a call
      await Bun.sleep(20);
      expect(told).toEqual(flow.reliable ? [`${flow.id} shutdown`] : []);
      expect(gone).toEqual([]);
    });

    test("another port of the peer: datagrams only", () => {
      const other = meeting.flow.toPort(9);
      expect(other?.id ?? null).toBe(meeting.flow.reliable ? null : meeting.flow.id.replace(/\d+$/, "9"));
    });
  });
}
