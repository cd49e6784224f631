/**
 * `/v1/registrations`: bindings in the order of their users, page by page. A hundred thousand of them
 * are looked through in slices, so that no message waits for a reader of lists.
 */
import { hostPort } from "../base/flow.ts";
import type { Binding } from "../location/binding.ts";
import { cursorOf, placeOf } from "./paging.ts";
import type { Answer } from "./schemas.ts";
import { asLatin1, shownText } from "./shown-text.ts";
import type { ApiSources, ApplianceSnapshot } from "./sources.ts";
import { rfc3339 } from "./time.ts";

/** Bindings looked at before other work may pass: less than a millisecond. */
const SLICE = 2000;
/** Characters of a user that decide its place, so that every cursor fits into a URL. */
const PLACE_CHARS_MAX = 500;
/** Path values shown of one binding. */
const PATH_SHOWN_MAX = 20;
const DIGEST_CHARS = 22;

type RegistrationSources = Pick<ApiSources, "store" | "clock" | "keepalive" | "appliance">;

export interface RegistrationsWanted {
  /** The user part; absent: everybody's. */
  readonly user?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** One page; null when the cursor is none of ours. */
export async function registrationsView(
  sources: RegistrationSources,
  { user, limit, cursor }: RegistrationsWanted,
): Promise<Answer<"Registrations"> | null> {
  const after = cursor === undefined ? null : readCursor(cursor);
  if (after === null && cursor !== undefined) return null;
  const page = new Page(limit + 1, after);
  await lookThrough(sources, page, user === undefined ? null : asLatin1(user));
  const rows = page.rows.slice(0, limit);
  const last = page.rows.length > limit ? rows.at(-1) : undefined;
  return {
    registrations: rows.map(({ binding }) => registration(sources, binding)),
    next_cursor: last === undefined ? null : cursorOf(last.digest + last.start),
  };
}

/** The bindings of one AOR; null when it has none. `text` may leave the domain out or use another name of ours. */
export function aorRegistrationsView(
  sources: RegistrationSources,
  text: string,
): Answer<"AorRegistrations"> | null {
  const user = userMeant(asLatin1(text), sources.appliance());
  const bindings = user === null ? [] : sources.store.bindings(user);
  if (user === null || bindings.length === 0) return null;
  return {
    aor: aorOf(sources, user),
    registrations: bindings.map((binding) => registration(sources, binding)),
  };
}

/** Null: somebody elsewhere. */
function userMeant(text: string, { aor_domain, domains }: ApplianceSnapshot): string | null {
  const at = text.lastIndexOf("@");
  if (at < 0) return text;
  const host = text.slice(at + 1).toLowerCase();
  return host === aor_domain || domains.includes(host) ? text.slice(0, at) : null;
}

function aorOf(sources: RegistrationSources, user: string): string {
  return shownText(`${user}@${sources.appliance().aor_domain}`);
}

function registration(sources: RegistrationSources, binding: Binding): Answer<"Registration"> {
  const { flow } = binding;
  const { reachable, latency_ms, missed } = sources.keepalive.reach(binding);
  const wall = sources.clock.wall();
  return {
    aor: aorOf(sources, binding.user),
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
  { store, clock }: RegistrationSources,
  page: Page,
  user: string | null,
): Promise<void> {
  let looked = 0;
  for (const binding of store.all()) {
    if (user === null || binding.user === user) page.offer(binding);
    if (++looked % SLICE === 0) await new Promise<void>((resolve) => clock.atTurnEnd(resolve));
  }
}

/** Where a binding stands: by the start of its user, then by a digest of its user and key. */
interface Place {
  readonly start: string;
  readonly digest: string;
}

class Row implements Place {
  readonly binding: Binding;
  readonly start: string;
  #digest = "";

  constructor(binding: Binding, start: string) {
    this.binding = binding;
    this.start = start;
  }

  /** Made only where two users are alike: hashing every binding would cost more than all the rest. */
  get digest(): string {
    if (this.#digest === "") {
      const hash = Bun.SHA256.hash(`${this.binding.user}\0${this.binding.key}`, "base64url");
      this.#digest = hash.slice(0, DIGEST_CHARS);
    }
    return this.#digest;
  }
}

function readCursor(cursor: string): Place | null {
  const place = placeOf(cursor);
  if (place === null || place.length < DIGEST_CHARS) return null;
  return { digest: place.slice(0, DIGEST_CHARS), start: place.slice(DIGEST_CHARS) };
}

function compare(a: Place, b: Place): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
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
    const start = binding.user.slice(0, PLACE_CHARS_MAX);
    if (this.#after !== null && start < this.#after.start) return;
    const full = this.rows.length === this.#max;
    if (full && start > this.rows.at(-1)!.start) return;
    const row = new Row(binding, start);
    if (this.#after !== null && compare(row, this.#after) <= 0) return;
    const index = this.#indexFor(row);
    if (index < 0) return;
    this.rows.splice(index, 0, row);
    if (full) this.rows.length = this.#max;
  }

  /** Where the row belongs; -1 when it is there already: it was registered anew while we looked. */
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
