/** What the running appliance says of the test: whether it knows the accounts, the call, its record and its trace. */
import * as v from "valibot";
import type { Answer } from "../../api/schemas.ts";
import { SCHEMAS } from "../../api/schemas.ts";
import type { Api } from "../commands/ask-api.ts";
import { complaintOf } from "../commands/ask-api.ts";
import { traceText } from "../trace-text.ts";
import { Failed } from "./failed.ts";

const ROWS_MAX = 1000;
const RECORDS_MAX = 100;

export type Listener = Answer<"Status">["listeners"][number];

/** Everything it is asked rejects with Failed where nothing answers, or something else does. */
export class Watch {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async listeners(): Promise<readonly Listener[]> {
    return (await this.#ask("/v1/status", SCHEMAS.Status)).listeners;
  }

  async knows(user: string): Promise<boolean> {
    try {
      await this.#api.get(`/v1/users/${encodeURIComponent(user)}/forwarding`);
      return true;
    } catch {
      return false; // 404, or it is busy: whoever asks does so again
    }
  }

  /** Whether the call is among those that run; null: there are more than can be looked at. */
  async isRunning(call_id: string): Promise<boolean | null> {
    const { calls, calls_total } = await this.#ask(`/v1/calls?limit=${ROWS_MAX}`, SCHEMAS.Calls);
    if (calls.some((call) => call.call_id === call_id)) return true;
    return calls_total > calls.length ? null : false;
  }

  /** Null: there is none among the newest. */
  async record(call_id: string): Promise<Answer<"CallRecord"> | null> {
    const { records } = await this.#ask(`/v1/records?limit=${RECORDS_MAX}`, SCHEMAS.CallRecords);
    return records.find((record) => record.call_id === call_id) ?? null;
  }

  async bans(): Promise<Answer<"Bans">["bans"]> {
    return (await this.#ask(`/v1/bans?limit=${ROWS_MAX}`, SCHEMAS.Bans)).bans;
  }

  /** Null: nothing is kept of it. */
  async ladder(call_id: string): Promise<string | null> {
    try {
      const answer = await this.#api.get(`/v1/traces/${encodeURIComponent(call_id)}`);
      return traceText(await answer.json(), false);
    } catch {
      return null;
    }
  }

  async #ask<Schema extends v.GenericSchema>(path: string, schema: Schema): Promise<v.InferOutput<Schema>> {
    let answer: unknown;
    try {
      answer = await (await this.#api.get(path)).json();
    } catch (error) {
      throw new Failed(complaintOf(this.#api.base, error), "sipedge doctor looks further");
    }
    const read = v.safeParse(schema, answer);
    if (read.success) return read.output;
    throw new Failed(
      `what answers at ${this.#api.base} is no sipedge, or one of another version`,
      "look at [http]",
    );
  }
}
