/** MET-19: calls that sound bad are counted and named. */
import { describe, expect, test } from "bun:test";
import { CallQuality } from "../../src/app/call-quality.ts";
import type { Fields, Log } from "../../src/base/log.ts";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { Call } from "../../src/calls/call.ts";
import { CallMedia } from "../../src/media/call-media.ts";
import type { MediaReport, StreamReport } from "../../src/media/media-session.ts";
import { FakeRelay } from "../support/fake-relay.ts";

const stream = (from: "caller" | "callee", mos_lqe: number | null, packets = 500): StreamReport => ({
  stream: 0,
  from,
  codec: "pcmu",
  packets,
  bytes: packets * 172,
  loss_percent: 12,
  jitter_ms: 4,
  jitter_max_ms: 9,
  round_trip_ms: null,
  leg_round_trip_ms: null,
  far_loss_percent: null,
  far_jitter_ms: null,
  r_lq: null,
  r_cq: null,
  mos_cqe: null,
  mos_simple: null,
  scale: "N",
  mos_lqe,
  out_of_order: 0,
  duplicates: 0,
  source: "198.51.100.7:4000",
  refused: 0,
});

function site(...streams: StreamReport[]) {
  const metrics = new Metrics();
  const lines: Fields[] = [];
  const log: Log = { ...silentLog, warn: (_event, fields = {}) => void lines.push(fields) };
  const quality = new CallQuality(log, metrics);
  const relay = new FakeRelay();
  relay.open();
  const report: MediaReport = { streams };
  relay.sessions[0]!.latest = report;
  const call = new Call("c1", {} as Call["facts"]);
  call.media = new CallMedia(relay.sessions[0]!);
  const counted = () =>
    metrics
      .collect()
      .filter(({ name }) => name === "sipedge_media_directions_total")
      .flatMap(({ samples }) => samples.map(({ labels, value }) => `${labels.mos}: ${value}`));
  return { quality, call, report, lines, counted };
}

describe("media.mos_alarm", () => {
  test("names a direction that falls below it, once", () => {
    const { quality, call, report, lines } = site(stream("caller", 2.9), stream("callee", 4.3));
    quality.mos_alarm = 3.5;
    quality.look(call);
    quality.look(call);
    quality.ended(call, report);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ call: "c1", from: "caller", mos: "2.90", loss_percent: "12.0" });
  });

  test("not in the first five seconds, not without a figure, not when it is 0", () => {
    const { quality, call, lines } = site(stream("caller", 1.2, 249), stream("callee", null));
    quality.mos_alarm = 3.5;
    quality.look(call);
    const off = site(stream("caller", 1.2));
    off.quality.look(off.call);
    expect([...lines, ...off.lines]).toEqual([]);
  });
});

test("directions of ended calls are counted by how they sounded", () => {
  const { quality, call, report, counted } = site(
    stream("caller", 4.4),
    stream("callee", 3.7),
    stream("caller", 1.5),
    stream("callee", null),
    stream("caller", null, 0),
  );
  quality.ended(call, report);
  expect(counted().toSorted()).toEqual(["3.6 or more: 1", "4.34 or more: 1", "below 2.58: 1", "unknown: 1"]);
});
