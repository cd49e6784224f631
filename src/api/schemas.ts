/**
 * The shape of every JSON answer and body, as valibot schemas. The views' types and `/openapi.json` are made
 * from them. Keys in snake_case, times RFC 3339, durations and sizes with their unit in the key.
 */
import * as v from "valibot";
import {
  checkAfter,
  checkDestination,
  NO_ANSWER_AFTER_S_MAX,
  NO_ANSWER_AFTER_S_MIN,
} from "../location/forwards.ts";
import { amount, count, text, time, yes } from "./kinds.ts";
import { Ban, Bans, NewBan } from "./schemas-bans.ts";
import { Call, CallRecord, CallRecords, Calls } from "./schemas-calls.ts";
import { Configuration, Reload } from "./schemas-config.ts";
import { DeadTarget, Dns, DnsRecord, DnsServer } from "./schemas-dns.ts";
import { Engine } from "./schemas-engines.ts";
import { History, HistorySample } from "./schemas-history.ts";
import { Keepalive, KeptEndpoint, NewKeepalive } from "./schemas-keepalive.ts";
import { Peer, Peers, PeerUri } from "./schemas-peers.ts";
import { QualityReport, QualityReports } from "./schemas-quality.ts";
import { Trace, TraceEntry, TraceSummary, Traces } from "./schemas-trace.ts";

const Transport = v.picklist(["udp", "tcp", "tls", "ws", "wss"]);

const Failure = v.pipe(
  v.object({
    error: text("A stable word for programs"),
    message: text("A sentence for a person"),
  }),
  v.description("Why there is no answer: the shape of every error"),
);

const Readiness = v.object({
  ready: yes("Calls and registrations are taken"),
  reasons: v.pipe(
    v.array(v.string()),
    v.description("Why not: each a stable word, a colon and a sentence; empty when ready"),
  ),
});

const Listener = v.object({
  transport: Transport,
  address: text("The bound address"),
  port: count("The bound port"),
  advertised: text("The host:port that Via, Record-Route and Path carry"),
});

const StoreState = v.object({
  kind: text("Which store holds the bindings"),
  ok: yes("Changes can be stored"),
  code: v.nullable(text("Why changes fail: full, readonly, corrupt, busy, io or full_table")),
  message: text("The same for a person; empty while changes work"),
  since: time("Since when this has been so"),
});

const Certificate = v.object({
  file: text("Where it was read from"),
  names: v.pipe(v.array(v.string()), v.description("What it proves")),
  expires_at: time("When it ends"),
  problem: v.nullable(text("Why what is in the files now is not in use")),
});

const Status = v.object({
  version: v.string(),
  commit: v.nullable(text("The commit it was built from; null in a source tree")),
  started_at: time("When the process started"),
  uptime_s: count("For how long it has run"),
  ready: yes("As /readyz says"),
  reasons: v.pipe(v.array(v.string()), v.description("As /readyz says")),
  listeners: v.array(Listener),
  certificates: v.pipe(v.array(Certificate), v.description("What TLS peers are shown")),
  domains: v.pipe(v.array(v.string()), v.description("What it answers for; the first stands in AORs")),
  realm: text("The digest realm"),
  counts: v.object({
    registrations: count("Bindings held"),
    users_registered: count("Addresses of record that have a binding"),
    transactions_server: count("Requests being answered"),
    transactions_client: count("Requests sent on"),
    connections: count("TCP, TLS and WebSocket connections"),
  }),
  rtpengines: v.pipe(v.array(Engine), v.description("Who relays media, with media.engine = rtpengine")),
  store: StoreState,
  memory: v.object({
    rss_bytes: count("Resident set"),
    heap_bytes: count("JavaScript heap in use"),
  }),
  cpu: v.object({
    user_s: amount("CPU time since the start"),
    system_s: amount("CPU time in the kernel since the start"),
  }),
  reload: v.pipe(v.nullable(Reload), v.description("Null: not read again since the start")),
});

const Registration = v.object({
  aor: text("The address of record, user@domain"),
  contact: text("The Contact URI as registered"),
  q: v.pipe(v.number(), v.minValue(0), v.maxValue(1), v.description("Preference (RFC 3261 §20.10)")),
  expires_in_s: count("What is left of it"),
  expires_at: time("When it ends without a refresh"),
  registered_at: time("The last REGISTER that touched it"),
  instance: v.nullable(text("+sip.instance (RFC 5626)")),
  reg_id: v.nullable(count("reg-id (RFC 5626)")),
  path: v.pipe(v.array(v.string()), v.description("Path values, topmost first (RFC 3327)")),
  user_agent: v.nullable(v.string()),
  transport: Transport,
  local: text("Our end of the flow, host:port"),
  remote: text("The phone's end of the flow as we see it, host:port"),
  flow_id: text("Names the flow here and in the log"),
  nat: v.pipe(
    v.array(v.string()),
    v.description("Why the phone counts as behind a NAT, as nat.reasons names them; empty: it does not"),
  ),
  alg_signs: v.pipe(
    v.array(v.string()),
    v.description("ALG suspected: what a router in between seems to have rewritten; empty: nothing"),
  ),
  outbound: yes("It asked to be reached over this flow only (RFC 5626)"),
  reachable: yes("Calls are sent to it: its connection is open, and it answers pings where it has to"),
  latency_ms: v.nullable(v.pipe(v.number(), v.description("Of its last answer to a ping; null: none"))),
  pings_missed: count("Pings without an answer, in a row"),
});

const cursor = v.pipe(
  v.nullable(v.string()),
  v.description("Ask with ?cursor= for what follows; null: this was the last page"),
);

const Registrations = v.object({ registrations: v.array(Registration), next_cursor: cursor });

