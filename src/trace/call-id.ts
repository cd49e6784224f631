/**
 * The Call-ID of a message that was not read into lines: one of our own making, so its header fields are sound.
 */
const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const TAB = 9;
const USUAL = "\r\nCall-ID:";
const LONG = "call-id";

/** Null: it has none. */
export function callIdOf(bytes: Buffer): string | null {
  const usual = bytes.indexOf(USUAL, 0, "latin1");
  if (usual >= 0) return valueAt(bytes, usual + USUAL.length);
  for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    const start = at + 1;
    const first = bytes[start];
    if (first === CR || first === undefined) return null; // the body begins
    const colon = bytes.indexOf(COLON, start);
    if (colon < 0) return null;
    const name = bytes
      .latin1Slice(start, Math.min(colon, start + LONG.length + 2))
      .trimEnd()
      .toLowerCase();
    if (name === "i" || name === LONG) return valueAt(bytes, colon + 1);
  }
  return null;
}

function valueAt(bytes: Buffer, start: number): string {
  let from = start;
  while (bytes[from] === SPACE || bytes[from] === TAB) from++;
  let to = from;
  while (to < bytes.length && bytes[to] !== CR && bytes[to] !== LF) to++;
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to--;
  return bytes.latin1Slice(from, to);
}
