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

test("env: is refused for now", () => {
  expect(told('[http]\ntoken = "env:TOKEN"')).toEqual([
    '2 http.token: "env:…"; the value itself, or "file:PATH" ("env:" is not available)',
  ]);
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