const AorRegistrations = v.object({
  aor: text("The address of record in its one spelling"),
  registrations: v.pipe(v.array(Registration), v.description("Newest last")),
});

const Transaction = v.object({
  machine: text("Which of the state machines of RFC 3261 §17"),
  state: text("The state's name in the RFC's figure"),
  method: v.string(),
  key: text("What messages are matched by"),
  age_ms: count("Since its first message"),
});

const Transactions = v.object({
  server: count("Server transactions"),
  client: count("Client transactions"),
  timers: count("Timers that run"),
  states: v.pipe(
    v.record(v.string(), v.number()),
    v.description("How many are in each state, by machine.state"),
  ),
  transactions: v.pipe(v.array(Transaction), v.description("Some of them, at most ?limit=")),
});

const Connection = v.object({
  flow_id: text("Names the flow here and in the log"),
  transport: Transport,
  remote: text("The peer, host:port"),
  direction: v.pipe(v.picklist(["in", "out"]), v.description("Who opened it: the peer (in) or we (out)")),
  state: text("Where the connection is in its life"),
  since: time("When it was opened or accepted"),
  idle_s: count("Since something came or left"),
  messages_in: count("Messages received"),
  bytes_in: count("Bytes received"),
  bytes_out: count("Bytes sent"),
  queued_bytes: count("Bytes the peer has not taken yet"),
});

const Flows = v.object({
  connections: count("How many connections there are"),
  flows: v.pipe(v.array(Connection), v.description("Some of them, at most ?limit=")),
});

const User = v.object({
  name: v.string(),
  source: v.pipe(v.picklist(["config", "store"]), v.description("Where the user is kept")),
  realm: text("The realm the hashes were made for"),
  disabled: yes("Known, but refused"),
  forwarding: yes("Some rule of /v1/users/{name}/forwarding is set"),
});

const Users = v.object({ users: v.array(User), next_cursor: cursor });

/** What each rule of a user says (RFC 5359 §2.7 to §2.9). */
const RULES = {
  always: "Where all calls go",
  busy: "Where calls go when the phones are busy",
  no_answer: "Where calls go when nobody picks up",
  not_registered: "Where calls go when no phone is registered",
  unreachable: "Where calls go when the registered phones cannot be reached",
} as const;
const AFTER = "How long the phones ring before no_answer applies; null: as the config says";

const rule = (what: string) => v.nullable(text(`${what}: a user or group here or a sip: URI; null: no rule`));

const forwardRules = {
  always: rule(RULES.always),
  busy: rule(RULES.busy),
  no_answer: rule(RULES.no_answer),
  not_registered: rule(RULES.not_registered),
  unreachable: rule(RULES.unreachable),
  no_answer_after_s: v.nullable(count(AFTER)),
};

const keptIn = v.picklist(["config", "store"]);

const Forwarding = v.object({
  user: v.string(),
  source: v.pipe(keptIn, v.description("Where the rules are kept; stored ones replace those of the config")),
  ...forwardRules,
});

const Forwards = v.object({ forwards: v.array(Forwarding), next_cursor: cursor });

const UserForwarding = v.object({
  user: v.string(),
  source: v.pipe(v.nullable(keptIn), v.description("Where the rules are kept; null: there are none")),
  ...forwardRules,
  warnings: v.pipe(
    v.array(v.string()),
    v.description("What will not do what was meant, like a destination that is nobody here now"),
  ),
});

const newRule = (what: string) =>
  v.optional(
    v.nullable(
      v.pipe(
        v.string("a text or null is needed"),
        v.check(
          (given) => checkDestination(given) === null,
          ({ input }) => checkDestination(input) ?? "",
        ),
        v.description(`${what}: a user or group here or a sip: URI; null or absent: no rule`),
      ),
    ),
    null,
  );

const NewForwarding = v.strictObject({
  always: newRule(RULES.always),
  busy: newRule(RULES.busy),
  no_answer: newRule(RULES.no_answer),
  not_registered: newRule(RULES.not_registered),
  unreachable: newRule(RULES.unreachable),
  no_answer_after_s: v.optional(
    v.nullable(
      v.pipe(
        v.number("a number or null is needed"),
        v.check(
          (given) => checkAfter(given) === null,
          ({ input }) => checkAfter(input) ?? "",
        ),
        v.description(`${AFTER}; ${NO_ANSWER_AFTER_S_MIN} to ${NO_ANSWER_AFTER_S_MAX}`),
      ),
    ),
    null,
  ),
});

/** What requests bring, by the name each has in the OpenAPI document. */
export const BODIES = { NewBan, NewForwarding, NewKeepalive } as const;
export type BodyName = keyof typeof BODIES;

/** By the name each has in the OpenAPI document. */
export const SCHEMAS = {
  QualityReport,
  QualityReports,
  Failure,
  Readiness,
  Listener,
  Certificate,
  StoreState,
  Reload,
  Status,
  Registration,
  Registrations,
  AorRegistrations,
  Transaction,
  Transactions,
  Connection,
  Flows,
  DnsServer,
  DnsRecord,
  DeadTarget,
  Dns,
  PeerUri,
  Peer,
  Peers,
  KeptEndpoint,
  Keepalive,
  Call,
  Calls,
  CallRecord,
  CallRecords,
  Ban,
  Bans,
  Configuration,
  HistorySample,
  History,
  TraceSummary,
  Traces,
  TraceEntry,
  Trace,
  User,
  Users,
  Forwarding,
  Forwards,
  UserForwarding,
} as const;

export type SchemaName = keyof typeof SCHEMAS;
/** The JSON answer of that name. */
export type Answer<N extends SchemaName> = v.InferOutput<(typeof SCHEMAS)[N]>;
