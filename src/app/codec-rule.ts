/** What the config says of codecs, as it is applied to session descriptions. */
import type { Config } from "../config/schema.ts";
import type { CodecRule } from "../message/sdp-codec-rule.ts";

/** Null: nothing is done to them. */
export function codecRuleOf({ codecs_remove, codecs_prefer }: Config["media"]): CodecRule | null {
  const remove = codecs_remove.map((name) => name.toLowerCase());
  const prefer = codecs_prefer.map((name) => name.toLowerCase());
  return remove.length + prefer.length === 0 ? null : { remove, prefer };
}
