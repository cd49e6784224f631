/**
 * The media of two baresip phones passes through the appliance: they hear each other's tone, and how well they do is
 * shown while they talk and kept when they are done.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import { accounts, hearsTones, Phones, talk } from "./phones.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const FIRST_HOST = 141;

interface Stream {
  readonly from: string;
  readonly codec: string;
  readonly packets: number;
  readonly round_trip_ms: number | null;
  readonly mos_lqe: number | null;
}
interface Calls {
  readonly calls: readonly { readonly media: readonly Stream[] | null }[];
}
interface Records {
  readonly records: readonly {
    readonly media: readonly Stream[] | null;
    readonly duration_s: number | null;
  }[];
}

describe.skipIf(missing("media through the appliance", "baresip", "sox"))(
  "media through the appliance",
  () => {
    let edge: Edge;
    let phones: Phones;

    beforeAll(async () => {
      edge = await Edge.start({
        addresses: [EDGE],
        toml: `[media]\nrelay = "always"\naccept_from = "anywhere"\nport_min = 31000\nport_max = 31399\n${accounts("mia", "max")}`,
      });
      phones = new Phones(edge, FIRST_HOST);
    });
    afterAll(async () => {
      await phones?.stop();
      if (edge !== undefined) expect(await edge.stop()).toBe(0);
    });

    test("FLOW-19, MET-17, B-45: each hears the other, and the call, its record and the metrics tell of it", async () => {
      const [mia, max] = [await phones.add("mia"), await phones.add("max")];
      mia.dial(`sip:max@${edge.hostPort}`);
      await hearsTones(mia, max);
      const { calls } = await edge.get<Calls>("/v1/calls");
      expect(calls[0]!.media!.map(({ from, codec }) => [from, codec])).toEqual([
        ["caller", "pcmu"],
        ["callee", "pcmu"],
      ]);
      await talk(mia, max);
      const [record] = await eventually("the record", async () => {
        const { records } = await edge.get<Records>("/v1/records");
        return records.length > 0 && records;
      });
      for (const { packets, mos_lqe } of record!.media!) {
        expect(packets).toBeGreaterThan(50);
        expect(mos_lqe).toBeGreaterThan(3.5);
      }
      for (const phone of [mia, max]) {
        const sdp = phone
          .received(/^(INVITE|SIP\/2\.0 200)/)
          .find((message) => message.includes("\nc=IN IP4"));
        expect(sdp).toContain(`c=IN IP4 ${EDGE}\n`);
        expect(sdp).toMatch(/\nm=audio 31\d\d\d /);
      }
    });
  },
);
