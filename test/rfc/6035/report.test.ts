/** Voice quality reports of phones (RFC 6035 §4.6), in the manner of its examples and as real phones bend them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { VqReport } from "../../../src/media/vq-report.ts";
import { readVqReport, VQ_BYTES_MAX, VQ_LINES_MAX, VQ_TEXT_CHARS_MAX } from "../../../src/media/vq-report.ts";
import { ParseError } from "../../../src/message/parse-error.ts";

const SESSION = [
  "VQSessionReport: CallTerm",
  "CallID: 6dg37f1890463",
  "LocalID: Alice <sip:alice@example.org>",
  "RemoteID: Bill <sip:bill@example.net>",
  "OrigID: Alice <sip:alice@example.org>",
  "LocalGroup: example-phone-55671",
  "RemoteGroup: example-gateway-09871",
  "LocalAddr: IP=10.10.1.100 PORT=5000 SSRC=1a3b5c7d",
  "LocalMAC: 00:1f:5b:cc:21:0f",
  "RemoteAddr: IP=2001:db8::150 PORT=5002 SSRC=0x2468abcd",
  "LocalMetrics:",
  "Timestamps:START=2004-10-10T18:23:43Z STOP=2004-10-01T18:26:02Z",
  'SessionDesc:PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP="annexb=no" PLC=3 SSUP=on',
  "JitterBuffer:JBA=3 JBR=2 JBN=40 JBM=80 JBX=120",
  "PacketLoss:NLR=5.0 JDR=2.0",
  "BurstGapLoss:BLD=0.5 BD=300 GLD=2.0 GD=500 GMIN=16",
  "Delay:RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10",
  "Signal:SL=-21 NL=-50 RERL=55",
  "QualityEst:RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564",
  "RemoteMetrics:",
  "PacketLoss:NLR=1.5 JDR=0.0",
  "QualityEst:MOSLQ=3.9",
  "DialogID:1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311",
];

function read(lines: readonly string[], end = "\r\n"): VqReport {
  const report = readVqReport(Buffer.from(lines.join(end) + end));
  if (report instanceof ParseError) throw new Error(report.code);
  return report;
}

describe("RFC 6035 §4.6 session reports", () => {
  test("B-43 who, where and whose call", () => {
    expect(read(SESSION)).toMatchObject({
      kind: "session",
      call_ended: true,
      alert: null,
      call_id: "6dg37f1890463",
      local_id: "Alice <sip:alice@example.org>",
      remote_id: "Bill <sip:bill@example.net>",
      orig_id: "Alice <sip:alice@example.org>",
      local_group: "example-phone-55671",
      remote_group: "example-gateway-09871",
      local_address: { ip: "10.10.1.100", port: 5000, ssrc: 0x1a3b5c7d },
      remote_address: { ip: "2001:db8::150", port: 5002, ssrc: 0x2468abcd },
      dialog_id: "1890463548@alice.example.org;to-tag=8472761;from-tag=9123dh311",
    });
  });

  test("B-43, MET-12 the local metrics, each a number with its unit", () => {
    expect(read(SESSION).local).toEqual({
      start: "2004-10-10T18:23:43Z",
      stop: "2004-10-01T18:26:02Z",
      payload_type: 18,
      payload_name: "G729",
      sample_rate_hz: 8000,
      jitter_buffer_nominal_ms: 40,
      jitter_buffer_max_ms: 80,
      loss_percent: 5,
      discard_percent: 2,
      burst_loss_percent: 0.5,
      burst_ms: 300,
      gap_loss_percent: 2,
      gap_ms: 500,
      g_min: 16,
      round_trip_ms: 200,
      end_system_ms: 140,
      one_way_ms: 200,
      interarrival_jitter_ms: 2,
      absolute_jitter_ms: 10,
      signal_dbm0: -21,
      noise_dbm0: -50,
      rerl_db: 55,
      r_lq: 90,
      r_cq: 85,
      external_r_in: 90,
      external_r_out: null,
      mos_lq: 4.2,
      mos_cq: 4.3,
      estimator: "P.564",
    });
  });

  test("B-43 the remote metrics do not mix with the local ones", () => {
    expect(read(SESSION).remote).toMatchObject({
      loss_percent: 1.5,
      discard_percent: 0,
      mos_lq: 3.9,
      r_lq: null,
    });
  });
});

describe("RFC 6035 §4.6 interval and alert reports", () => {
  test("B-43 an interval report is not the last word on a call", () => {
    const interval = ["VQIntervalReport", "CallID: a@b", "LocalMetrics:", "PacketLoss:NLR=1.0 JDR=0"];
    expect(read(interval)).toMatchObject({
      kind: "interval",
      call_ended: false,
      local: { loss_percent: 1 },
      remote: null,
    });
  });

  test("B-43, MET-18 an alert says which metric, how bad and which way", () => {
    const alert = [
      "VQAlertReport: Type=NLR Severity=Critical Dir=local",
      "CallID: a@b",
      "Metrics:",
      "LocalMetrics:",
    ];
    expect(read(alert)).toMatchObject({
      kind: "alert",
      alert: { type: "NLR", severity: "Critical", direction: "local" },
    });
  });
});

describe("RFC 6035 §4.6 what phones make of it", () => {
  test("LF alone, other case, blanks around the colon, unknown lines and parameters", () => {
    const bent = [
      "vqsessionreport : callterm",
      "CALLID :x",
      "X-Vendor: 1",
      "localmetrics :",
      "packetloss : nlr=3.5 foo=1",
    ];
    expect(read(bent, "\n")).toMatchObject({ call_ended: true, call_id: "x", local: { loss_percent: 3.5 } });
  });

  test("127, nonsense and values out of range are null, not numbers", () => {
    const odd = [
      "VQSessionReport",
      "LocalMetrics:",
      "PacketLoss:NLR=120 JDR=-1",
      "Signal:SL=127 NL=abc RERL=127",
      "QualityEst:RLQ=127 MOSLQ=12.7 MOSCQ=1e9 RCQ=",
      "Delay:RTD=99999999999 ESD=0x10",
      "SessionDesc:PT=300 SR=Infinity",
    ];
    expect(Object.values(read(odd).local!).filter((value) => value !== null)).toEqual([]);
  });

  test("a second header of a name does not replace the first", () => {
    expect(read(["VQSessionReport", "CallID: first", "CallID: second"]).call_id).toBe("first");
  });

  test("names of object members are nothing special", () => {
    const report = read([
      "VQSessionReport",
      "__proto__: x",
      "constructor: y",
      "LocalMetrics:",
      "PacketLoss:__proto__=1",
    ]);
    expect(report.local?.loss_percent).toBeNull();
  });
});

describe("RFC 6035 §4.6 hostile bodies", () => {
  test("no report, an empty or a too long body: an error with a name", () => {
    const code = (body: Buffer) => (readVqReport(body) as ParseError).code;
    expect(code(Buffer.from("INVITE sip:x SIP/2.0\r\n"))).toBe("vq_kind");
    expect(code(Buffer.alloc(0))).toBe("vq_kind");
    expect(code(Buffer.alloc(VQ_BYTES_MAX + 1, "VQSessionReport\n"))).toBe("vq_size");
  });

  test("lines and texts are bounded", () => {
    const long = ["VQSessionReport", `CallID: ${"x".repeat(1000)}`];
    expect(read(long).call_id).toHaveLength(VQ_TEXT_CHARS_MAX);
    const many = ["VQSessionReport", ...new Array<string>(VQ_LINES_MAX).fill("X: 1"), "CallID: late"];
    expect(read(many).call_id).toBeNull();
  });

  test("any text, and any mutation of a real report: no exception", () => {
    const lines = fc.array(fc.oneof(fc.constantFrom(...SESSION), fc.string()), { maxLength: 40 });
    fc.assert(
      fc.property(lines, fc.boolean(), (list, headed) => {
        readVqReport(Buffer.from([...(headed ? ["VQSessionReport"] : []), ...list].join("\r\n")));
      }),
    );
  });
});
