/**
 * Proof: two appliances never share a data directory, and one whose store is deleted under it keeps what it promised.
 * A full disk and one that is read-only are in store-trouble.proof.ts, kill -9 in kill-nine.proof.ts.
 *
 *     bun test ./test/proof/faults-store.proof.ts
 */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configText, Edge, freePort, SIPEDGE } from "../support/edge.ts";
import { eventually, Program } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const TRUSTED = '[auth]\ntrusted_networks = ["127.0.0.0/8"]';
const USERS = 20;

describe("ARC-41 two processes on one data directory", () => {
  let edge: Edge;
  let dir: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "sipedge-second-"));
    edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
  });
  afterAll(async () => {
    await edge?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test("the second one, on other ports, says so and ends; the first one goes on", async () => {
    const file = join(dir, "sipedge.toml");
    writeFileSync(file, configText([EDGE], await freePort(EDGE), join(edge.dir, "data"), TRUSTED));
    const second = new Program([...SIPEDGE, "serve", "--config", file]);
    expect(await second.ended()).toBe(1);
    expect(second.output).toContain("data_dir");
    expect(second.output).toContain("in use by another sipedge");
    expect(second.output).not.toContain(" ready ");
    const phone = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
    expect(await registerOpenly(phone, "ann", edge.hostPort)).toStartWith("SIP/2.0 200 ");
    phone.close();
  });

  test("killed: the next start is not kept out by what it left behind", async () => {
    edge.program.signal("SIGKILL");
    await edge.program.ended();
    await edge.again();
    expect((await edge.get<{ ready: boolean }>("/v1/status")).ready).toBe(true);
  });
});

describe("ARC-41 the store deleted under us", () => {
  let edge: Edge;
  let ann: UdpPhone;
  let ben: UdpPhone;
  const users = Array.from({ length: USERS }, (_, i) => `user${i}`);

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
    ann = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
    ben = await UdpPhone.open("127.0.0.82", [EDGE, edge.port]);
  });
  beforeEach(async () => {
    for (const user of [...users, "ben"])
      expect(await registerOpenly(ben, user, edge.hostPort)).toStartWith("SIP/2.0 200 ");
  });
  afterAll(async () => {
    ann?.close();
    ben?.close();
    await edge?.stop();
  });

  /** Registers until it is accepted; says how often it was refused before. */
  async function accepted(user: string): Promise<number> {
    let refused = 0;
    await eventually("a registration to be accepted", async () => {
      const answer = await registerOpenly(ann, user, edge.hostPort);
      if (answer.startsWith("SIP/2.0 200 ")) return true;
      expect(answer).toStartWith("SIP/2.0 503 ");
      refused++;
      return false;
    });
    return refused;
  }

  async function everybodyIsThere(): Promise<void> {
    edge.program.signal("SIGKILL");
    await edge.program.ended();
    await edge.again();
    type Page = { registrations: { aor: string }[] };
    const { registrations } = await edge.get<Page>("/v1/registrations?limit=1000");
    const held = new Set(registrations.map(({ aor }) => aor.split("@", 1)[0]));
    for (const user of [...users, "ben", "late"]) expect(held).toContain(user);
    await wholeCall(ann, ben, "ben", edge.hostPort);
  }

  const deletions: readonly (readonly [string, (data: string) => void])[] = [
    [
      "its files",
      (data) => {
        for (const file of readdirSync(data)) if (file.startsWith("sipedge.db")) rmSync(join(data, file));
      },
    ],
    ["the whole folder", (data) => rmSync(data, { recursive: true })],
  ];
  test.each(deletions)("%s: calls go on, a new file holds all that was promised", async (_, remove) => {
    // The file is looked at once a second: the registrations before must lie further back.
    await Bun.sleep(1100);
    remove(join(edge.dir, "data"));
    await wholeCall(ann, ben, "ben", edge.hostPort);
    const refused = await accepted("late");
    process.stderr.write(`refused ${refused} times before there was a new file\n`);
    await everybodyIsThere();
  });
});
