/** The configuration that is shown says everything but secrets. */
import { describe, expect, test } from "bun:test";
import { SECTIONS } from "../../src/config/facts.ts";
import { maskedUrl } from "../../src/config/masks.ts";
import { shownConfig } from "../../src/config/shown.ts";
import { configOf } from "../support/world.ts";
import { told } from "./support.ts";

const TOML = `config_version = 1
domains = ["example.test"]
[[user]]
name = "alice"
password = "planted-1"
[hep]
password = "planted-2"
[keepalive]
extra_headers = ["X-Key: planted-7"]
from = "sip:ping:planted-8@example.test"
[records]
webhook = "https://hook:planted-3@hooks.example.test/planted-5?token=planted-6"
webhook_token = "planted-4"
`;

describe("the configuration that is shown", () => {
  const config = shownConfig(configOf(TOML));
  const text = JSON.stringify(config);

  test("keys as in the file, with what counts by default", () => {
    expect(config).toMatchObject({
      domains: ["example.test"],
      registrar: { max_contacts: 10 },
      user: [{ name: "alice", password: "***" }],
      keepalive: { extra_headers: ["X-Key: ***"], from: "sip:ping:***@example.test" },
      records: { webhook: "https://***@hooks.example.test/***", webhook_token: "***" },
    });
  });

  test("no planted secret stands in it", () => {
    expect(text).not.toContain("planted");
  });

  test.each([
    ["https://billing.example.test", "https://billing.example.test/"],
    ["http://10.0.0.1:8080/calls", "http://10.0.0.1:8080/***"],
    ["https://u:p@SECRET@h.test/x", "https://***@h.test/***"],
    ["https:///u:SECRET@h.test", "https://***@h.test/"],
    ["https://h.test/?token=SECRET", "https://h.test/***"],
    ["https://h.test/#SECRET", "https://h.test/***"],
    ["https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444/***"],
    ["u:SECRET@h.test/x", "***"],
  ])("the webhook %s as %s", (url, shown) => expect(maskedUrl(url)).toBe(shown));

  test("nor in what is said of a wrong value", () => {
    const wrong = 'webhook = "htps://u:planted@h/planted"\n[keepalive]\nextra_headers = ["Via: planted"]\n';
    const said = told(`config_version = 1\n[records]\n${wrong}`).join("\n");
    expect(said).toContain("records.webhook");
    expect(said).toContain('"Via: ***"');
    expect(said).not.toContain("planted");
  });

  test("every key that the reference calls a secret is one that is starred or unset", () => {
    let secrets = 0;
    for (const { name, keys } of SECTIONS)
      for (const key of keys.filter((each) => each.secret === true)) {
        secrets++;
        const section = name === null ? config : config[name];
        for (const table of Array.isArray(section) ? section : [section])
          expect([undefined, null, "***"]).toContain((table as Record<string, string | null>)[key.name]);
      }
    expect(secrets).toBeGreaterThan(5);
  });
});
