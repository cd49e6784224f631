/** Times as the API writes them. */

const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59); // RFC 3339 has four digits for the year

/** Unix milliseconds as RFC 3339 in UTC; beyond what that can say, its earliest or latest time. */
export function rfc3339(unix_ms: number): string {
  const ms = Number.isFinite(unix_ms) ? Math.min(Math.max(0, unix_ms), LATEST_MS) : 0;
  return new Date(ms).toISOString();
}
