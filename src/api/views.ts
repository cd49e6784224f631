/** `/v1/transactions`, `/v1/flows` and `/v1/users`: snapshots as JSON. */
import type { TransportName } from "../base/flow.ts";
import { hostPort } from "../base/flow.ts";
import { FORWARD_KEYS } from "../location/forwards.ts";
import type { ConnectionSnapshot } from "../transport/connections.ts";
import { cursorOf, placeOf } from "./paging.ts";
import type { Answer } from "./schemas.ts";
import { shownText } from "./shown-text.ts";
import type { ApiSources } from "./sources.ts";
import { rfc3339 } from "./time.ts";

export function transactionsView(sources: ApiSources, limit: number): Answer<"Transactions"> {
  const { server, client, timers, states, transactions } = sources.transactions(limit);
  return {
    server,
    client,
    timers,
    states: { ...states },
    transactions: transactions.map(({ machine, state, method, key, age_ms }) => ({
      machine,
      state,
      method: shownText(method),
      key: shownText(key),
      age_ms: Math.max(0, age_ms),
    })),
  };
}

export function flowsView(sources: ApiSources, limit: number): Answer<"Flows"> {
  return {
    connections: sources.connectionCount(),
    flows: sources.connections(limit).map(connection),
  };
}

function connection(row: ConnectionSnapshot): Answer<"Connection"> {
  return {
    flow_id: row.id,
    transport: row.id.slice(0, row.id.indexOf(":")) as TransportName, // Flow.id starts with it
    remote: hostPort(row.remote_address, row.remote_port),
    direction: row.outgoing ? "out" : "in",
    state: row.state,
    since: row.since,
    idle_s: row.idle_s,
    messages_in: row.messages_in,
    bytes_in: row.bytes_in,
    bytes_out: row.bytes_out,
    queued_bytes: row.queued_bytes,
  };
}

export function peersView(sources: ApiSources, limit: number): Answer<"Peers"> {
  const moment = (ms: number | null) => (ms === null ? null : rfc3339(ms));
  return {
    peers: sources.peers(limit).map(({ uris, ...peer }) => ({
      ...peer,
      uris: uris.map(({ aside_until_ms, answered_ms, ...uri }) => ({
        ...uri,
        uri: shownText(uri.uri),
        aside_until: moment(aside_until_ms),
        answered_at: moment(answered_ms),
      })),
    })),
  };
}

function isForwarded({ forwards }: ApiSources, user: string): boolean {
  const rules = forwards.rulesOf(user);
  return rules !== null && FORWARD_KEYS.some((key) => rules[key] !== null);
}

/** Names and where they come from; the hashes stay where they are. Null when the cursor is none of ours. */
export function usersView(
  sources: ApiSources,
  limit: number,
  cursor: string | undefined,
): Answer<"Users"> | null {
  const after = cursor === undefined ? "" : placeOf(cursor);
  if (after === null) return null;
  const following = sources.users.list().filter((user) => user.name > after);
  const shown = following.slice(0, limit);
  const last = following.length > limit ? shown.at(-1) : undefined;
  return {
    users: shown.map(({ name, source, realm, disabled }) => ({
      name,
      source,
      realm,
      disabled: disabled ?? false,
      forwarding: isForwarded(sources, name),
    })),
    next_cursor: last === undefined ? null : cursorOf(last.name),
  };
}
