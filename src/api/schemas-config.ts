/** The shapes of `/v1/config`, and of what became of the file when it was last read. */
import * as v from "valibot";
import { time, yes } from "./kinds.ts";

export const Reload = v.object({
  last_at: time("When the config file was last read again"),
  ok: yes("Whether it was taken over"),
  errors: v.pipe(v.array(v.string()), v.description("Its mistakes; the state before stays in force")),
  restart_needed: v.pipe(
    v.array(v.string()),
    v.description("Keys that changed since the start and count only after a restart"),
  ),
});

export const Configuration = v.object({
  config: v.pipe(
    v.record(v.string(), v.unknown()),
    v.description("What counts, by the keys of the file; null: unset, ***: a secret"),
  ),
  reload: v.pipe(v.nullable(Reload), v.description("Null: not read again since the start")),
});
