import { expect, test } from "bun:test";
import { SystemResolver } from "../../src/dns/system-resolver.ts";

test("/etc/hosts counts: localhost is a loopback address, without any name server", async () => {
  const addresses = await new SystemResolver().addresses("localhost");
  expect(addresses.length).toBeGreaterThan(0);
  for (const address of addresses) expect(["127.0.0.1", "::1"]).toContain(address);
});
