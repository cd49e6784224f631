/**
 * Rules between keys. A rule judges only values that are right by themselves, so that no mistake is
 * told twice.
 */
import { canonicalAddress, isAddress, isLoopback } from "./hosts.ts";
import type { KeyPath } from "./key-path.ts";
import type { Mistake } from "./mistakes.ts";
import { HIDDEN, NOTHING } from "./mistakes.ts";
import { PEER_RULES } from "./rules-peers.ts";
import { REALM_RULES } from "./rules-realm.ts";
import { RTPENGINE_RULES } from "./rules-rtpengine.ts";
import type { Config } from "./schema.ts";

/** A configuration in which each mistaken value is undefined; its key stays. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? readonly (Draft<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Draft<T[Key]> | undefined }
    : T;

/** Tells a broken rule at the key where it is best mended. */
type Tell = (path: KeyPath, found: string | number, allowed: string) => void;
export type Rule = (draft: Draft<Config>, tell: Tell) => void;

const HTTP_TOKEN_CHARS_MIN = 16;

const RULES: readonly Rule[] = [
  longestExpiryAboveShortest,
  defaultExpiryBetween,
  t2NotBelowT1,
  queueHoldsOneMessage,
  listenersOnce,
  tlsHasCertificate,
  proxyHeaderBeforeStreams,
  namesOnce,
  groupNamesOnce,
  calledDomainsAreOurs,
  oneProofPerUser,
  secondHashBesideFirst,
  everyUserHasAnAlgorithm,
  httpGuarded,
  readTokenBesideToken,
  mediaPortsForOneCall,
  ...REALM_RULES,
  ...RTPENGINE_RULES,
  ...PEER_RULES,
];

/** Every rule that is broken. */
export function brokenRules(draft: Draft<Config>): Mistake[] {
  const mistakes: Mistake[] = [];
  const tell: Tell = (path, found, allowed) =>
    mistakes.push({ path, found: String(found), allowed, suggestion: null });
  for (const rule of RULES) rule(draft, tell);
  return mistakes;
}

function longestExpiryAboveShortest({ registrar }: Draft<Config>, tell: Tell): void {
  const { min_expires_s: min, max_expires_s: max } = registrar ?? {};
  if (min !== undefined && max !== undefined && max < min)
    tell(["registrar", "max_expires_s"], max, `at least registrar.min_expires_s (${min})`);
}

/** Two pairs. */
const PORTS_OF_A_CALL = 4;

function mediaPortsForOneCall({ media }: Draft<Config>, tell: Tell): void {
  const { port_min: min, port_max: max } = media ?? {};
  if (min !== undefined && max !== undefined && max + 1 - (min + (min & 1)) < PORTS_OF_A_CALL)
    tell(
      ["media", "port_max"],
      max,
      `at least media.port_min + ${PORTS_OF_A_CALL} (${min + PORTS_OF_A_CALL})`,
    );
}

function defaultExpiryBetween({ registrar }: Draft<Config>, tell: Tell): void {
  const { min_expires_s: min, max_expires_s: max, default_expires_s: expires } = registrar ?? {};
  if (min === undefined || max === undefined || expires === undefined || max < min) return;
  if (expires < min || expires > max) {
    const allowed = `from registrar.min_expires_s (${min}) to registrar.max_expires_s (${max})`;
    tell(["registrar", "default_expires_s"], expires, allowed);
  }
}

function t2NotBelowT1({ timers }: Draft<Config>, tell: Tell): void {
  const { t1_ms, t2_ms } = timers ?? {};
  if (t1_ms !== undefined && t2_ms !== undefined && t2_ms < t1_ms)
    tell(["timers", "t2_ms"], t2_ms, `at least timers.t1_ms (${t1_ms})`);
}

/** A message that is taken must also fit into the queue towards a slow peer. */
function queueHoldsOneMessage({ tcp, limits }: Draft<Config>, tell: Tell): void {
  const queue = tcp?.queue_bytes_max;
  const message = limits?.message_bytes_max;
  if (queue !== undefined && message !== undefined && queue < message)
    tell(["tcp", "queue_bytes_max"], queue, `at least limits.message_bytes_max (${message})`);
}

/** The same point twice. Port 0 is another one each time, and an address may be named beside "any". */
const USUAL_PORTS: Readonly<Record<string, number>> = { tls: 5061, ws: 8088, wss: 443 };

function tlsHasCertificate({ listen = [], certificate = [] }: Draft<Config>, tell: Tell): void {
  for (const [index, entry] of listen.entries()) {
    const transport = entry?.transport ?? "";
    const usual = USUAL_PORTS[transport];
    if (entry === undefined || usual === undefined) continue;
    if (transport !== "ws" && certificate.length === 0)
      tell(["listen", index, "transport"], transport, `${transport} with a [[certificate]]`);
    if (entry.port === SIP_PORT)
      tell(["listen", index, "port"], SIP_PORT, `another one for ${transport}: ${usual} is usual`);
  }
}

const SIP_PORT = 5060;

