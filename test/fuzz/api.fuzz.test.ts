/** Spoilt requests to the status API (see runs.ts): an answer with a status of its own, and never an exception. */
import { describe, expect, test } from "bun:test";
import { createApi } from "../../src/api/api.ts";
import { ROUTES } from "../../src/api/routes.ts";
import { busySources, HA1_MD5, LOOPBACK } from "../api/fixture.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { again, LONG_MS, RUNS, SEED } from "./runs.ts";
import { ByteSpoiler } from "./spoil-bytes.ts";

const METHODS = ["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY"];
const WORDS = [
  "alice",
  "bob",
  "sip:alice@example.test",
  "%00",
  "%ff",
  "%2e%2e%2f",
  "..",
  "a".repeat(5000),
  "0",
  "-1",
  "1e9",
  "99999999999999999999",
  "NaN",
  "true",
  "",
  "%",
  "é",
  "__proto__",
  "constructor",
  "10.0.0.0%2F8",
  "::1%2F999",
  "2001-01-01T00:00:00Z",
];
const BODIES = [
  "",
  "null",
  "[]",
  "{}",
  '"x"',
  "1e999",
  "{",
  `${"[".repeat(20_000)}`,
  `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`,
  '{"__proto__":{"busy":"x"}}',
  '{"busy":"alice","no_answer":{},"no_answer_after_s":-1}',
  '{"always":"bob"}',
  '{"always":"sip:x@y","busy":null}',
  '{"enabled":"yes"}',
  '{"enabled":false}',
  '{"seconds":1e308,"reason":"\\u0000"}',
  `{"always":"${"x".repeat(100_000)}"}`,
  "\xff\xfe",
];
const HEADERS: readonly Record<string, string>[] = [
  {},
  { "content-type": "application/json" },
  { "content-type": "text/plain" },
  { "content-type": "application/json; charset=\x80" },
  { "content-length": "-1" },
  { authorization: `Bearer ${"x".repeat(3000)}` },
  { authorization: "Bearer" },
  { host: "[::1" },
  { host: "evil.test" },
  { origin: "null" },
  { origin: "http://[" },
  { accept: "text/html;q=2, */*" },
];
const KEYS = ["limit", "cursor", "before", "aor", "name", "q", "state", "max", "constructor"];

describe("ARC-24 the status API under spoilt requests", () => {
  test(
    `no request is answered with a fault of ours, and none shows a password's hash (${again})`,
    async () => {
      const api = createApi(busySources(), LOOPBACK);
      const dice = new ByteSpoiler(new SeededDice(SEED));
      for (let run = 0; run < RUNS / 4; run++) {
        let path = dice.pick(ROUTES).path.replace(/\{\w+\}/g, () => dice.pick(WORDS));
        if (dice.below(8) === 0) path = `/${dice.pick(WORDS)}/${dice.pick(WORDS)}`;
        const query = Array.from({ length: dice.below(4) }, () => `${dice.pick(KEYS)}=${dice.pick(WORDS)}`);
        if (query.length > 0) path += `?${query.join("&")}`;
        const method = dice.pick(METHODS);
        const hasBody = method !== "GET" && method !== "HEAD" && dice.below(3) > 0;
        const init: RequestInit = { method, headers: { host: "127.0.0.1", ...dice.pick(HEADERS) } };
        if (hasBody) init.body = dice.pick(BODIES);
        const shown = `${method} ${path} ${JSON.stringify(init).slice(0, 500)}`;
        const response = await api.request(path, init, { address: "127.0.0.1" });
        const isEndless = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
        if (isEndless) await response.body?.cancel();
        const text = isEndless ? "" : await response.text();
        const isFault = response.status >= 500 && !(response.status === 503 && path.startsWith("/readyz"));
        if (isFault) throw new Error(`${response.status} to ${shown}: ${text.slice(0, 500)}`);
        if (text.includes(HA1_MD5)) throw new Error(`a hash in the answer to ${shown}`);
        if (response.status >= 400 && method !== "HEAD") expect(() => JSON.parse(text)).not.toThrow();
      }
    },
    LONG_MS,
  );
});
