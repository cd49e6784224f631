/**
 * Two baresip phones that register with passwords and talk: each must hear the other's tone.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { Edge } from "../support/edge.ts";
import { missing } from "../support/process.ts";
import type { BaresipOptions } from "./baresip.ts";
import { Baresip } from "./baresip.ts";
import { talk } from "./phones.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";

const absent = missing("two phones that talk", "baresip", "sox");

describe.skipIf(absent)("interop: two baresip phones talk", () => {
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE] });
    const names = ["ann-udp", "ben-udp", "ann-tcp", "ben-tcp"];
    await Promise.all(names.map((name) => edge.addUser(name, `secret-of-${name}`)));
  });
  afterAll(async () => {
    if (edge !== undefined) expect(await edge.stop()).toBe(0);
  });

  function phone(options: Pick<BaresipOptions, "name" | "transport" | "address" | "tone_hz" | "rtp_port">) {
    return Baresip.start({ registrar: edge.hostPort, password: `secret-of-${options.name}`, ...options });
  }

  async function call(
    transport: "udp" | "tcp",
    rtp_port: number,
    hangsUp: "caller" | "callee",
  ): Promise<void> {
    const place = { transport, rtp_port };
    const ann = await phone({ name: `ann-${transport}`, address: "127.0.0.51", tone_hz: 440, ...place });
    const ben = await phone({ name: `ben-${transport}`, address: "127.0.0.52", tone_hz: 1000, ...place });
    try {
      ann.dial(`sip:ben-${transport}@${edge.hostPort};transport=${transport}`);
      await (hangsUp === "caller" ? talk(ann, ben) : talk(ben, ann));
    } finally {
      await Promise.all([ann.stop(), ben.stop()]);
    }
  }

  test.concurrent("FLOW-19 (signalling) over UDP; the caller hangs up", () => call("udp", 21000, "caller"));
  test.concurrent("FLOW-19 (signalling) over TCP; the callee hangs up", () => call("tcp", 21100, "callee"));
});
