/** A trace as tshark reads it. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChunkStore } from "../../src/trace/chunk-store.ts";
import { pcapOf } from "../../src/trace/pcap.ts";
import type { Ends } from "../../src/trace/trace.ts";
import { Trace } from "../../src/trace/trace.ts";

const BEGAN_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const V4: Ends = {
  transport: "udp",
  local: { address: "192.0.2.1", port: 5060 },
  remoteAddress: "198.51.100.7",
  remotePort: 5062,
};
const V6: Ends = {
  transport: "tcp",
  local: { address: "2001:db8::1", port: 5060 },
  remoteAddress: "2001:db8:0:7::8",
  remotePort: 40_000,
};
const options = Buffer.from(
  'OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nAuthorization: Digest response="aabb"\r\nCall-ID: c\r\n\r\n',
);

function traceOf(): Trace {
  const trace = new Trace(new ChunkStore(10_000), {
    ...{ id: "t", call_id: "c", method: "INVITE", began_ms: BEGAN_MS, began_at: 1000 },
  });
  trace.message(1000, "received", V4, options);
  trace.note(1000.5, "no packet");
  trace.message(1250.25, "sent", V6, Buffer.from("SIP/2.0 200 OK\r\nCall-ID: c\r\n\r\n"));
  trace.message(1300, "unsent", V4, options);
  return trace;
}

const hasTshark = Bun.which("tshark") !== null;

describe.skipIf(!hasTshark)("tshark reads the capture file", () => {
  test("addresses, ports, times and SIP of both families, and nothing that did not travel", () => {
    const dir = mkdtempSync(join(tmpdir(), "sipedge-pcap-"));
    try {
      const file = join(dir, "t.pcap");
      writeFileSync(file, pcapOf(traceOf()));
      const fields = ["frame.time_epoch", "ip.src", "ipv6.src", "ipv6.dst", "udp.srcport", "udp.dstport"];
      const { stdout } = Bun.spawnSync([
        "tshark",
        "-r",
        file,
        "-o",
        "udp.check_checksum:TRUE",
        "-d",
        "udp.port==5060,sip",
        "-T",
        "fields",
        "-E",
        "separator=|",
        ...[...fields, "sip.Method", "sip.Status-Code", "sip.Call-ID", "udp.checksum.status"].flatMap(
          (name) => ["-e", name],
        ),
      ]);
      const rows = stdout
        .toString()
        .trim()
        .split("\n")
        .map((row) => row.split("|"));
      expect(rows).toHaveLength(2);
      expect(Number(rows[0]![0])).toBeCloseTo(BEGAN_MS / 1000, 4);
      expect(Number(rows[1]![0])).toBeCloseTo(BEGAN_MS / 1000 + 0.25025, 4);
      expect(rows[0]!.slice(1, 9)).toEqual(["198.51.100.7", "", "", "5062", "5060", "OPTIONS", "", "c"]);
      expect(rows[1]!.slice(1, 9)).toEqual([
        "",
        "2001:db8::1",
        "2001:db8:0:7::8",
        "5060",
        "40000",
        "",
        "200",
        "c",
      ]);
      expect(rows[1]![9]).toBe("1"); // good
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test("what is secret is stars here, too", () => {
  expect(pcapOf(traceOf()).latin1Slice()).not.toContain("aabb");
});
