/** The configuration that is shown says everything but secrets. */
import { describe, expect, test } from "bun:test";
import { SECTIONS } from "../../src/config/facts.ts";
import { shownConfig } from "../../src/config/shown.ts";
import { configOf } from "../support/world.ts";

const TOML = `config_version = 1
domains = ["example.test"]
[[user]]
name = "alice"
password = "planted-1"
[hep]
password = "planted-2"
[records]
webhook = "https://hook:planted-3@hooks.example.test/calls"
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
      records: { webhook: "https://***@hooks.example.test/calls", webhook_token: "***" },
    });
  });

  test("no planted secret stands in it", () => {
    expect(text).not.toContain("planted");
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
