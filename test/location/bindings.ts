/** Bindings for tests: everything has a value, `binding("alice", { … })` says what matters. */
import type { Binding } from "../../src/location/binding.ts";
import type { LocationStore, StoreFailure } from "../../src/location/store.ts";
import type { VirtualClock } from "../support/virtual-clock.ts";

export const HOUR_MS = 3_600_000;

export function binding(clock: VirtualClock, user: string, changes: Partial<Binding> = {}): Binding {
  const wall = clock.wall();
  return {
    user,
    key: `sip:${user}@192.0.2.7:5062`,
    contact: `sip:${user}@192.0.2.7:5062;ob`,
    params: `;+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";x="a\\"b"`,
    q: 500,
    expires_at_ms: wall + HOUR_MS,
    registered_at_ms: wall,
    call_id: `1j9FpLxk3uxtm8tn@${user}`,
    cseq: 1,
    instance: "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>",
    reg_id: 1,
    outbound: true,
    path: ["<sip:edge1.example.test;lr>", '"a, b" <sip:edge2.example.test;lr;ob>'],
    user_agent: "Phone/1.0",
    flow: {
      transport: "tcp",
      local_address: "10.0.0.1",
      local_port: 5060,
      remote_address: "192.0.2.7",
      remote_port: 5062,
      nat: "private_contact,via_mismatch",
      alg: "",
      id: "tcp:10.0.0.1:5060>192.0.2.7:5062#3",
    },
    ...changes,
  };
}

/** The next refresh of a binding: later, with a higher CSeq, nothing else. */
export function refreshed(clock: VirtualClock, old: Binding, changes: Partial<Binding> = {}): Binding {
  const wall = clock.wall();
  return { ...old, registered_at_ms: wall, expires_at_ms: wall + HOUR_MS, cseq: old.cseq + 1, ...changes };
}

/** Replaces, ends the turn, and gives what `done` was told: one entry per call. */
export function stored(
  clock: VirtualClock,
  store: LocationStore,
  user: string,
  next: readonly Binding[],
): (StoreFailure | null)[] {
  const told: (StoreFailure | null)[] = [];
  store.replace(user, next, (failure) => told.push(failure));
  clock.endTurn();
  return told;
}