/** Datagrams have no beginning to put it at, and the WebSocket server shows nobody the first bytes. */
function proxyHeaderBeforeStreams({ listen = [] }: Draft<Config>, tell: Tell): void {
  for (const [index, entry] of listen.entries()) {
    const { transport, proxy_protocol_from } = entry ?? {};
    if (proxy_protocol_from === undefined || transport === undefined) continue;
    const instead = transport === "udp" ? "" : ` (${transport}: forwarded_for_from)`;
    if (transport !== "tcp" && transport !== "tls")
      tell(["listen", index, "proxy_protocol_from"], transport, `only with transport tcp or tls${instead}`);
  }
}

function listenersOnce({ listen = [] }: Draft<Config>, tell: Tell): void {
  const first = new Map<string, number>();
  for (const [index, entry] of listen.entries()) {
    const { transport, address, port } = entry ?? {};
    if (transport === undefined || address === undefined || port === undefined || port === 0) continue;
    const point = `${transport} ${canonicalAddress(address)} port ${port}`;
    const other = first.get(point);
    if (other === undefined) first.set(point, index);
    else tell(["listen", index], point, `each point once: listen[${other}] has it already`);
  }
}

function namesOnce({ user = [] }: Draft<Config>, tell: Tell): void {
  const first = new Map<string, number>();
  for (const [index, entry] of user.entries()) {
    const name = entry?.name;
    if (name === undefined) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, index);
    else tell(["user", index, "name"], JSON.stringify(name), `each name once: user[${other}] has it already`);
  }
}

/** Who is dialled is a user or a group, not both. */
function groupNamesOnce({ user = [], group = [] }: Draft<Config>, tell: Tell): void {
  const first = new Map<string, string>();
  for (const [index, entry] of user.entries()) if (entry?.name) first.set(entry.name, `user[${index}]`);
  for (const [index, entry] of group.entries()) {
    const name = entry?.name;
    if (name === undefined) continue;
    const other = first.get(name);
    if (other === undefined) first.set(name, `group[${index}]`);
    else tell(["group", index, "name"], JSON.stringify(name), `each name once: ${other} has it already`);
  }
}

function calledDomainsAreOurs({ domains, called_domain: called = [] }: Draft<Config>, tell: Tell): void {
  if (domains === undefined) return;
  const ours = new Set(domains.map((name) => name?.toLowerCase()));
  for (const [index, entry] of called.entries())
    if (entry?.name !== undefined && !isAddress(entry.name) && !ours.has(entry.name.toLowerCase()))
      tell(
        ["called_domain", index, "name"],
        JSON.stringify(entry.name),
        "one of domains, or an address of this machine",
      );
}

function oneProofPerUser({ user = [] }: Draft<Config>, tell: Tell): void {
  for (const [index, entry] of user.entries()) {
    if (entry === undefined) continue;
    const has = { password: "password" in entry, ha1: "ha1" in entry };
    if (has.password && has.ha1)
      tell(["user", index, "ha1"], "ha1 beside a password", "one of password, ha1");
    if (!has.password && !has.ha1) tell(["user", index, "password"], NOTHING, "one of password, ha1");
  }
}

function secondHashBesideFirst({ user = [] }: Draft<Config>, tell: Tell): void {
  for (const [index, entry] of user.entries())
    for (const key of ["ha1_sha256", "ha1_sha512_256"])
      if (entry !== undefined && key in entry && !("ha1" in entry))
        tell(["user", index, key], `${key} without ha1`, "only beside ha1");
}

const HASH_KEYS = { MD5: "ha1", "SHA-256": "ha1_sha256", "SHA-512-256": "ha1_sha512_256" } as const;

/** An MD5 hash proves nothing where only others are asked for. */
function everyUserHasAnAlgorithm({ user = [], auth }: Draft<Config>, tell: Tell): void {
  const { algorithms } = auth ?? {};
  if (algorithms === undefined || algorithms.includes("MD5")) return;
  const keys = algorithms.flatMap((algorithm) => (algorithm === undefined ? [] : [HASH_KEYS[algorithm]]));
  const allowed = `with ${keys.join(" or ")}, for auth.algorithms leaves MD5 out`;
  for (const [index, entry] of user.entries())
    if (entry !== undefined && "ha1" in entry && !keys.some((key) => key in entry))
      tell(["user", index, "ha1"], "ha1 alone", allowed);
}

/** Whoever is not on this machine must prove it may ask. */
function readTokenBesideToken({ http }: Draft<Config>, tell: Tell): void {
  if (http?.read_token !== undefined && !("token" in http))
    tell(["http", "token"], NOTHING, "a token beside http.read_token, or everybody may write");
}

function httpGuarded({ http }: Draft<Config>, tell: Tell): void {
  const { enabled, address, token } = http ?? {};
  if (http === undefined || enabled !== true || address === undefined || isLoopback(address)) return;
  const allowed = `at least ${HTTP_TOKEN_CHARS_MIN} characters, for http.address is not loopback`;
  if (!("token" in http)) tell(["http", "token"], NOTHING, allowed);
  else if (token !== undefined && token.length < HTTP_TOKEN_CHARS_MIN)
    tell(["http", "token"], HIDDEN, allowed);
}
