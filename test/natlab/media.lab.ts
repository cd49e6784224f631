/**
 * Two phones behind two NATs talk: each hears the other's tone through the relay, whatever kind their NATs are; a
 * stranger who sprays its ports hears nothing and is not heard; and what the calls were like is on record.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../support/process.ts";
import { hangUp, up, uriOf } from "./calls.ts";
import { Capture } from "./capture.ts";
import { Lab, noLab } from "./lab.ts";
import { LabEdge } from "./lab-edge.ts";
import { LabPhone } from "./lab-phone.ts";
import { CALLED, CALLING, LabSipp } from "./lab-sipp.ts";
import type { Namespace } from "./namespace.ts";
import type { NatBox, NatKind } from "./nat-box.ts";
import { NAT_KINDS } from "./nat-box.ts";

const EDGE = "203.0.113.10";
const OUTSIDE = "203.0.113.20";
const STRANGER = "203.0.113.66";
const GATEWAY = "192.168.1.1";
const HOST = "192.168.1.10";
/** What the phone behind a box of each kind says; all have the same private address. */
const TONES: Readonly<Record<NatKind, number>> = {
  full_cone: 700,
  restricted: 860,
  port_restricted: 1000,
  symmetric: 440,
};
const OUTSIDE_HZ = 600;
const ECHO = "203.0.113.30";
/** How long a phone that speaks early lets the caller wait, and how long the call with a late offer lasts. */
const EARLY_MS = 15_000;
const LATE_OFFER_MS = 12_000;
const PAIRS = NAT_KINDS.flatMap((one) => NAT_KINDS.map((other) => [one, other] as const)).filter(
  ([one, other]) => one !== other,
);
const PORTS = { first: 12_000, last: 12_399 } as const;
const SILENCE_S = 10;
const LOST_PERCENTS = [2, 8, 20];
/** Losses do come in runs now and then. */
const R_TOLERANCE = 3;
/** Longer than silence_s: a call on hold is silent and lives. */
const HOLD_MS = 13_000;
const PACKETS_A_SECOND = 50;
/** For a tone to be heard: a second of it, on a busy machine. */
const HEARD_MS = 20_000;
/** A NAT's new port is believed after 1.5 s of silence; a phone's packets fill half a second of recording. */
const HEALED_MS = 8000;

setDefaultTimeout(90_000);

interface Stream {
  readonly from: string;
  readonly codec: string;
  readonly packets: number;
  readonly loss_percent: number | null;
  readonly jitter_ms: number | null;
  readonly r_lq: number | null;
  readonly mos_lqe: number | null;
  readonly source: string | null;
  readonly refused: number;
}
interface ShownCall {
  readonly state: string;
  readonly media: readonly Stream[] | null;
  readonly reason?: string;
  readonly ended_by?: string;
}

interface TsharkLine {
  /** `address:port`. */
  readonly sender: string;
  readonly receiver: string;
  readonly packets: number;
  readonly loss_percent: number;
  readonly jitter_ms: number;
}

/** What `tshark -z rtp,streams` says of a capture. */
async function tsharkStreams(
  space: Namespace,
  file: string,
  ports: ReadonlySet<string>,
): Promise<readonly TsharkLine[]> {
  const decode = [...ports].flatMap((port) => ["-d", `udp.port==${port},rtp`]);
  const program = space.start(["tshark", "-r", file, ...decode, "-q", "-z", "rtp,streams"]);
  await program.ended();
  const row =
    /\s([\d.]+)\s+(\d+)\s+([\d.]+)\s+(\d+)\s+0x[0-9A-Fa-f]{8}\s+\S+\s+(\d+)\s+-?\d+ \((-?[\d.]+)%\)((?:\s+[\d.]+){6})/g;
  return [...program.output.matchAll(row)].map(([, address, port, receiver, , packets, lost, figures]) => ({
    sender: `${address}:${port}`,
    receiver: receiver!,
    packets: Number(packets),
    loss_percent: Math.max(0, Number(lost)),
    jitter_ms: Number(figures!.trim().split(/\s+/)[4]),
  }));
}

/** The ports it was told to send to, in all descriptions of this chapter. */
const portsTold = (phone: LabPhone): readonly string[] => [
  ...new Set(phone.received(/^INVITE /, "INVITE").flatMap((text) => /^m=audio (\d+)/m.exec(text)?.[1] ?? [])),
];

/** G.711, 20 ms. */
const isVoice = (payload: Buffer): boolean => payload.length === 172 && payload[0] === 0x80;

