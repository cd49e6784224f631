/**
 * Proof: a disk that fills up costs new registrations and nothing else, and mends by itself; a disk that
 * turned read-only stops a start with a sentence. Needs root, to mount a small tmpfs.
 *
 *     bun test ./test/proof/store-trouble.proof.ts
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.2";
const TRUSTED = '[auth]\ntrusted_networks = ["127.0.0.0/8"]';
const DISK_BYTES = 4 * 1024 * 1024;
const REGISTRATIONS_MAX = 5000;

interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

const disk = mkdtempSync(join(tmpdir(), "sipedge-disk-"));
const ballast = join(disk, "ballast");

function mount(...args: string[]): boolean {
  return spawnSync("mount", args).status === 0;
}

const mounted = mount("-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "sipedge-proof", disk);
if (!mounted) process.stderr.write("skipped: a disk that fills up (cannot mount a tmpfs: not root?)\n");

/** Takes every byte that is left. */
function fillDisk(): void {
  for (let size = DISK_BYTES; size >= 512; size /= 2) {
    try {
      writeFileSync(ballast, Buffer.alloc(size, 1), { flag: "a" });
    } catch {
      // Too much: try half of it.
    }
  }
}

describe.skipIf(!mounted)("a small disk", () => {
  let edge: Edge;
  let ann: UdpPhone;
  let ben: UdpPhone;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED, data_dir: join(disk, "data") });
    ann = await UdpPhone.open("127.0.0.81", [EDGE, edge.port]);
    ben = await UdpPhone.open("127.0.0.82", [EDGE, edge.port]);
  });
  afterAll(async () => {
    ann?.close();
    ben?.close();
    await edge?.stop();
    spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true, force: true });
  });

  function register(phone: UdpPhone, user: string): Promise<string> {
    const aor = `sip:${user}@${edge.hostPort}`;
    const contact = [`Contact: <sip:${user}@${phone.address}:${phone.port}>`, "Expires: 600"];
    return phone.ask(phone.request("REGISTER", aor, aor, contact));
  }

  /** A call from ann to ben, from INVITE to BYE. */
  async function call(): Promise<void> {
    ann.forget();
    ben.forget();
    const contact = [`Contact: <sip:ann@${ann.address}:${ann.port}>`];
    const invite = ann.request("INVITE", `sip:ben@${edge.hostPort}`, `sip:ann@${edge.hostPort}`, contact);
    ann.send(...invite);
    ben.answer(await ben.got(/^INVITE /), "200 OK", [`Contact: <sip:ben@${ben.address}:${ben.port}>`]);
    const answer = await ann.got(/^SIP\/2\.0 200 /);
    const inside = (method: string, cseq: number) => [
      `${method} sip:ben@${ben.address}:${ben.port} SIP/2.0`,
      invite[1]!.replace("z9hG4bK", `z9hG4bK${method}`),
      `Route: ${/^Record-Route: (.*)\r$/im.exec(answer)![1]}`,
      ...invite.filter((line) => /^(Max-Forwards|From|Call-ID|Content-Length):/.test(line)),
      /^To: .*$/im.exec(answer)![0].trim(),
      `CSeq: ${cseq} ${method}`,
    ];
    ann.send(...inside("ACK", 1));
    await ben.got(/^ACK /);
    const bye = ann.ask(inside("BYE", 2));
    ben.answer(await ben.got(/^BYE /), "200 OK");
    expect(await bye).toStartWith("SIP/2.0 200 ");
  }

  test("full: registrations get 503 with Retry-After, calls go on, /readyz says why", async () => {
    expect(await register(ann, "ann")).toStartWith("SIP/2.0 200 ");
    expect(await register(ben, "ben")).toStartWith("SIP/2.0 200 ");
    await call();
    fillDisk();
    let refused = "";
    let accepted = 0;
    while (refused === "" && accepted < REGISTRATIONS_MAX) {
      const answer = await register(ann, `phone${accepted}`);
      if (answer.startsWith("SIP/2.0 200 ")) accepted++;
      else refused = answer;
    }
    process.stderr.write(`full after ${accepted} more registrations: ${refused.split("\r\n", 1)[0]}\n`);
    expect(refused).toStartWith("SIP/2.0 503 ");
    expect(refused).toMatch(/^Retry-After: \d+/m);
    await call();
    const response = await fetch(`${edge.api}/readyz`);
    expect(response.status).toBe(503);
    const readiness = (await response.json()) as Readiness;
    expect(readiness.ready).toBe(false);
    expect(readiness.reasons.join("\n")).toMatch(/store|full/);
    process.stderr.write(`/readyz: ${readiness.reasons.join("; ")}\n`);
  });

  test("freed: it mends by itself", async () => {
    rmSync(ballast);
    await eventually("/readyz to be ready", async () => (await fetch(`${edge.api}/readyz`)).ok, 30_000);
    expect(await register(ann, "late")).toStartWith("SIP/2.0 200 ");
    await call();
  });

  test("read-only: a start fails with a sentence; writable again: everybody is still there", async () => {
    type Page = { registrations: unknown[] };
    const held = async () => (await edge.get<Page>("/v1/registrations?limit=1000")).registrations.length;
    const before = await held();
    edge.program.signal("SIGTERM");
    expect(await edge.program.ended()).toBe(0);
    expect(mount("-o", "remount,ro", disk)).toBe(true);
    const failed = await edge.again().catch((error: Error) => error);
    expect(String(failed)).toContain("data_dir");
    expect(await edge.program.ended()).toBe(1);
    expect(mount("-o", "remount,rw", disk)).toBe(true);
    await edge.again();
    expect(await held()).toBe(before);
    await call();
  });
});
