/**
 * Keys about people: [auth], [[user]] and [registrar].
 */
import * as v from "valibot";
import { parseNetwork } from "../base/networks.ts";
import { USER_NAME, USER_NAME_ALLOWED, userCallKeys } from "./keys-calls.ts";
import { isRealm, REALM_ALLOWED } from "./keys-realm.ts";
import {
  integer,
  listOf,
  SECRET_CHARS_MAX,
  secret,
  section,
  sections,
  someOf,
  text,
  truth,
} from "./kinds.ts";

const USERS_MAX = 100_000;

export const auth = section(
  { does: "Who has to prove who they are." },
  {
    realm: v.optional(
      v.nullable(
        text(isRealm, REALM_ALLOWED, {
          does: "The name that goes into password hashes; else the first of domains, else sipedge.",
          without: "changing it makes every stored hash useless: all accounts need new passwords",
          example: "example.test",
        }),
      ),
      null,
    ),
    trusted_networks: v.optional(
      listOf((network) => parseNetwork(network) !== null, "IP addresses or networks like 192.0.2.0/24", {
        does: "Senders that are not asked for a password: a PBX, a trunk, a lab.",
        without: "whoever sends from there calls anyone, under any name",
        example: ["192.0.2.20", "10.20.0.0/16"],
      }),
      [],
    ),
    algorithms: v.optional(
      someOf(["SHA-512-256", "SHA-256", "MD5"], {
        does: "Digest algorithms that are offered, best first (RFC 8760).",
        without:
          "many phones give up when SHA-256 is offered first, some when it is offered at all: add it when yours know it, MD5 last",
      }),
      ["MD5"],
    ),
    qop: v.optional(
      someOf(["auth", "auth-int"], {
        does: "What a proof covers, best first: auth-int covers the body as well (RFC 7616 §3.4.3).",
        without:
          "few phones know auth-int; alone it shuts the others out, and an ALG that changes a body breaks the proof",
      }),
      ["auth"],
    ),
    check_from: v.optional(
      truth({
        does: "A caller's From must name the account it has proved, or one of that account's identities; else 403.",
        without: "false: whoever has an account calls under any name of this domain",
      }),
      true,
    ),
    nonce_source: v.optional(
      truth({
        does: "A challenge is answered from the address it was sent to; from another one a new challenge is sent.",
        without:
          "an answer that was overheard is of use elsewhere while it is new; with it, whoever changes networks is asked once more",
      }),
      false,
    ),
    nonce_lifetime_s: v.optional(
      integer(10, 86_400, "seconds", {
        does: "How long one challenge may be answered; phones renew by themselves.",
        without: "short: more round trips; long: more time for whoever overheard an answer",
      }),
      300,
    ),
  },
);

export const user = sections(
  [0, USERS_MAX],
  {
    does: "An account a phone registers with. Better kept out of this file: sipedge user add NAME.",
    entries: [
      { name: "alice", password: "file:/etc/sipedge/alice.password" },
      {
        name: "bob",
        ha1: "9b0b3b1f9b0d2e6a5d0c2f8e7a6b5c4d",
        ha1_sha256: "3f1d0c2b4a5968778695a4b3c2d1e0f03f1d0c2b4a5968778695a4b3c2d1e0f0",
        ha1_sha512_256: "a4b3c2d1e0f03f1d0c2b4a59687786953f1d0c2b4a5968778695a4b3c2d1e0f0",
      },
    ],
  },
  {
    name: text((name) => USER_NAME.test(name), USER_NAME_ALLOWED, {
      does: "The part before the @: alice, or an extension like 201.",
      without: "an account without a name cannot be called",
    }),
    password: v.exactOptional(
      secret(
        {
          test: new RegExp(`^[^\\x00-\\x1f\\x7f]{1,${SECRET_CHARS_MAX}}$`),
          allowed: `1..${SECRET_CHARS_MAX} characters`,
        },
        {
          does: "The password. One that begins with file: or env: must lie in a file or in the environment itself.",
          without: "either this or ha1 is needed",
        },
      ),
    ),
    ha1: v.exactOptional(
      secret(
        { test: /^[0-9a-f]{32}$/i, allowed: "32 hex digits: MD5 of name:realm:password" },
        {
          does: "In place of the password: the MD5 hash of name:realm:password.",
          without: "either this or password is needed",
        },
      ),
    ),
    ha1_sha256: v.exactOptional(
      secret(
        { test: /^[0-9a-f]{64}$/i, allowed: "64 hex digits: SHA-256 of name:realm:password" },
        {
          does: "Beside ha1: the SHA-256 hash of name:realm:password.",
          without: "this account is not offered SHA-256",
        },
      ),
    ),
    ha1_sha512_256: v.exactOptional(
      secret(
        { test: /^[0-9a-f]{64}$/i, allowed: "64 hex digits: SHA-512/256 of name:realm:password" },
        {
          does: "Beside ha1: the SHA-512/256 hash of name:realm:password.",
          without: "this account is not offered SHA-512-256",
        },
      ),
    ),
    realm: v.exactOptional(
      text(isRealm, REALM_ALLOWED, {
        does: "The realm that ha1 and ha1_sha256 were made for; else auth.realm.",
        without: "a hash made for another realm than a phone is asked with proves nothing",
        example: "asterisk",
      }),
    ),
    identities: v.optional(
      listOf((name) => USER_NAME.test(name), 'names and numbers like "+49301234"', {
        does:
          "Names this account may call under beside its own (From, P-Preferred-Identity). " +
          'A "*" at the end stands for anything: "+4930123*" is a block of numbers, "*" any name, for a PBX.',
        without: "a PBX that shows the numbers of its extensions is refused with 403",
        example: ["+49301234", "+4930555*"],
      }),
      [],
    ),
    ...userCallKeys,
  },
);

export const registrar = section(
  { does: "How long registrations last (RFC 3261 §10.3)." },
  {
    min_expires_s: v.optional(
      integer(1, 3600, "seconds", {
        does: "The shortest registration; a shorter wish is answered 423 with this value.",
        without: "phones that register every few seconds wear out the disk",
        start: true,
      }),
      60,
    ),
    max_expires_s: v.optional(
      integer(1, 2_592_000, "seconds", {
        does: "The longest registration; a longer wish gets this one.",
        without: "phones that were unplugged stay callable for as long",
        start: true,
      }),
      3600,
    ),
    default_expires_s: v.optional(
      integer(1, 2_592_000, "seconds", {
        does: "For phones that name no time.",
        without: "must lie between the other two",
        start: true,
      }),
      3600,
    ),
    max_contacts: v.optional(
      integer(1, 100, "contacts", {
        does: "Phones registered at once under one name.",
        without: "a phone that changes its address at every start rings as many ghosts",
        start: true,
      }),
      10,
    ),
    service_route: v.optional(
      truth({
        does: "Phones are told to send all they send through the listener they registered at (RFC 3608).",
        without: "phones find their own way, which is right unless another proxy stands between",
      }),
      false,
    ),
  },
);