describe.skipIf(noLab("media behind NATs", "sox", "tshark"))("media behind NATs", () => {
  let lab: Lab;
  let edge: LabEdge;
  let outside: LabPhone;
  let echo: LabSipp;
  const boxes = new Map<string, NatBox>();
  const phones = new Map<string, LabPhone>();
  const phone = (name: string): LabPhone => phones.get(name)!;

  beforeAll(async () => {
    lab = new Lab("media");
    edge = await LabEdge.start(lab.host("edge", EDGE), {
      address: EDGE,
      users: ["outside", "echo", ...NAT_KINDS],
      toml: `[media]\nport_min = ${PORTS.first}\nport_max = ${PORTS.last}\nsilence_s = ${SILENCE_S}\n`,
    });
    const common = { registrar: edge.hostPort, transport: "udp" as const };
    outside = await LabPhone.start(lab.host("outside", OUTSIDE), {
      ...common,
      name: "outside",
      address: OUTSIDE,
      tone_hz: OUTSIDE_HZ,
    });
    echo = new LabSipp(lab.host("echo", ECHO), { name: "echo", address: ECHO, domain: edge.hostPort });
    for (const [index, kind] of NAT_KINDS.entries()) {
      const box = lab.nat(kind, { kind, outside: `203.0.113.${100 + index}`, inside: GATEWAY });
      boxes.set(kind, box);
      const host = lab.behind(box, `${kind}-host`, HOST);
      phones.set(
        kind,
        await LabPhone.start(host, {
          ...common,
          name: kind,
          address: HOST,
          tone_hz: TONES[kind],
        }),
      );
    }
  });
  afterAll(() => lab?.close());

  async function talking(caller: LabPhone, callee: LabPhone): Promise<void> {
    caller.forget();
    callee.forget();
    caller.dial(uriOf(callee, caller));
    await up(caller, callee);
    await hear(caller, callee);
  }

  async function hear(one: LabPhone, other: LabPhone, within_ms = HEARD_MS): Promise<void> {
    await eventually(
      () => `tones at both; heard ${one.heard()} and ${other.heard()} Hz`,
      () => one.heard() === other.options.tone_hz && other.heard() === one.options.tone_hz,
      within_ms,
    );
  }

  const running = (): readonly ShownCall[] => edge.get<{ calls: ShownCall[] }>("/v1/calls").calls;
  /** Packets of each direction of the running call. */
  const passed = (): readonly number[] => running()[0]!.media!.map(({ packets }) => packets);
  const ended = (): ShownCall => edge.get<{ records: ShownCall[] }>("/v1/records").records[0]!;

  for (const [from, to] of [...PAIRS, ["symmetric", "outside"], ["outside", "port_restricted"]])
    test(`NAT-12, NAT-13: ${from} calls ${to}, and they hear each other; /v1/calls and the record say how`, async () => {
      const caller = from === "outside" ? outside : phone(from);
      const callee = to === "outside" ? outside : phone(to);
      await talking(caller, callee);
      const [call] = running();
      expect(call!.media!.map((stream) => stream.from).toSorted()).toEqual(["callee", "caller"]);
      await hangUp(caller, callee);
      const { media } = await eventually("the record", () => running().length === 0 && ended());
      for (const { codec, packets, loss_percent, jitter_ms, mos_lqe, refused } of media!) {
        expect(codec).toBe("pcmu");
        expect(packets).toBeGreaterThan(25);
        expect(loss_percent).toBeLessThan(5);
        expect(jitter_ms).toBeGreaterThanOrEqual(0);
        expect(mos_lqe).toBeGreaterThan(3);
        expect(refused).toBeLessThanOrEqual(3); // those in front of the 200 that says what they are
      }
    });

  /** The other says what it hears: the phone's own tone comes back, through the relay twice. */
  const hearsItself = (phone: LabPhone) =>
    eventually(
      () => `its own tone at ${phone.name}; it heard ${phone.heard()} Hz; ${JSON.stringify(running())}`,
      () => phone.heard() === phone.options.tone_hz,
      HEARD_MS,
    );

  test("NAT-20 RFC 3960: the callee speaks before it takes the call: voice goes both ways from then on", async () => {
    const caller = phone("symmetric");
    const callee = echo;
    await callee.registers(edge.hostPort);
    const story = await callee.takes(CALLED.speaksEarly, EARLY_MS);
    caller.forget();
    caller.dial(callee.uri);
    await caller.got(/^SIP\/2\.0 183/, "INVITE");
    await hearsItself(caller);
    expect(caller.received(/^SIP\/2\.0 200/, "INVITE")).toEqual([]);
    await caller.got(/^SIP\/2\.0 200/, "INVITE", 2 * EARLY_MS);
    const heard_s = caller.heard_s;
    await eventually("more of it", () => caller.heard_s > heard_s + 1, HEARD_MS);
    caller.hangUp();
    await callee.succeeds(story);
  });

  test("NAT-20 RFC 3264 §5: the offer comes with the 200, its answer with the ACK: voice goes both ways", async () => {
    const callee = phone("port_restricted");
    callee.forget();
    const caller = echo;
    const story = caller.calls(CALLING.offersNothing, callee.name, edge.hostPort, LATE_OFFER_MS);
    await hearsItself(callee);
    await caller.succeeds(story);
    const { media } = await eventually("the record", () => running().length === 0 && ended());
    for (const { packets } of media!) expect(packets).toBeGreaterThan(PACKETS_A_SECOND);
  });

  test("NAT-28, ARC-32: packets leave from the port that receives, marked, byte for byte", async () => {
    const wire = await Capture.start(edge.space, "eth0");
    const [one, other] = [phone("symmetric"), phone("port_restricted")];
    await talking(one, other);
    const { media } = running()[0]!;
    await hangUp(one, other);
    const packets = wire.packets().filter(({ payload }) => isVoice(payload));
    const came = packets.filter(({ to }) => to.startsWith(`${EDGE}:`));
    const left = packets.filter(({ from }) => from.startsWith(`${EDGE}:`));
    const ports = new Set(came.map(({ to }) => to));
    expect(ports.size).toBe(2);
    expect(new Set(left.map(({ from }) => from))).toEqual(ports);
    expect(left.every(({ dscp }) => dscp === 46)).toBe(true);
    const bytesOf = (all: typeof packets) => all.map(({ payload }) => payload.toString("hex")).toSorted();
    const known = new Set(bytesOf(came));
    expect(bytesOf(left).every((bytes) => known.has(bytes))).toBe(true);
    expect(left.length).toBeGreaterThan(came.length - 5);
    expect(came.map(({ from }) => from)).toContain(media![0]!.source!);
  });

  for (const percent of LOST_PERCENTS)
    test(`MET-01, MET-07, MET-15, MET-16: one way loses ${percent} %: only its numbers move, tshark finds the same, R and MOS are what the formula says`, async () => {
      const wire = await Capture.start(edge.space, "eth0");
      const [one, other] = [phone("symmetric"), phone("port_restricted")];
      await talking(one, other);
      boxes.get("symmetric")!.lose(percent); // what leaves it and what reaches it
      const start = one.heard_s;
      await eventually("ten seconds of it", () => one.heard_s > start + 10, 40_000);
      boxes.get("symmetric")!.heal();
      await hangUp(one, other);
      const { media } = await eventually("the record", () => running().length === 0 && ended());
      const ports = wire
        .packets()
        .flatMap(({ to, payload }) => (isVoice(payload) && to.startsWith(EDGE) ? [to] : []));
      const lines = await tsharkStreams(edge.space, wire.file, new Set(ports.map((to) => to.split(":")[1]!)));
      for (const { from, packets, loss_percent, jitter_ms, source, r_lq, mos_lqe } of media!) {
        const theirs = lines.find(({ sender, receiver }) => sender === source && receiver === EDGE);
        expect(theirs).toBeDefined();
        expect(Math.abs(packets - theirs!.packets)).toBeLessThanOrEqual(3); // before the 200, and after the BYE
        expect(Math.abs(loss_percent! - theirs!.loss_percent)).toBeLessThan(0.2);
        // The kernel's clock and ours differ by what the event loop waits.
        expect(Math.abs(jitter_ms! - theirs!.jitter_ms)).toBeLessThan(
          Math.max(0.05 * theirs!.jitter_ms, 0.5),
        );
        if (from === "caller") expect(loss_percent!).toBeGreaterThan(percent / 4);
        else expect(loss_percent!).toBeLessThan(1);
        // G.711 with concealment, losses apart from each other (G.107 §7.2.1, G.113 table I.3).
        const wanted = 93.2 - (95 * loss_percent!) / (loss_percent! + 25.1);
        expect(Math.abs(r_lq! - wanted)).toBeLessThan(R_TOLERANCE);
        expect(mos_lqe!).toBeCloseTo(
          1 + 0.035 * r_lq! + r_lq! * (r_lq! - 60) * (100 - r_lq!) * 7e-6, // G.107 annex B
          1,
        );
      }
    });

  test("SVC-01: the caller holds the call for a while and takes it back: both hear each other again, on the same ports", async () => {
    const [one, other] = [phone("symmetric"), phone("port_restricted")];
    await talking(one, other);
    const ports = portsTold(other);
    one.hold();
    await eventually("the hold", () => other.received(/^INVITE /, "INVITE").length === 2);
    expect(other.received(/^INVITE /, "INVITE")[1]).toMatch(/^a=(sendonly|inactive)$/m);
    // baresip records no more after a hold, so packets tell who is sent what.
    const held = passed();
    await Bun.sleep(HOLD_MS);
    expect(running()).toHaveLength(1);
    expect(Math.max(...passed().map((packets, side) => packets - held[side]!))).toBeLessThan(
      PACKETS_A_SECOND,
    );
    one.resume();
    await eventually("the end of the hold", () => other.received(/^INVITE /, "INVITE").length === 3);
    const before = passed();
    await eventually(
      () => `two seconds of voice both ways; ${before}, then ${passed()} packets`,
      () => passed().every((packets, side) => packets > before[side]! + 2 * PACKETS_A_SECOND),
      HEARD_MS,
    );
    expect(portsTold(other)).toEqual(ports);
    await hangUp(one, other);
  });

  test("NAT-29, NAT-13: the mappings are lost in the middle of a call: both hear each other again", async () => {
    const [one, other] = [phone("symmetric"), phone("port_restricted")];
    await talking(one, other);
    const before = running()[0]!.media!.map(({ source }) => source);
    boxes.get("symmetric")!.forget();
    await eventually(
      () => `another port; there are ${JSON.stringify(running()[0]?.media)}`,
      () => running()[0]!.media!.some(({ source }) => source !== null && !before.includes(source)),
      HEALED_MS,
    );
    const recorded = [one, other].map(({ heard_s }) => heard_s);
    await eventually(
      "both to hear more",
      () => [one, other].every(({ heard_s }, index) => heard_s > recorded[index]! + 1),
      HEALED_MS,
    );
    await hear(one, other, HEALED_MS);
    await hangUp(one, other);
  });

  test("B-53: a stranger who sprays all ports diverts nothing, hears nothing and is not heard", async () => {
    const stranger = lab.host("stranger", STRANGER);
    const [one, other] = [phone("symmetric"), phone("port_restricted")];
    one.forget();
    other.forget();
    // From before the call until after its end.
    const spray = stranger.start([
      process.execPath,
      new URL("spray.ts", import.meta.url).pathname,
      `${STRANGER}:7000`,
      `${EDGE}:${PORTS.first}-${PORTS.last}`,
    ]);
    await spray.says(/round 2/);
    one.dial(uriOf(other, one));
    await up(one, other);
    await hear(one, other);
    await spray.says(/round \d/);
    const [call] = running();
    for (const { source, refused } of call!.media!) {
      expect(source).not.toContain(STRANGER);
      expect(refused).toBeGreaterThan(0);
    }
    expect([one.heard(), other.heard()]).toEqual([other.options.tone_hz!, one.options.tone_hz!]);
    await hangUp(one, other);
    await spray.stop();
    expect(spray.output).not.toContain("heard");
  });

  test("NAT-33: while nobody calls, nothing answers on any of the ports", async () => {
    await eventually("no call", () => running().length === 0);
    const stranger = lab.host("scanner", "203.0.113.67");
    const scan = stranger.start([
      process.execPath,
      new URL("spray.ts", import.meta.url).pathname,
      "203.0.113.67:7000",
      `${EDGE}:${PORTS.first}-${PORTS.last}`,
    ]);
    await scan.says(/round 3/);
    await scan.stop();
    expect(scan.output).not.toContain("heard");
  });

  test("B-54: both phones lose their power: the call is ended, and its record says why", async () => {
    const [one, other] = [phone("symmetric"), phone("port_restricted")];
    await talking(one, other);
    for (const box of boxes.values()) box.loseAll();
    const record = await eventually(
      "the call to end",
      () => running().length === 0 && ended(),
      (SILENCE_S + 40) * 1000,
    );
    expect(record.ended_by).toBe("us");
    expect(record.reason).toMatch(/^No media for 1\d s/);
  });
});
