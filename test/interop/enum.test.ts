/** The appliance as a process with dnsmasq: a tel: URI, looked up by ENUM, reaches the server its records name. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";

setDefaultTimeout(60_000);

describe.skipIf(missing("ENUM against dnsmasq", "dnsmasq"))("interop: DNS-13 ENUM", () => {
  test("DNS-13 tel:+49-30-123 becomes the SIP URI of its NAPTR record, after one query", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sipedge-enum-"));
    const port = await freePort("127.0.0.1");
    const gateway = await UdpPhone.open("127.0.0.1", ["127.0.0.1", 1]);
    const record = `3.2.1.0.3.9.4.e164.test,10,10,u,E2U+sip,!^\\+49(.*)$!sip:\\1@127.0.0.1:${gateway.port}!`;
    writeFileSync(join(folder, "dnsmasq.conf"), `naptr-record=${record}\n`);
    const server = new Program([
      ...[
        "dnsmasq",
        "--keep-in-foreground",
        "--log-facility=-",
        "--log-queries",
        "--no-resolv",
        "--no-hosts",
      ],
      ...["--local=/test/", "--bind-interfaces", "--listen-address=127.0.0.1", `--port=${port}`],
      ...[
        `--conf-file=${join(folder, "dnsmasq.conf")}`,
        "--pid-file",
        `--user=${process.env.USER ?? "root"}`,
      ],
    ]);
    let edge: Edge | null = null;
    try {
      await server.says(/started/);
      edge = await Edge.start({
        toml: `[auth]\ntrusted_networks = ["127.0.0.0/8"]\n[dns]\nservers = ["127.0.0.1:${port}"]\nenum_suffix = "e164.test"\n`,
      });
      const alice = await UdpPhone.open("127.0.0.1", ["127.0.0.1", edge.port]);
      const from = `sip:alice@127.0.0.1`;
      alice.send(...alice.request("MESSAGE", "tel:+49-30-123", from));
      const came = () => gateway.received.find((text) => text.startsWith("MESSAGE"));
      await eventually("the request at the server of the record", () => came() !== undefined);
      expect(came()).toStartWith(`MESSAGE sip:30123@127.0.0.1:${gateway.port} SIP/2.0\r\n`);
      await eventually("the query in the log", () => /query\[/.test(server.output));
      expect(server.output.toLowerCase().match(/query\[\w+\] \S+/g)).toEqual([
        "query[naptr] 3.2.1.0.3.9.4.e164.test",
      ]);
      alice.close();
    } finally {
      await edge?.stop();
      await server.stop();
      gateway.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
