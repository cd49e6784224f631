/**
 * Keys about TLS: [[certificate]] and [tls].
 */
import * as v from "valibot";
import { integer, oneOf, section, sections, text, truth } from "./kinds.ts";

const CERTIFICATES_MAX = 1000;
const PATH_CHARS_MAX = 4096;
const CIPHERS_CHARS_MAX = 2000;

const isPath = (path: string): boolean =>
  path.startsWith("/") && path.length <= PATH_CHARS_MAX && !path.includes("\0");

export const certificate = sections(
  [0, CERTIFICATES_MAX],
  {
    does:
      "What this appliance shows to TLS peers: the one whose names fit what a peer asks for, else the first. Changed " +
      "files are read again within seconds, and no connection is dropped.",
    entries: [{ file: "/etc/sipedge/tls/fullchain.pem", key: "/etc/sipedge/tls/privkey.pem" }],
  },
  {
    file: text(isPath, "an absolute path", {
      does: "PEM: the certificate, and behind it those it was signed with.",
      without: "no phone can tell who this is",
    }),
    key: text(isPath, "an absolute path", {
      does: "PEM: its private key, without a password.",
      without: "the certificate cannot be proved",
    }),
  },
);

export const tls = section(
  { does: "TLS, on listeners with transport tls and towards peers." },
  {
    min_version: v.optional(
      oneOf(["1.2", "1.3"], {
        does: "The oldest version that is spoken.",
        without: "1.3: phones of some years ago cannot connect",
      }),
      "1.2",
    ),
    ciphers: v.optional(
      v.nullable(
        text(
          (list) => /^[\w:!+@=-]+$/.test(list) && list.length <= CIPHERS_CHARS_MAX,
          "an OpenSSL cipher list",
          {
            does: "What may be used with TLS 1.2; TLS 1.3 has its own.",
            without: "the platform's choice, which leaves out what is known to be broken",
            example: "ECDHE+AESGCM:ECDHE+CHACHA20",
          },
        ),
      ),
      null,
    ),
    ca: v.optional(
      v.nullable(
        text(isPath, "an absolute path", {
          does: "PEM: those whose signature under a peer's certificate is believed, in place of the usual ones.",
          without: "certificates of your own authority are refused",
          example: "/etc/sipedge/tls/ca.pem",
        }),
      ),
      null,
    ),
    client_certificate: v.optional(
      oneOf(["none", "request", "require"], {
        does: "Whether whoever connects is asked for a certificate, and refused without a good one (mutual TLS).",
        without: "require: phones without a certificate of their own cannot connect",
        restart: true,
      }),
      "none",
    ),
    verify: v.optional(
      truth({
        does: "Whether the servers that we connect to must show a good certificate for their name (RFC 5922).",
        without: "false: whoever stands in the way can take their place, and hears what is said",
      }),
      true,
    ),
    handshakes_max: v.optional(
      integer(1, 100_000, "connections", {
        does: "Connections at once whose handshake is not over; tcp.connect_timeout_ms bounds how long it may take.",
        without: "many that connect and say nothing cost memory",
      }),
      500,
    ),
  },
);
