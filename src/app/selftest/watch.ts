/** What the running appliance says of the test: whether it knows the accounts, the call, its record and its trace. */
import * as v from "valibot";
import type { Answer } from "../../api/schemas.ts";
import { SCHEMAS } from "../../api/schemas.ts";
import type { Api } from "../commands/ask-api.ts";
import { traceText } from "../trace-text.ts";

const ROWS_MAX = 1000;

export type Listener = Answer<"Status">["listeners"][number];

export class Watch {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Rejects where nothing answers that may be asked. */
  async listeners(): Promise<readonly Listener[]> {
    return v.parse(SCHEMAS.Status, await this.#ask("/v1/status")).listeners;
  }

  async knows(user: string): Promise<boolean> {
    try {
      await this.#api.get(`/v1/users/${encodeURIComponent(user)}/forwarding`);
      return true;
    } catch {
      return false; // 404, or it is busy: whoever asks does so again
    }
  }

  /** Null: it is not among the calls that run. */
  async call(call_id: string): Promise<Answer<"Call"> | null> {
    const { calls } = v.parse(SCHEMAS.Calls, await this.#ask(`/v1/calls?limit=${ROWS_MAX}`));
    return calls.find((call) => call.call_id === call_id) ?? null;
  }

  /** Null: there is none among the newest. */
  async record(call_id: string): Promise<Answer<"CallRecord"> | null> {
    const { records } = v.parse(SCHEMAS.CallRecords, await this.#ask("/v1/records?limit=100"));
    return records.find((record) => record.call_id === call_id) ?? null;
  }

  /** Null: nothing is kept of it. */
  async ladder(call_id: string): Promise<string | null> {
    try {
      return traceText(await this.#ask(`/v1/traces/${encodeURIComponent(call_id)}`), false);
    } catch {
      return null;
    }
  }

  async #ask(path: string): Promise<unknown> {
    return (await this.#api.get(path)).json();
  }
}
