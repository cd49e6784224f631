import { describe, expect, test } from "bun:test";
import { configOf, errorsOf, told } from "./support.ts";

describe("a secret from a file", () => {
  test("is its content without white space around it", () => {
    const toml = '[http]\ntoken = "file:/etc/token"\n[[user]]\nname = "alice"\npassword = "file:pw"';
    const config = configOf(toml, { "/etc/token": "\n  abc-def \r\n", pw: "two words\n" });
    expect(config.http.token).toBe("abc-def");
    expect(config.user[0]?.password).toBe("two words");
  });

  test("may begin with words that mean something in the configuration", () => {
    const toml = '[[user]]\nname = "alice"\npassword = "file:pw"';
    expect(configOf(toml, { pw: "file:x" }).user[0]?.password).toBe("file:x");
    expect(configOf(toml, { pw: "env:x" }).user[0]?.password).toBe("env:x");
  });

  test("is missing", () => {
    expect(told('[http]\ntoken = "file:/nowhere"')).toEqual([
      '2 http.token: "file:/nowhere" (it cannot be read: ENOENT); ' +
        "the path of a readable file with the secret in it",
    ]);
  });

  test("is empty", () => {
    expect(told('[http]\ntoken = "file:t"', { t: " \n" })).toEqual([
      '2 http.token: "file:t" (it is empty); the path of a readable file with the secret in it',
    ]);
  });

  test("breaks the rules of its key: the content is not shown", () => {
    const errors = errorsOf('[http]\ntoken = "file:t"', { t: "hush hush" });
    expect(errors[0]).toMatchObject({ path: "http.token", found: "********" });
    expect(JSON.stringify(errors)).not.toContain("hush");
  });

  test("only where a secret is wanted", () => {
    expect(configOf('data_dir = "file:x"').data_dir).toBe("file:x");
  });
});

describe("a secret from the environment", () => {
  const allowed = "the name of an environment variable with the secret in it";
  const token = '[http]\ntoken = "env:TOKEN"';

  test("is the variable's value without white space around it", () => {
    expect(configOf(token, { "env:TOKEN": " abc-def\n" }).http.token).toBe("abc-def");
  });

  test("hashes may come from there and from files", () => {
    const toml = '[[user]]\nname = "alice"\nha1 = "env:HA1"\nha1_sha256 = "file:sha"';
    const [alice] = configOf(toml, { "env:HA1": "a".repeat(32), sha: `${"b".repeat(64)}\n` }).user;
    expect([alice?.ha1, alice?.ha1_sha256]).toEqual(["a".repeat(32), "b".repeat(64)]);
  });

  test("is not set, or empty: the mistake names the key and the variable", () => {
    expect(told(token)).toEqual([`2 http.token: "env:TOKEN" (it is not set); ${allowed}`]);
    const empty = told(token, { "env:TOKEN": " " });
    expect(empty).toEqual([`2 http.token: "env:TOKEN" (it is empty); ${allowed}`]);
  });

  test("is no name: it may be a password and is not shown", () => {
    const toml = '[[user]]\nname = "alice"\npassword = "env:hush hush"';
    expect(told(toml)).toEqual([`3 user[0].password: "env:…" (it is no name); ${allowed}`]);
  });

  test("breaks the rules of its key: the value is not shown", () => {
    const errors = errorsOf(token, { "env:TOKEN": "hush hush" });
    expect(errors[0]).toMatchObject({ path: "http.token", found: "********" });
    expect(JSON.stringify(errors)).not.toContain("hush");
  });
});

describe("a mistaken secret is not shown", () => {
  const long = `hush${"x".repeat(300)}`;
  test.each([
    [`[http]\ntoken = "hush hush"`],
    [`[http]\ntoken = "${long}"`],
    [`[http]\ntoken = ["hush"]`],
    [`[http]\ntoken = { hush = "hush" }`],
    [`[http]\naddress = "0.0.0.0"\ntoken = "hush"`],
    [`[[user]]\nname = "a"\npassword = "hush\\n"`],
    [`[[user]]\nname = "a"\nha1 = "hush"`],
    [`[[user]]\nname = "a"\nha1 = "${"0".repeat(32)}"\nha1_sha256 = "hush"`],
    [`[[user]]\nname = "a"\npassword = "hush"\nha1 = "${"0".repeat(32)}"`],
    [`user = "a:hush"`],
    [`user = ["a:hush"]`],
    [`[[user]]\nname = "a"\npassword = "hush" # "\nha1 =`],
  ])("%j", (toml) => {
    const errors = errorsOf(toml);
    expect(errors.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toContain("hush");
  });
});
