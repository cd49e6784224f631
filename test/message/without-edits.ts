/**
 * Takes the edits of a proxy (RFC 3261 §16.6) back out of a forwarded copy, by nothing but text: what is
 * left must be the request as it came. An edit that is missing, doubled or of another form is an error.
 */

/** What the proxy is expected to have done to this copy. */
export interface ExpectedEdits {
  /** Transport and sent-by of the Via on top: `UDP 192.0.2.1:5060`. */
  readonly via: string;
  /** Where the request came from. */
  readonly source: { readonly address: string; readonly port: number };
  /** How many Record-Route lines of ours. */
  readonly recordRoutes: number;
  /** The new Request-URI, when it changed. */
  readonly requestUri?: string;
  /** Other lines that changed: as they were, as they left. */
  readonly lines?: readonly (readonly [was: string, is: string])[];
}

const MAX_FORWARDS = /^max-forwards[ \t]*:/i;
const MAX_BREADTH = /^max-breadth[ \t]*:/i;
const VIA = /^(via|v)[ \t]*:/i;
const CONTENT_LENGTH = /^(?:content-length|l)[ \t]*:\s*(\d+)\s*$/i;

/** A message in pieces: start line, header lines with their folding, body. */
interface Pieces {
  readonly startLine: string;
  readonly lines: string[];
  readonly body: string;
}

function pieces(message: string): Pieces {
  const end = message.indexOf("\r\n\r\n");
  if (end < 0) throw new Error("no end of the headers");
  const [startLine, ...lines] = message.slice(0, end).split(/\r\n(?![ \t])/);
  return { startLine: startLine ?? "", lines, body: message.slice(end + 4) };
}

/** The message up to the end of its body: what a datagram holds behind it is noise (§18.3). */
export function cutAtContentLength(message: string): string {
  const { lines, body } = pieces(message);
  for (const line of lines) {
    const length = CONTENT_LENGTH.exec(line)?.[1];
    if (length !== undefined) return message.slice(0, message.length - body.length + Number(length));
  }
  return message;
}

/** The copy without the proxy's edits; equal to `cutAtContentLength(input)` when nothing else was touched. */
export function withoutEdits(output: string, input: string, edits: ExpectedEdits): string {
  const came = pieces(input);
  const left = pieces(output);
  const { lines } = left;
  takeVia(lines, edits);
  for (let i = 0; i < edits.recordRoutes; i++) takeRecordRoute(lines);
  if (!came.lines.some((line) => MAX_BREADTH.test(line))) take(lines, MAX_BREADTH, /^Max-Breadth: \d+$/);
  undoMaxForwards(lines, came.lines);
  undoStamp(lines, came.lines, edits);
  for (const [was, is] of edits.lines ?? []) replaceOne(lines, is, was);
  return `${[startLineBefore(left.startLine, came.startLine, edits), ...lines].join("\r\n")}\r\n\r\n${left.body}`;
}

function takeVia(lines: string[], { via }: ExpectedEdits): void {
  const [transport, sentBy] = via.split(" ");
  const line = take(lines, VIA, /^Via: SIP\/2\.0\/\S+ \S+;branch=z9hG4bK[\w.!%*+`'~-]+;rport$/);
  if (!line.startsWith(`Via: SIP/2.0/${transport} ${sentBy};`)) throw new Error(`our Via is ${line}`);
}

function takeRecordRoute(lines: string[]): void {
  take(lines, /^record-route[ \t]*:/i, /^Record-Route: <sip:[\w-]+@[\w.:[\]]+(;transport=\w+)?;lr>$/);
}

/** Removes the first line of that name, which must have that form. */
function take(lines: string[], name: RegExp, form: RegExp): string {
  const at = lines.findIndex((line) => name.test(line));
  const line = lines[at];
  if (line === undefined || !form.test(line)) throw new Error(`expected ${form}, found ${line}`);
  lines.splice(at, 1);
  return line;
}

/** §16.6 step 3: one less, in the same line; a request without one gets 70. */
function undoMaxForwards(lines: string[], before: readonly string[]): void {
  const was = before.find((line) => MAX_FORWARDS.test(line));
  if (was === undefined) take(lines, MAX_FORWARDS, /^Max-Forwards: 70$/);
  else
    replaceOne(
      lines,
      was.replace(/\d+(?=\s*$)/, (digits) => String(Math.min(Number(digits), 255) - 1)),
      was,
    );
}

/** RFC 3581 §4, RFC 3261 §18.2.1: received, and rport when the sender asked for it. */
function undoStamp(lines: string[], before: readonly string[], { source }: ExpectedEdits): void {
  const at = lines.findIndex((line) => VIA.test(line));
  // The first via-parm of the line: up to a comma outside quotes.
  const was = /^(?:[^",]|"(?:[^"\\]|\\.)*")*/.exec(before.find((line) => VIA.test(line)) ?? "")?.[0] ?? "";
  let line = lines[at] ?? "";
  const asked = /;\s*(rport)(?![\w-])/i.exec(was)?.[1];
  if (asked !== undefined) line = once(line, `rport=${source.port}`, asked);
  const same = new RegExp(`\\s${source.address.replaceAll(".", "\\.")}\\s*([:;]|$)`).test(was);
  const keep = /;\s*(keep)(?![\w=-])/i.exec(was)?.[1];
  const isStream = /SIP\s*\/\s*2\.0\s*\/\s*(TCP|TLS|WSS?)\s/i.test(was);
  if (keep !== undefined) line = once(line, `${keep}=${isStream ? 90 : 25}`, keep);
  if (asked !== undefined || !same) line = once(line, `;received=${source.address}`, "");
  lines[at] = line;
}

function startLineBefore(line: string, was: string, { requestUri }: ExpectedEdits): string {
  if (requestUri === undefined) return line;
  const [method, uri, version] = line.split(" ");
  if (uri !== requestUri) throw new Error(`the Request-URI is ${uri}`);
  return `${method} ${was.split(" ")[1]} ${version}`;
}

function once(text: string, is: string, was: string): string {
  if (text.split(is).length !== 2) throw new Error(`expected ${is} once in ${text}`);
  return text.replace(is, () => was);
}

function replaceOne(lines: string[], is: string, was: string): void {
  const at = lines.indexOf(is);
  if (at < 0 || lines.indexOf(is, at + 1) >= 0)
    throw new Error(`expected ${is} once in ${lines.join(" | ")}`);
  lines[at] = was;
}
