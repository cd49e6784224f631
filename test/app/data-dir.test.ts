/** The data directory and the secrets in it, on a real file system; and accounts made of the config. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configUsers } from "../../src/app/accounts.ts";
import { defaultDataDir, secretKey } from "../../src/app/data-dir.ts";
import { ha1 } from "../../src/auth/digest.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { configOf } from "../support/world.ts";

const made: string[] = [];
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "sipedge-test-"));
  made.push(path);
  return path;
};
afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe("secret keys", () => {
  test("are made once and stay: dialogs survive a restart", () => {
    const dir = folder();
    const first = secretKey(dir, "dialog", new SeededDice(1));
    expect(first).toHaveLength(32);
    expect(Buffer.from(secretKey(dir, "dialog", new SeededDice(2)))).toEqual(Buffer.from(first));
  });
  test("are another one for each name", () => {
    const dir = folder();
    const dice = new SeededDice(1);
    expect(Buffer.from(secretKey(dir, "a", dice))).not.toEqual(Buffer.from(secretKey(dir, "b", dice)));
  });
  test("only the owner can read them, and nothing else is left in the folder", () => {
    const dir = join(folder(), "new", "deep");
    secretKey(dir, "dialog", new SeededDice(1));
    expect(readdirSync(dir)).toEqual(["dialog.key"]);
    expect(statSync(join(dir, "dialog.key")).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });
  test("a file that was cut short is no key: a new one is made", () => {
    const dir = folder();
    writeFileSync(join(dir, "dialog.key"), "short");
    const key = secretKey(dir, "dialog", new SeededDice(1));
    expect(Buffer.from(key)).toEqual(readFileSync(join(dir, "dialog.key")));
    expect(key).toHaveLength(32);
  });
});

test("the data directory is what systemd gives, the first of several", () => {
  expect(defaultDataDir({ STATE_DIRECTORY: "/var/lib/a" })).toBe("/var/lib/a");
  expect(defaultDataDir({ STATE_DIRECTORY: "/var/lib/a:/var/lib/b" })).toBe("/var/lib/a");
});

describe("accounts of the config", () => {
  test("a password becomes every hash, under the realm in force", () => {
    const text = 'domains = ["example.test"]\n[[user]]\nname = "alice"\npassword = "wonderland"\n';
    const [alice] = configUsers(configOf(text));
    expect(alice).toEqual({
      name: "alice",
      realm: "example.test",
      ha1_md5: ha1("MD5", "alice", "example.test", "wonderland"),
      ha1_sha256: ha1("SHA-256", "alice", "example.test", "wonderland"),
      ha1_sha512_256: ha1("SHA-512-256", "alice", "example.test", "wonderland"),
      source: "config",
    });
    expect(JSON.stringify(alice)).not.toContain("wonderland");
    const [other] = configUsers(configOf(`${text}[auth]\nrealm = "r"\n`));
    expect(other?.ha1_md5).toBe(ha1("MD5", "alice", "r", "wonderland"));
  });
  test("hashes are taken as they are, in lower case", () => {
    const text = `domains = ["example.test"]\n[[user]]\nname = "bob"\nha1 = "${"AB".repeat(16)}"\n`;
    const none = { ha1_sha256: null, ha1_sha512_256: null };
    expect(configUsers(configOf(text))).toEqual([
      { name: "bob", realm: "example.test", ha1_md5: "ab".repeat(16), ...none, source: "config" },
    ]);
  });
});
