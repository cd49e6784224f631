/** Keys about the copy of each message that a capture server gets: [hep]. */
import * as v from "valibot";
import { isHostPort } from "./hosts.ts";
import { integer, SECRET_CHARS_MAX, secret, section, text } from "./kinds.ts";

export const hep = section(
  { does: "A copy of each SIP message for a capture server (Homer, sipcapture), as HEP version 3 over UDP." },
  {
    target: v.optional(
      v.nullable(
        text(isHostPort, "host or host:port, IPv6 in brackets", {
          does: "Where the copies go; without a port to 9060. Passwords' proofs, media keys and texts are stars in them.",
          without: "no copy is made",
          example: "192.0.2.60:9060",
        }),
      ),
      null,
    ),
    capture_id: v.optional(
      integer(0, 4_294_967_295, "number", {
        does: "The number by which the capture server knows this appliance.",
        without: "copies of several appliances cannot be told apart",
      }),
      1,
    ),
    password: v.exactOptional(
      secret(
        {
          test: new RegExp(`^[\\x21-\\x7e]{1,${SECRET_CHARS_MAX}}$`),
          allowed: `1..${SECRET_CHARS_MAX} ASCII characters without spaces`,
        },
        {
          does: 'Sent with each copy, in clear. "file:PATH" takes it from a file, "env:NAME" from the environment.',
          without: "a capture server that asks for one throws the copies away",
          example: "file:/etc/sipedge/hep-password",
        },
      ),
    ),
  },
);
