/** What Prometheus' own tool says of the metrics of a running appliance, and of the alerts that docs/operate.md proposes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge } from "../support/edge.ts";
import { missing, Program } from "../support/process.ts";
import { registerOpenly, wholeCall } from "../support/udp-call.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

const EDGE = "127.0.0.48";
const PAGE = join(import.meta.dir, "../../docs/operate.md");
/** The first cell of a row of the table of alerts. */
const ALERT = /^\| `([^`]*sipedge_[^`]*)` \|/gm;

async function promtool(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const program = new Program(["promtool", ...args]);
  const code = await program.ended();
  return { code, output: program.output };
}

describe.skipIf(missing("metrics as Prometheus reads them", "promtool"))("interop: Prometheus", () => {
  const dir = mkdtempSync(join(tmpdir(), "sipedge-prometheus-"));
  let edge: Edge;

  beforeAll(async () => {
    edge = await Edge.start({ addresses: [EDGE], toml: '[auth]\ntrusted_networks = ["127.0.0.0/8"]\n' });
  });
  afterAll(async () => {
    await edge?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  test("ARC-46 after a registration, a call and a refusal, /metrics has nothing that promtool complains about", async () => {
    const phone = await UdpPhone.open("127.0.0.49", [EDGE, edge.port]);
    try {
      expect(await registerOpenly(phone, "ben", edge.hostPort)).toStartWith("SIP/2.0 200 ");
      await wholeCall(phone, phone, "ben", edge.hostPort);
      const nobody = `sip:nobody@${edge.hostPort}`;
      expect(await phone.ask(phone.request("OPTIONS", nobody, nobody, []))).toStartWith("SIP/2.0 404 ");
    } finally {
      phone.close();
    }
    const response = await fetch(`${edge.api}/metrics`, { signal: AbortSignal.timeout(5000) });
    const text = await response.text();
    expect(text).toContain("sipedge_calls_answered_total 1\n");
    const check = new Program(["promtool", "check", "metrics"], { stdin: text });
    expect({ code: await check.ended(), output: check.output }).toEqual({ code: 0, output: "" });
  });

  test("ARC-46 each alert of docs/operate.md is PromQL", async () => {
    const alerts = [...readFileSync(PAGE, "utf8").matchAll(ALERT)].map(([, expression = ""]) => expression);
    expect(alerts.length).toBeGreaterThan(10);
    const rules = alerts.map((expr, i) => ({ alert: `Alert${i}`, expr }));
    const file = join(dir, "rules.json"); // JSON is YAML
    writeFileSync(file, JSON.stringify({ groups: [{ name: "sipedge", rules }] }));
    const { code, output } = await promtool("check", "rules", file);
    expect(output).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(code).toBe(0);
    writeFileSync(file, JSON.stringify({ groups: [{ name: "x", rules: [{ alert: "A", expr: "rate(" }] }] }));
    expect((await promtool("check", "rules", file)).code).not.toBe(0);
  });
});
