/**
 * The self-test: two phones of our own register and call each other through every listener of a running appliance.
 * Says each step as it happens; nothing is left behind, whether it fails or is stopped.
 */
import type { Clock } from "../../base/clock.ts";
import type { Dice } from "../../base/dice.ts";
import type { Config } from "../../config/schema.ts";
import { localAddresses } from "../../transport/local-addresses.ts";
import type { Api } from "../commands/ask-api.ts";
import { realmOf } from "../room-rules.ts";
import { TestAccounts } from "./accounts.ts";
import { Failed, Patience } from "./failed.ts";
import { keptOut } from "./kept-out.ts";
import { ListenerTest } from "./listener-test.ts";
import { stepText } from "./report.ts";
import type { Secret } from "./sip-text.ts";
import type { Target } from "./targets.ts";
import { targetsOf, targetText } from "./targets.ts";
import type { Listener } from "./watch.ts";
import { Watch } from "./watch.ts";

export interface SelftestParts {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly config: Config;
  readonly data_dir: string;
  /** Null: the config has none. */
  readonly api: Api | null;
  /** Ends it early. */
  readonly stop: AbortSignal;
  readonly print: (text: string) => void;
}

/** A running appliance sees what another process stores after a second. */
const SEEN_MS = 1500;
const KNOWN_MS = 6000;
const LOOK_MS = 100;

/** Whether calls pass through every listener. */
export async function selftest(parts: SelftestParts): Promise<boolean> {
  const { config, print, data_dir, clock, dice, stop } = parts;
  const { watch, listeners } = await running(parts);
  const targets = targetsOf(config, localAddresses(), (transport, address) => {
    const bound = listeners.find((each) => each.transport === transport && each.address === address);
    return bound?.port ?? null;
  });
  if (targets.length === 0) {
    print(stepText(failed("listeners", new Failed("none is known", "give them ports in [[listen]]"))));
    return false;
  }
  let accounts: TestAccounts | null = null;
  try {
    accounts = new TestAccounts(data_dir, clock, dice);
    const realm = realmOf(config);
    const pair = [accounts.add(realm, "caller"), accounts.add(realm, "callee")] as const;
    await becomeKnown(new Patience(clock, stop), watch, pair);
    return await all(parts, targets, watch, pair);
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    print(stepText(failed("accounts", error)));
    return false;
  } finally {
    for (const name of accounts?.close() ?? [])
      print(`the account ${name} could not be removed: sipedge user remove ${name}\n`);
  }
}

async function running({
  api,
  print,
}: SelftestParts): Promise<{ watch: Watch | null; listeners: readonly Listener[] }> {
  if (api === null) {
    print("http.enabled is false: no look at calls, records and traces\n");
    return { watch: null, listeners: [] };
  }
  const watch = new Watch(api);
  try {
    return { watch, listeners: await watch.listeners() };
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    print(`no look at calls, records and traces: ${error.message}\n`);
    return { watch: null, listeners: [] };
  }
}

/** An unknown account that tries to register counts as a guess: nothing is sent before it is known. */
async function becomeKnown(
  patience: Patience,
  watch: Watch | null,
  accounts: readonly Secret[],
): Promise<void> {
  if (watch === null) return patience.pause(SEEN_MS);
  for (const { name } of accounts) {
    const known = await patience.until(async () => (await watch.knows(name)) || null, LOOK_MS, KNOWN_MS);
    if (known === null)
      throw new Failed(
        "the running appliance does not see the account that was stored for the test",
        "it has another data_dir: give its config, and run as the user that runs it",
      );
  }
}

async function all(
  parts: SelftestParts,
  targets: readonly Target[],
  watch: Watch | null,
  [caller, callee]: readonly [Secret, Secret],
): Promise<boolean> {
  const { clock, config, dice, print, stop } = parts;
  let good = 0;
  let untested = 0;
  for (const target of targets) {
    if (stop.aborted) break;
    print(`${targetText(target)}\n`);
    if (needsCertificate(config, target)) {
      print(`${stepText(NEEDS_CERTIFICATE)}\n`);
      untested++;
      continue;
    }
    const patience = new Patience(clock, stop);
    const hasRecords = config.records.enabled;
    const tell = (step: Parameters<typeof stepText>[0]): void => print(stepText(step));
    const rooms = { patience, dice, watch, hasRecords, tell };
    const keptOutBy = (): Promise<string | null> => keptOut(config, watch, target.address);
    const test = new ListenerTest({ ...rooms, caller, callee, keptOut: keptOutBy }, target);
    const { isGood, callId } = await test.run();
    if (isGood) good++;
    const ladder = callId === null ? null : await watch?.ladder(callId);
    print(ladder === null || ladder === undefined ? "\n" : `\n${ladder}\n`);
  }
  const isGood = good > 0 && good + untested === targets.length;
  const but = untested > 0 ? `, ${untested} could not be tested` : "";
  print(`${isGood ? "ok" : "FAILED"}: calls pass through ${good} of ${targets.length} listeners${but}\n`);
  return isGood;
}

const needsCertificate = ({ tls }: Config, { transport }: Target): boolean =>
  tls.client_certificate === "require" && (transport === "tls" || transport === "wss");

const NEEDS_CERTIFICATE = {
  outcome: "look",
  what: "connect",
  found: ["tls.client_certificate is require, and the test phones have none"],
  cure: "test it with a phone that has one",
} as const;

const failed = (what: string, { message, cure }: Failed) =>
  ({ outcome: "failed", what, found: [message], cure }) as const;
