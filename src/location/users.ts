/**
 * Who may register and call: user names with digest hashes (RFC 7616, RFC 8760). Passwords never get here.
 */
import type { StoreFailureCode } from "./store.ts";

export interface User {
  readonly name: string;
  /** The realm its hashes were made for; of no use under another one. */
  readonly realm: string;
  /** H(name:realm:password) in lower-case hex; null when not known. */
  readonly ha1_md5: string | null;
  readonly ha1_sha256: string | null;
  readonly ha1_sha512_256?: string | null;
  readonly source: "config" | "store";
  /** Known, but refused. */
  readonly disabled?: boolean;
}

/** `bad_user`: not storable as given; `unknown_user`: not among the stored ones. */
export interface UserFailure {
  readonly code: StoreFailureCode | "bad_user" | "unknown_user";
  readonly message: string;
}

export interface UserStore {
  /** The user of that name, disabled ones too; one from the config hides a stored one. From memory. */
  find(name: string): User | null;
  /** Every user as `find` gives it, by name. */
  list(): readonly User[];
  /** Stores the user in place of one of that name; `source` is not looked at. Null: it is on disk. */
  put(user: User): UserFailure | null;
  /** Null: it is gone from the disk. */
  remove(name: string): UserFailure | null;
  /** The users of the config, all of them; they replace those given before. */
  setConfigUsers(users: readonly User[]): void;
}

export const USER_NAME_CHARS_MAX = 128;

/** Why the user cannot be stored; null when it can. Bytes above 0x7F pass: they are parts of UTF-8. */
export function checkUser({
  name,
  realm,
  ha1_md5,
  ha1_sha256,
  ha1_sha512_256 = null,
}: User): UserFailure | null {
  if (name.length > USER_NAME_CHARS_MAX || !/^[^\x00-\x20\x7f":]+$/.test(name)) {
    return bad(`a user name is 1 to ${USER_NAME_CHARS_MAX} characters without spaces, quotes and colons`);
  }
  if (!/^[^\x00-\x1f\x7f"]+$/.test(realm)) return bad("a realm has at least one character, and no quotes");
  if (ha1_md5 === null && ha1_sha256 === null) return bad("a user needs at least one hash");
  if (ha1_md5 !== null && !/^[0-9a-f]{32}$/.test(ha1_md5)) return bad("ha1_md5 is 32 lower-case hex digits");
  if (ha1_sha256 !== null && !/^[0-9a-f]{64}$/.test(ha1_sha256)) {
    return bad("ha1_sha256 is 64 lower-case hex digits");
  }
  if (ha1_sha512_256 !== null && !/^[0-9a-f]{64}$/.test(ha1_sha512_256)) {
    return bad("ha1_sha512_256 is 64 lower-case hex digits");
  }
  return null;
}

const bad = (message: string): UserFailure => ({ code: "bad_user", message });
