/** Values as people read them. */

const NONE = "–";

/** By what a key's last word says of its unit. */
export function shown(key: string, value: unknown): string {
  if (value === null || value === undefined || value === "") return NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value))
    return value.length === 0 ? NONE : value.map((each) => shown("", each)).join(", ");
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value === "number") return number(key, value);
  if (/_at$|(^|_)(since|until)$/.test(key)) return moment(String(value));
  return String(value);
}

function number(key: string, value: number): string {
  if (/(^|_)bytes(_|$)/.test(key)) return bytes(value);
  if (key.endsWith("_ms")) return `${round(value)} ms`;
  if (key.endsWith("_percent")) return `${round(value)} %`;
  if (key.endsWith("_s") && !key.endsWith("per_s")) return duration(value);
  return String(value);
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Of 1024: what `free` and `top` count by. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const kib = value / 1024;
  if (kib < 1024) return `${Math.round(kib)} KiB`;
  const mib = kib / 1024;
  return mib < 1024 ? `${mib.toFixed(1)} MiB` : `${(mib / 1024).toFixed(2)} GiB`;
}

/** The two largest units: 3 d 4 h, 12 min 5 s. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** In the reader's own time zone; the day only when it is another one. */
export function moment(rfc3339: string, today: Date = new Date()): string {
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return rfc3339;
  const time = date.toLocaleTimeString();
  return date.toDateString() === today.toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

/** A key as the head of a column: `loss_percent` is "loss". */
export function heading(key: string): string {
  return key
    .replace(/_(bytes|ms|s|percent|at)$/, "")
    .replaceAll("_", " ")
    .replace(/^./, (first) => first.toUpperCase());
}

/** `sip:alice@example.test;ob` as "alice@example.test". */
export function who(uri: string): string {
  return uri.replace(/^sips?:/i, "").replace(/[;?].*$/, "");
}

/** How a MOS is felt (ITU-T G.107 Annex B, by R 90, 80, 70, 60). */
export function felt(mos: number | null): "good" | "fair" | "poor" | "unknown" {
  if (mos === null) return "unknown";
  if (mos >= 4) return "good";
  return mos >= 3.6 ? "fair" : "poor";
}
