/**
 * A message as it may be shown: what proves who somebody is, keys of media, and bodies that are nobody's business
 * are stars. No byte is added or taken away, so that lengths still agree.
 */

/** What a digest response is made of and what it proves (RFC 7616 §3.4), and tokens of other schemes (RFC 8898). */
const CREDENTIALS = /^((?:Proxy-)?Authorization[ \t]*:[ \t]*)(.*)$/gim;
const DIGEST_SECRETS = /\b(response|cnonce|rspauth|nextnonce)([ \t]*=[ \t]*"?)([^",\s]*)/gi;
const AUTHENTICATION_INFO = /^((?:Proxy-)?Authentication-Info[ \t]*:[ \t]*)(.*)$/gim;
/** RFC 4568 §9.1, RFC 8839 §5.4. */
const SDP_SECRETS = /^(a=crypto:\d+ \S+ inline:|a=ice-pwd:|k=(?:clear|base64):)([^|\r\n]*)/gim;
/** Bodies that say how a call is set up. */
const SHOWN_BODIES =
  /^(application\/(sdp|vq-rtcpxr|simple-message-summary|reginfo\+xml)|multipart\/mixed|message\/sipfrag)/i;
const CONTENT_TYPE = /^(?:Content-Type|c)[ \t]*:[ \t]*(\S+)/im;

/** `bytes`: one message; latin1. */
export function masked(bytes: Buffer): string {
  const text = bytes.latin1Slice();
  const gap = text.indexOf("\r\n\r\n");
  const head = gap < 0 ? text : text.slice(0, gap + 4);
  const body = gap < 0 ? "" : text.slice(gap + 4);
  const shown = head.replace(CREDENTIALS, credentials).replace(AUTHENTICATION_INFO, credentials);
  if (body === "") return shown;
  const isShown = SHOWN_BODIES.test(CONTENT_TYPE.exec(head)?.[1] ?? "");
  return shown + (isShown ? body.replace(SDP_SECRETS, (_, name, key) => name + stars(key)) : hidden(body));
}

function credentials(_line: string, name: string, value: string): string {
  if (/^digest\b|^[a-z]+=/i.test(value))
    return name + value.replace(DIGEST_SECRETS, (_, key, equals, secret) => key + equals + stars(secret));
  const space = value.indexOf(" ");
  return name + value.slice(0, space + 1) + stars(value.slice(space + 1));
}

const stars = (text: string): string => "*".repeat(text.length);

/** Lines stay lines. */
const hidden = (text: string): string => text.replace(/[^\r\n]/g, "*");
