/** Copies for a capture server as Kamailio's sipcapture reads them. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { listening } from "./sipp.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.46";
const SERVER = "127.0.0.47";
const CONFIG = join(import.meta.dir, "kamailio", "hep.cfg");
const PACKET = /HEP (version=[\s\S]*?) payload=([\s\S]*?)END/g;

/** What one packet says, chunk by chunk. */
interface Packet {
  readonly chunks: Readonly<Record<string, string>>;
  readonly payload: string;
}

function packetsIn(output: string): Packet[] {
  return [...output.matchAll(PACKET)].map(([, chunks = "", payload = ""]) => ({
    chunks: Object.fromEntries(chunks.split(" ").map((each) => each.split("=", 2) as [string, string])),
    payload,
  }));
}

describe.skipIf(missing("HEP as Kamailio reads it", "kamailio"))(
  "interop: HEP by Kamailio's sipcapture",
  () => {
    test("ARC-29, B-37: every message of a registration and a call, with ends, time, id, password and Call-ID", async () => {
      const dir = mkdtempSync(join(tmpdir(), "sipedge-hep-"));
      const port = await freePort(SERVER);
      const place = ["-l", `udp:${SERVER}:${port}`, "-Y", dir, "-P", join(dir, "pid"), "-w", dir];
      const server = new Program(["kamailio", "-f", CONFIG, "-DD", "-E", "-m", "32", "-M", "4", ...place]);
      let edge: Edge | null = null;
      const phones: UdpPhone[] = [];
      try {
        await listening("udp", port);
        writeFileSync(join(dir, "password"), "s3sam\n");
        edge = await Edge.start({
          addresses: [EDGE],
          toml:
            `[hep]\ntarget = "${SERVER}:${port}"\ncapture_id = 77\npassword = "file:${join(dir, "password")}"\n` +
            `[auth]\ntrusted_networks = ["127.0.0.82"]\n[[user]]\nname = "ann"\npassword = "wonder"\n`,
        });
        const [ann, ben] = [
          await UdpPhone.open("127.0.0.81", [EDGE, edge.port]),
          await UdpPhone.open("127.0.0.82", [EDGE, edge.port]),
        ];
        phones.push(ann, ben);
        expect(await ann.register("ann", "wonder", EDGE)).toStartWith("SIP/2.0 200 ");
        expect(await registerOpenly(ben, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");
        await wholeCall(ben, ben, "ben", edge.hostPort);
        const seen = await eventually("the end of the call to be copied", () => {
          const packets = packetsIn(server.output);
          const byes = packets.filter(({ payload }) => /^CSeq: 2 BYE/m.test(payload));
          return byes.length >= 4 ? packets : null;
        });

        for (const { chunks } of seen)
          expect(chunks).toMatchObject({
            version: "3",
            family: "2",
            protocol: "17",
            type: "1",
            id: "77",
            key: "s3sam",
          });
        const between = ({ chunks: { source, sourceport, destination, destinationport } }: Packet) =>
          `${source}:${sourceport} > ${destination}:${destinationport}`;
        const here = edge.hostPort;
        const registers = seen.filter(({ payload }) => /^From: <sip:ann@/m.test(payload));
        expect(
          registers.map((packet) => `${between(packet)} ${packet.payload.split(" ", 2).join(" ")}`),
        ).toEqual([
          `127.0.0.81:${ann.port} > ${here} REGISTER sip:${EDGE}`,
          `${here} > 127.0.0.81:${ann.port} SIP/2.0 401`,
          `127.0.0.81:${ann.port} > ${here} REGISTER sip:${EDGE}`,
          `${here} > 127.0.0.81:${ann.port} SIP/2.0 200`,
        ]);
        const proof = /response="([^"]*)"/.exec(registers[2]!.payload)![1]!;
        expect(proof).toMatch(/^\*{32}$/);
        for (const { chunks, payload } of seen)
          expect(chunks.correlation).toBe(/^Call-ID: (.*?)\r?$/m.exec(payload)![1]!);
        const times = seen.map(({ chunks }) => Number(chunks.seconds) * 1e6 + Number(chunks.microseconds));
        expect(times).toEqual(times.toSorted((a, b) => a - b));
        expect(Math.abs(times[0]! / 1e6 - Date.now() / 1000)).toBeLessThan(3600);
        const metrics = await (await fetch(`${edge.api}/metrics`)).text();
        expect(Number(/^sipedge_hep_packets_total (\d+)/m.exec(metrics)![1])).toBeGreaterThanOrEqual(
          seen.length,
        );
      } finally {
        for (const phone of phones) phone.close();
        if (edge !== null) expect(await edge.stop()).toBe(0);
        await server.stop();
        rmSync(dir, { recursive: true, force: true });
      }
    });
  },
);
