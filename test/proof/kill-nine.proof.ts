/**
 * Proof: a registration answered with 200 is on disk. The appliance is killed with SIGKILL under a load
 * of registrations, again and again; after each restart nothing that was promised is missing.
 *
 *     ROUNDS=20 bun test ./test/proof/kill-nine.proof.ts
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { Edge } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import { RegisteringPhones } from "./registering-phones.ts";

const ROUNDS = Number(process.env.ROUNDS ?? 20);
const EDGE = "127.0.0.2";
const TRUSTED = '[auth]\ntrusted_networks = ["127.0.0.0/8"]';
const PHONES = "127.0.0.71";
const USERS = 1500;
const RATE = 1000;
const LOAD_LEAST_MS = 1000;
const LOAD_SPREAD_MS = 1500;
const CALLS = 5;
const ROUND_BOUND_MS = 30_000;

interface Registration {
  readonly aor: string;
  readonly registered_at: string;
  readonly expires_at: string;
}

/** The seconds each registered user was given, as the status API tells. */
async function registrations(edge: Edge): Promise<Map<string, number>> {
  const seconds = new Map<string, number>();
  let cursor = "";
  do {
    type Page = { registrations: Registration[]; next_cursor: string | null };
    const page = await edge.get<Page>(`/v1/registrations?limit=1000${cursor}`);
    for (const { aor, registered_at, expires_at } of page.registrations)
      seconds.set(
        aor.slice(0, aor.indexOf("@")),
        (Date.parse(expires_at) - Date.parse(registered_at)) / 1000,
      );
    cursor = page.next_cursor === null ? "" : `&cursor=${encodeURIComponent(page.next_cursor)}`;
  } while (cursor !== "");
  return seconds;
}

function integrity(edge: Edge): unknown {
  const database = new Database(join(edge.dir, "data", "sipedge.db"), { readonly: true });
  try {
    return database.query("PRAGMA integrity_check").get();
  } finally {
    database.close();
  }
}

/** Calls some of those who must be registered; gives how many phones rang. */
async function ringing(edge: Edge, phones: RegisteringPhones): Promise<number> {
  const users = phones.registered().slice(0, CALLS);
  const calls = users.map((user) => phones.call(user, edge.hostPort));
  await eventually("the phones to ring", () => calls.every((id) => phones.rang(id)));
  return calls.length;
}

test(
  `kill -9 under load, ${ROUNDS} times: no promised registration is missing`,
  async () => {
    const edge = await Edge.start({ addresses: [EDGE], toml: TRUSTED });
    const phones = await RegisteringPhones.open(PHONES, [EDGE, edge.port], USERS);
    try {
      for (let round = 1; round <= ROUNDS; round++) {
        const before = { sent: phones.sent, answered: phones.answered };
        const load = phones.run(RATE, ROUND_BOUND_MS);
        await Bun.sleep(LOAD_LEAST_MS + Math.random() * LOAD_SPREAD_MS);
        edge.program.signal("SIGKILL");
        await edge.program.ended();
        phones.halt();
        await load;
        await edge.again();
        const held = await registrations(edge);
        const promises = [...phones.promises()];
        const broken = promises.filter(({ user, allowed }) => !allowed.includes(held.get(user) ?? 0));
        const rang = broken.length === 0 ? await ringing(edge, phones) : 0;
        const check = integrity(edge);
        process.stderr.write(
          `round ${round}: ${phones.sent - before.sent} sent, ${phones.answered - before.answered} answered, ` +
            `${promises.length} promises, ${broken.length} broken, ${held.size} held, ${rang} rang, ` +
            `${JSON.stringify(check)}\n`,
        );
        expect(phones.answered - before.answered).toBeGreaterThan(LOAD_LEAST_MS / 4);
        expect(broken).toEqual([]);
        expect(rang).toBe(CALLS);
        expect(check).toEqual({ integrity_check: "ok" });
        phones.found(held);
      }
    } finally {
      phones.close();
      await edge.stop();
    }
  },
  ROUNDS * ROUND_BOUND_MS,
);
