/**
 * Keys about what is kept of calls: [records].
 */
import * as v from "valibot";
import { integer, SECRET_CHARS_MAX, secret, section, text, truth } from "./kinds.ts";
import { maskedUrl } from "./masks.ts";

const PATH_CHARS_MAX = 4096;

export const records = section(
  { does: "What is kept of calls: /v1/calls shows those that run, /v1/records those that are over." },
  {
    enabled: v.optional(
      truth({
        does: "Whether a record of each call attempt is kept.",
        without: "nobody can tell later who called whom",
      }),
      true,
    ),
    rows_max: v.optional(
      integer(1, 1_000_000, "records", {
        does: "How many are kept; the oldest go first. A record takes some 500 bytes.",
        without: "a small flash fills up",
      }),
      10_000,
    ),
    days: v.optional(
      integer(1, 3650, "days", {
        does: "How long they are kept.",
        without: "who called whom is personal data: keep it no longer than you need it",
      }),
      30,
    ),
    file: v.optional(
      v.nullable(
        text(
          (path) => path.startsWith("/") && path.length <= PATH_CHARS_MAX && !path.includes("\0"),
          "an absolute path",
          {
            does: "Records are appended to this file as well, a line of JSON each; it may be moved away at any time.",
            without: "programs that bill or count ask /v1/records",
            example: "/var/log/sipedge/calls.jsonl",
          },
        ),
      ),
      null,
    ),
    webhook: v.optional(
      v.nullable(
        text((url) => /^https?:\/\/[^\s]{1,1000}$/.test(url) && URL.canParse(url), "an http: or https: URL", {
          does: 'Records are posted here as well: {"records": [ … ]}, at most 100 at once, again until it answers 2xx.',
          without: "programs that bill or count ask /v1/records",
          example: "https://billing.example.test/calls",
          masked: maskedUrl,
        }),
      ),
      null,
    ),
    webhook_token: v.exactOptional(
      secret(
        {
          test: new RegExp(`^[\\x21-\\x7e]{1,${SECRET_CHARS_MAX}}$`),
          allowed: `1..${SECRET_CHARS_MAX} ASCII characters without spaces`,
        },
        {
          does: 'Sent with them as "Authorization: Bearer …". "file:PATH" takes it from a file, "env:NAME" from the environment.',
          without: "whoever receives them cannot tell who sent them",
          example: "file:/etc/sipedge/webhook-token",
        },
      ),
    ),
    calls_max: v.optional(
      integer(1, 1_000_000, "calls", {
        does: "Calls that are followed at once; one more is let through, and neither shown nor recorded.",
        without: "each takes some 2 KB of memory",
      }),
      20_000,
    ),
  },
);
