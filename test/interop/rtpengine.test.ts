/** ARC-18: the media of two baresip phones passes through Debian's rtpengine; then one of two rtpengines dies. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { eventually, missing } from "../support/process.ts";
import type { Baresip } from "./baresip.ts";
import { accounts, hearsTones, Phones, talk } from "./phones.ts";
import { Rtpengine } from "./rtpengines.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.3";
const FIRST_HOST = 161;
const ENGINES = ["127.0.0.4", "127.0.0.5"] as const;

interface Stream {
  readonly from: string;
  readonly packets: number;
  readonly codec: string;
}
interface Calls {
  readonly calls: readonly { readonly media: readonly Stream[] | null }[];
}
interface Records {
  readonly records: readonly { readonly media: readonly Stream[] | null }[];
}
interface Status {
  readonly rtpengines: readonly { readonly instance: string; readonly up: boolean; readonly calls: number }[];
}

describe.skipIf(missing("media through rtpengine", "baresip", "sox", "rtpengine"))(
  "ARC-18 media through Debian's rtpengine",
  () => {
    const engines: Rtpengine[] = [];
    let edge: Edge;
    let phones: Phones;
    let mia: Baresip;
    let max: Baresip;

    beforeAll(async () => {
      engines.push(await Rtpengine.start(ENGINES[0], 32_000, 32_199));
      engines.push(await Rtpengine.start(ENGINES[1], 32_200, 32_399));
      const [first, standby] = engines as [Rtpengine, Rtpengine];
      edge = await Edge.start({
        addresses: [EDGE],
        toml:
          `[media]\nrelay = "always"\nengine = "rtpengine"\nrtpengine_ping_s = 1\nrtpengine_transcode = ["PCMA"]\n` +
          `${first.toml(1)}${standby.toml(0)}${accounts("mia", "max", "pam")}` +
          `${accounts("sam")}media_profile = "srtp"\n${accounts("web")}media_profile = "webrtc"\n`,
      });
      phones = new Phones(edge, FIRST_HOST);
      [mia, max] = [await phones.add("mia"), await phones.add("max")];
    });
    afterAll(async () => {
      await phones?.stop();
      if (edge !== undefined) expect(await edge.stop()).toBe(0);
      await Promise.all(engines.map((engine) => engine.stop()));
    });

    /** Whom the phones were told to send to. */
    const toldOf = (phone: Baresip) =>
      phone.received(/^(INVITE|SIP\/2\.0 200)/).find((message) => message.includes("\nc=IN IP4"));
    const state = async () => (await edge.get<Status>("/v1/status")).rtpengines;

    test("each hears the other, by the first; the call and its record show the packets of both ways", async () => {
      mia.dial(`sip:max@${edge.hostPort}`);
      await hearsTones(mia, max);
      for (const phone of [mia, max]) {
        expect(toldOf(phone)).toContain(`\nc=IN IP4 ${ENGINES[0]}\n`);
        expect(toldOf(phone)).toMatch(/\nm=audio 32[01]\d\d /);
      }
      expect((await state())[0]).toMatchObject({ up: true, calls: 1 });
      const { calls: running } = await edge.get<{ calls: { rtpengine: string }[] }>("/v1/calls");
      expect(running[0]!.rtpengine).toBe(`${ENGINES[0]}:${engines[0]!.port}`);
      const shown = await eventually("packets in /v1/calls", async () => {
        const media = (await edge.get<Calls>("/v1/calls")).calls[0]?.media ?? [];
        return media.length === 2 && media.every(({ packets }) => packets > 50) && media;
      });
      const before_s = mia.heard_s;
      await eventually("half a second more", () => mia.heard_s > before_s + 0.5);
      await talk(mia, max);
      const [record] = await eventually("the record", async () => {
        const { records } = await edge.get<Records>("/v1/records");
        return records.length > 0 && records;
      });
      expect(record!.media!.map(({ from }) => from).toSorted()).toEqual(["callee", "caller"]);
      for (const [index, { packets, codec }] of record!.media!.entries()) {
        expect(packets).toBeGreaterThan(shown[index]!.packets); // as of its end, not of when somebody looked
        expect(codec).toBe("pcmu");
      }
      expect((await state())[0]!.calls).toBe(0);
    });

    test("the first has died: the next call uses the other, and both hear each other", async () => {
      engines[0]!.program.signal("SIGKILL");
      await engines[0]!.program.ended();
      phones.forget();
      max.dial(`sip:mia@${edge.hostPort}`);
      await hearsTones(max, mia);
      for (const phone of [mia, max]) expect(toldOf(phone)).toContain(`\nc=IN IP4 ${ENGINES[1]}\n`);
      await talk(max, mia);
      const [first, standby] = await state();
      expect([first!.up, standby!.up]).toEqual([false, true]);
      await edge.program.says(/rtpengine-lost/);
    });

    test("ARC-18 SRTP with keys in the description towards one, plain RTP towards the other", async () => {
      phones.forget();
      const sam = await phones.add("sam", { media: "srtp-mand" });
      sam.dial(`sip:max@${edge.hostPort}`);
      await hearsTones(sam, max);
      expect(max.received(/^INVITE/)[0]).toMatch(/\nm=audio \d+ RTP\/AVP /);
      expect(sam.sent(/^INVITE/)[0]).toContain(" RTP/SAVP ");
      await talk(sam, max);
    });

    test("NAT-23 DTLS-SRTP with ICE towards one, plain RTP towards the other, whoever calls", async () => {
      phones.forget();
      const web = await phones.add("web", { media: "dtls_srtp" });
      web.dial(`sip:max@${edge.hostPort}`);
      await hearsTones(web, max);
      const plain = max.received(/^INVITE/)[0]!;
      expect(plain).toMatch(/\nm=audio \d+ RTP\/AVP /);
      expect(plain).not.toMatch(/fingerprint|candidate/);
      await talk(web, max);
      phones.forget();
      max.dial(`sip:web@${edge.hostPort}`);
      await hearsTones(max, web);
      expect(web.received(/^INVITE/)[0]).toMatch(/\nm=audio \d+ UDP\/TLS\/RTP\/SAVPF [\s\S]*a=fingerprint:/);
      await talk(max, web);
    });

    test("CNV-09 no codec in common: it transcodes", async () => {
      phones.forget();
      const pam = await phones.add("pam", { codec: "pcma" });
      await mia.dial(`sip:pam@${edge.hostPort}`);
      await hearsTones(mia, pam);
      expect(pam.sent(/^SIP\/2\.0 200/).join("")).toMatch(/\nm=audio \d+ RTP\/AVP 8\b/);
      expect(mia.received(/^SIP\/2\.0 200/).join("")).toMatch(/\nm=audio \d+ RTP\/AVP 0\b/);
      await talk(mia, pam);
    });

    test("hold and resume pass: a re-INVITE each way", async () => {
      phones.forget();
      mia.dial(`sip:max@${edge.hostPort}`);
      await hearsTones(mia, max);
      mia.command("hold");
      await eventually("the re-INVITE", () =>
        max.received(/^INVITE/).some((sdp) => sdp.includes("a=sendonly")),
      );
      mia.command("resume");
      await eventually("it is taken back", () => /a=sendrecv/.test(max.received(/^INVITE/).at(-1) ?? ""));
      await talk(mia, max);
    });
  },
);
