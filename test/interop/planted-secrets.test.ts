/** Secrets planted in a running appliance are looked for in everything it says: log, API, answers, mistakes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ha1 } from "../../src/auth/digest.ts";
import { Edge, SIPEDGE } from "../support/edge.ts";
import { Program } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";

const HERE = "127.0.0.1";
const FROM_FILE = "planted-in-the-file-7f3a";
const FROM_STORE = "planted-in-the-store-91bc";
const WRONG = "planted-as-a-guess-55de";
const TOKEN = "planted-as-a-token-c0c0";
const HASH = ha1("MD5", "carol", HERE, "planted-as-a-hash-2b2b");
const TOML = `
[log]
level = "debug"
[records]
webhook = "http://127.0.0.1:9/"
webhook_token = "${TOKEN}"
[hep]
password = "${TOKEN}"
[[user]]
name = "alice"
password = "${FROM_FILE}"
[[user]]
name = "carol"
ha1 = "${HASH}"
`;
const PAGES = [
  "status",
  "config",
  "users",
  "registrations",
  "transactions",
  "calls",
  "records",
  "flows",
  "peers",
  "bans",
];

let edge: Edge;
let phone: UdpPhone;

beforeAll(async () => {
  edge = await Edge.start({ toml: TOML });
  phone = await UdpPhone.open(HERE, [HERE, edge.port]);
});
afterAll(async () => {
  phone.close();
  await edge.stop();
});

/** What must appear nowhere: passwords, their hashes, the token, the keys in the data directory. */
function secrets(): string[] {
  const hashes = (user: string, password: string) => [
    password,
    ha1("MD5", user, HERE, password),
    ha1("SHA-256", user, HERE, password),
  ];
  const data = join(edge.dir, "data");
  const keys = readdirSync(data)
    .filter((name) => name.endsWith(".key"))
    .map((name) => readFileSync(join(data, name)));
  expect(keys.length).toBeGreaterThan(0);
  return [
    ...hashes("alice", FROM_FILE),
    ...hashes("bob", FROM_STORE),
    ...hashes("alice", WRONG),
    ...[HASH, TOKEN],
    ...keys.flatMap((key) => [key.toString("hex"), key.toString("base64"), key.toString("base64url")]),
  ];
}

const found = (where: string) =>
  secrets().filter((secret) => where.toLowerCase().includes(secret.toLowerCase()));

test("SIP-36 secrets stand in no log line, API page, trace or answer", async () => {
  await edge.addUser("bob", FROM_STORE);
  expect(await phone.register("alice", FROM_FILE, HERE)).toStartWith("SIP/2.0 200");
  expect(await phone.register("bob", FROM_STORE, HERE)).toStartWith("SIP/2.0 200");
  expect(await phone.register("alice", WRONG, HERE)).toStartWith("SIP/2.0 401");
  const traces = await edge.get("/v1/traces");
  const pages = await Promise.all(PAGES.map((page) => edge.get(`/v1/${page}`)));
  const metrics = await (await fetch(`${edge.api}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
  const everything = [JSON.stringify([traces, ...pages]), metrics, edge.program.output, ...phone.received];
  expect(everything.join("\n")).toContain("alice"); // it was looked at the right thing
  expect(found(everything.join("\n"))).toEqual([]);
});

test("SIP-36 secrets stand in no mistake that sipedge check tells", async () => {
  const file = join(edge.dir, "mistaken.toml");
  writeFileSync(
    file,
    `${readFileSync(edge.configFile, "utf8").replace('level = "debug"', 'level = "loud"')}ha1_sha256 = "${WRONG}"\n`,
  );
  const check = new Program([...SIPEDGE, "check", file]);
  expect(await check.ended()).not.toBe(0);
  expect(check.output).toContain("log.level");
  expect(check.output).toContain("ha1_sha256");
  expect(found(check.output)).toEqual([]);
});
