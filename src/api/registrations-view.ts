/**
 * `/v1/registrations`: bindings in the order of their AORs, page by page. A hundred thousand of them
 * are looked through in slices, so that no message waits for a reader of lists.
 */
import type { Clock } from "../base/clock.ts";
import { hostPort } from "../base/flow.ts";
import type { Binding } from "../location/binding.ts";
import type { LocationStore } from "../location/store.ts";
import { cursorOf, placeOf } from "./paging.ts";
import type { Answer } from "./schemas.ts";
import { asLatin1, shownText } from "./shown-text.ts";
import type { ApiSources, KeepaliveSource } from "./sources.ts";
import { rfc3339 } from "./time.ts";

/** Bindings looked at before other work may pass: less than a millisecond. */
const SLICE = 2000;
/** Characters of an AOR that decide its place, so that every cursor fits into a URL. */
const PLACE_CHARS_MAX = 500;
/** Path values shown of one binding. */
const PATH_SHOWN_MAX = 20;
const DIGEST_CHARS = 22;

export interface RegistrationsWanted {
  /** The user part; absent: everybody's. */
  readonly user?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** One page; null when the cursor is none of ours. */
export async function registrationsView(
  { store, clock, keepalive }: Pick<ApiSources, "store" | "clock" | "keepalive">,
  { user, limit, cursor }: RegistrationsWanted,
): Promise<Answer<"Registrations"> | null> {
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === null && cursor !== undefined) return null;
  const page = new Page(limit + 1, after);
  await lookThrough(store, clock, page, user === undefined ? null : asLatin1(user));
  const rows = page.rows.slice(0, limit);
  const last = page.rows.length > limit ? rows.at(-1) : undefined;
  const wall = clock.wall();
  return {
    registrations: rows.map((row) => registration(row.binding, wall, keepalive)),
    next_cursor: last === undefined ? null : cursorOf(last.digest + last.aor),
  };
}

/** The bindings of one AOR; null when it has none. `text` may leave the domain out or use another name of ours. */
export function aorRegistrationsView(
  sources: Pick<ApiSources, "store" | "clock" | "keepalive" | "appliance">,
  text: string,
): Answer<"AorRegistrations"> | null {
  const aor = aorMeant(asLatin1(text), sources.appliance().domains);
  const bindings = sources.store.bindings(aor);
  if (bindings.length === 0) return null;
  const wall = sources.clock.wall();
  return {
    aor: shownText(aor),
    registrations: bindings.map((binding) => registration(binding, wall, sources.keepalive)),
  };
}

function aorMeant(text: string, domains: readonly string[]): string {
  const at = text.lastIndexOf("@");
  const canonical = domains[0];
  if (canonical === undefined) return text;
  if (at < 0) return `${text}@${canonical}`;
  const host = text.slice(at + 1).toLowerCase();
  return domains.includes(host) ? `${text.slice(0, at)}@${canonical}` : text;
}

function registration(binding: Binding, wall: number, keepalive: KeepaliveSource): Answer<"Registration"> {
  const { flow } = binding;
  const { reachable, latency_ms, missed } = keepalive.reach(binding);
  return {
    aor: shownText(binding.aor),
    contact: shownText(binding.contact),
    q: binding.q / 1000,
    expires_in_s: Math.max(0, Math.round((binding.expires_at_ms - wall) / 1000)),
    expires_at: rfc3339(binding.expires_at_ms),
    registered_at: rfc3339(binding.registered_at_ms),
    instance: binding.instance === null ? null : shownText(binding.instance),
    reg_id: binding.reg_id,
    path: binding.path.slice(0, PATH_SHOWN_MAX).map(shownText),
    user_agent: binding.user_agent === null ? null : shownText(binding.user_agent),
    transport: flow.transport,
    local: hostPort(flow.local_address, flow.local_port),
    remote: hostPort(flow.remote_address, flow.remote_port),
    flow_id: flow.id,
    nat: namesIn(flow.nat),
    alg_signs: namesIn(flow.alg),
    outbound: binding.outbound,
    reachable,
    latency_ms,
    pings_missed: missed,
  };
}

const namesIn = (list: string): string[] => (list === "" ? [] : list.split(","));

async function lookThrough(
  store: LocationStore,
  clock: Clock,
  page: Page,
  user: string | null,
): Promise<void> {
  let looked = 0;
  for (const binding of store.all()) {
    if (user === null || isOf(binding.aor, user)) page.offer(binding);
    if (++looked % SLICE === 0) await new Promise<void>((resolve) => clock.atTurnEnd(resolve));
  }
}

const isOf = (aor: string, user: string): boolean =>
  aor.startsWith(user) && aor.lastIndexOf("@") === user.length;

/** Where a binding stands: by the start of its AOR, then by a digest of its AOR and key. */
interface Place {
  readonly aor: string;
  readonly digest: string;
}

class Row implements Place {
  readonly binding: Binding;
  readonly aor: string;
  #digest = "";

  constructor(binding: Binding, aor: string) {
    this.binding = binding;
    this.aor = aor;
  }

  /** Made only where two AORs are alike: hashing every binding would cost more than all the rest. */
  get digest(): string {
    if (this.#digest === "") {
      const hash = Bun.SHA256.hash(`${this.binding.aor}\0${this.binding.key}`, "base64url");
      this.#digest = hash.slice(0, DIGEST_CHARS);
    }
    return this.#digest;
  }
}

function readCursor(cursor: string): Place | null {
  const place = placeOf(cursor);
  if (place === null || place.length < DIGEST_CHARS) return null;
  return { digest: place.slice(0, DIGEST_CHARS), aor: place.slice(DIGEST_CHARS) };
}

function compare(a: Place, b: Place): number {
  if (a.aor !== b.aor) return a.aor < b.aor ? -1 : 1;
  if (a.digest === b.digest) return 0;
  return a.digest < b.digest ? -1 : 1;
}

/** The first `max` rows behind `after`, in order, of all that are offered. */
class Page {
  readonly rows: Row[] = [];
  readonly #max: number;
  readonly #after: Place | null;

  constructor(max: number, after: Place | null) {
    this.#max = max;
    this.#after = after;
  }

  offer(binding: Binding): void {
    const aor = binding.aor.slice(0, PLACE_CHARS_MAX);
    if (this.#after !== null && aor < this.#after.aor) return;
    const full = this.rows.length === this.#max;
    if (full && aor > this.rows.at(-1)!.aor) return;
    const row = new Row(binding, aor);
    if (this.#after !== null && compare(row, this.#after) <= 0) return;
    const index = this.#indexFor(row);
    if (index < 0) return;
    this.rows.splice(index, 0, row);
    if (full) this.rows.length = this.#max;
  }

  /** Where the row belongs; -1 when it is there already: its AOR was registered anew while we looked. */
  #indexFor(row: Row): number {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = compare(this.rows[middle]!, row);
      if (order === 0) return -1;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
