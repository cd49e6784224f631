/** B-43, RFC 6035: phones report what they heard to the appliance itself. */
import { describe, expect, test } from "bun:test";
import { REPORTS_MAX } from "../../src/app/quality-reports.ts";
import { H } from "../../src/message/header-names.ts";
import { credentials } from "../auth/credentials.ts";
import { lab, Phone } from "../proxy/kit.ts";
import { World } from "../support/world.ts";

const REPORT = [
  "VQSessionReport: CallTerm",
  "CallID: c1@phone",
  "LocalID: <sip:alice@example.test>",
  "LocalMetrics:",
  "PacketLoss:NLR=5.0 JDR=2.0",
  "QualityEst:MOSLQ=3.2 MOSCQ=3.1",
  "",
].join("\r\n");
const HEADERS = ["Event: vq-rtcpxr", "Content-Type: application/vq-rtcpxr"];
const HERE = "sip:example.test";

function publish(phone: Phone, headers: readonly string[] = HEADERS, body = REPORT, cseq = 1) {
  phone.request("PUBLISH", HERE, { headers, body, cseq, callId: `p${cseq}` });
  return phone.last();
}

describe("RFC 6035 §4.1 PUBLISH with a voice quality report", () => {
  test("B-43 from a phone that is trusted: 200 with SIP-ETag (RFC 3903 §6), kept and counted", () => {
    const world = lab();
    const answer = publish(new Phone(world, "alice", "198.51.100.7"));
    expect(answer.status).toBe(200);
    expect(answer.bytes.toString("latin1")).toMatch(/\r\nSIP-ETag: \S+\r\n/);
    expect(world.core.qualityReports.newest(10)).toMatchObject([
      {
        user: null,
        source: "198.51.100.7",
        report: { call_id: "c1@phone", local: { loss_percent: 5, mos_lq: 3.2 } },
      },
    ]);
    expect(world.counter("sipedge_quality_reports_total", { kind: "session" })).toBe(1);
  });

  test("from a stranger: 401, and nothing is kept; with the password of an account: 200", () => {
    const world = new World();
    world.account("alice", "secret");
    const alice = new Phone(world, "alice", "203.0.113.7");
    const challenge = publish(alice);
    expect(challenge.status).toBe(401);
    expect(world.core.qualityReports.newest(10)).toEqual([]);
    const asked = challenge.text(H.WwwAuthenticate) ?? "";
    const proof = credentials(asked, { password: "secret", method: "PUBLISH", uri: HERE });
    expect(publish(alice, [...HEADERS, `Authorization: ${proof}`], REPORT, 2).status).toBe(200);
    expect(world.core.qualityReports.newest(10)[0]?.user).toBe("alice");
  });

  for (const [name, headers, body, status] of [
    ["another event", ["Event: presence", HEADERS[1]!], REPORT, 489],
    ["no event", [HEADERS[1]!], REPORT, 489],
    ["another body", [HEADERS[0]!, "Content-Type: application/sdp"], REPORT, 415],
    ["a body that is no report", HEADERS, "hello\r\n", 400],
    ["no body", HEADERS, "", 400],
  ] as const)
    test(`${name}: ${status}`, () => {
      const world = lab();
      expect(publish(new Phone(world, "alice", "198.51.100.7"), headers, body).status).toBe(status);
      expect(world.core.qualityReports.newest(10)).toEqual([]);
    });

  test(`no more than ${REPORTS_MAX} are kept, the newest`, () => {
    const world = lab();
    const alice = new Phone(world, "alice", "198.51.100.7");
    for (let n = 1; n <= REPORTS_MAX + 5; n++)
      publish(alice, HEADERS, REPORT.replace("c1@phone", `c${n}@phone`), n);
    const kept = world.core.qualityReports.newest(2 * REPORTS_MAX);
    expect(kept).toHaveLength(REPORTS_MAX);
    expect(kept[0]?.report.call_id).toBe(`c${REPORTS_MAX + 5}@phone`);
  });
});
