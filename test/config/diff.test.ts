import { describe, expect, test } from "bun:test";
import { diffConfig, needsRestart } from "../../src/config/diff.ts";
import { RESTART_KEYS } from "../../src/config/facts.ts";
import { configOf } from "./support.ts";

const changed = (old: string, next: string) => diffConfig(configOf(old), configOf(next));

describe("what changed", () => {
  test("nothing between equal files", () => {
    const toml = '[[user]]\nname = "a"\npassword = "x"\n[log]\nlevel = "warn"';
    expect(changed(toml, toml)).toEqual([]);
    expect(changed("", "[registrar]\nmin_expires_s = 60")).toEqual([]);
  });

  test("values, lists, keys that came or went", () => {
    const old = '[http]\nport = 8081\n[auth]\ntrusted_networks = ["10.0.0.0/8"]';
    const next =
      'domains = ["a.test"]\n[http]\ntoken = "t"\n[auth]\ntrusted_networks = ["10.0.0.0/8", "::1"]';
    expect(changed(old, next)).toEqual(["domains", "http.port", "http.token", "auth.trusted_networks"]);
  });

  test("entries of tables, by their place", () => {
    const alice = '[[user]]\nname = "alice"\npassword = "x"\n';
    const bob = '[[user]]\nname = "bob"\npassword = "x"\n';
    expect(changed(alice, alice + bob)).toEqual(["user[1]"]);
    expect(changed(alice + bob, alice)).toEqual(["user[1]"]);
    expect(changed(alice, alice.replace('"x"', '"y"'))).toEqual(["user[0].password"]);
    expect(changed("", "[[listen]]\nport = 5070")).toEqual(["listen[0].port", "listen[1]"]);
  });

  test("a secret's value is not told", () => {
    expect(changed('[http]\ntoken = "hush-1"', '[http]\ntoken = "hush-2"')).toEqual(["http.token"]);
  });
});

test("what needs a restart is named as `diffConfig` names it", () => {
  expect(RESTART_KEYS).toContain("data_dir");
  const engines = '[[rtpengine]]\naddress = "127.0.0.1"\n';
  const web = '[[listen]]\ntransport = "ws"\nport = 8088\n';
  const balanced = '[[listen]]\ntransport = "tcp"\n';
  const next = configOf(
    `data_dir = "/x"\n[log]\nlevel = "warn"\nformat = "json"\n[limits]\nbindings_max = 5\n[udp]\nreceive_buffer_bytes = 65536\nsend_in_batches = false\n[media]\nport_min = 20000\nport_max = 30000\ndscp = 0\nengine = "rtpengine"\n[tls]\nclient_certificate = "request"\n[guard]\nnft_set = "ip a b"\n${engines}${balanced}proxy_protocol_from = ["192.0.2.1"]\n${web}forwarded_for_from = ["192.0.2.1"]\n`,
  );
  const paths = diffConfig(configOf(engines + balanced + web), next);
  expect(paths.filter((path) => !needsRestart(path))).toEqual([]);
  expect(paths).toContain("listen[0].proxy_protocol_from");
  expect(paths.map((path) => path.replace(/\[\d\]/, "")).toSorted()).toEqual([...RESTART_KEYS].toSorted());
  expect(needsRestart("listen[0]")).toBe(false);
});
