/**
 * Digest arithmetic (RFC 7616 §3.4, RFC 8760): pure; MD5, SHA-256 and SHA-512-256, qop auth and auth-int.
 */

export type Algorithm = "MD5" | "SHA-256" | "SHA-512-256";

/** What the response covers: the request line alone, or the body as well (§3.4.3). */
export type Qop = "auth" | "auth-int";

/** Hash of a latin1 string (one character, one byte, as it came from the wire) as lower-case hex. */
function hash(algorithm: Algorithm, text: string): string {
  const input = isAscii(text) ? text : Buffer.from(text, "latin1");
  return hashOf(algorithm, input);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** HA1 = H(username ":" realm ":" password): all that is ever stored of a password (§3.4.2). */
export function ha1(algorithm: Algorithm, user: string, realm: string, password: string): string {
  return hash(algorithm, Buffer.from(`${user}:${realm}:${password}`, "utf8").toString("latin1"));
}

/** The response a client that knows HA1 gives (§3.4.1): with qop=auth, or over a body with qop=auth-int. */
export function digestResponse(
  algorithm: Algorithm,
  ha1Hex: string,
  method: string,
  uri: string,
  nonce: string,
  nc: string,
  cnonce: string,
  body: Uint8Array | null = null,
): string {
  if (body === null) {
    const ha2 = hash(algorithm, `${method}:${uri}`);
    return hash(algorithm, `${ha1Hex}:${nonce}:${nc}:${cnonce}:auth:${ha2}`);
  }
  const ha2 = hash(algorithm, `${method}:${uri}:${hashOf(algorithm, body)}`);
  return hash(algorithm, `${ha1Hex}:${nonce}:${nc}:${cnonce}:auth-int:${ha2}`);
}

function hashOf(algorithm: Algorithm, input: string | Uint8Array): string {
  if (algorithm === "MD5") return Bun.MD5.hash(input, "hex");
  return algorithm === "SHA-256" ? Bun.SHA256.hash(input, "hex") : Bun.SHA512_256.hash(input, "hex");
}
