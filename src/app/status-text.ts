/**
 * What `sipedge status` prints: the answers of `/v1/status` and `/v1/registrations` for a person at an
 * 80-column terminal. Warnings first. Text that came from the network is made harmless for a terminal.
 */
import * as v from "valibot";
import type { Answer } from "../api/schemas.ts";
import { SCHEMAS } from "../api/schemas.ts";

const COLUMNS = 80;
const ROWS_MAX = 20;
const LABEL_COLUMNS = 13;

/** The text, with a line feed at its end. What is no answer of `/v1/status` gets a sentence that says so. */
export function statusText(status: unknown, registrations: unknown): string {
  const state = v.safeParse(SCHEMAS.Status, status);
  if (!state.success) return "What answers there is no sipedge, or one of another version.\n";
  const list = v.safeParse(SCHEMAS.Registrations, registrations);
  const rows = list.success ? list.output.registrations : null;
  const warned = [...warnings(state.output), ...algWarnings(rows ?? [])];
  const blocks = [headline(state.output), warned, facts(state.output)];
  if (rows !== null) blocks.push(table(rows, state.output.counts.registrations));
  const lines = blocks.filter((block) => block.length > 0).map((block) => block.join("\n"));
  return `${lines.join("\n\n")}\n`;
}

function headline({ version, commit, ready, uptime_s, started_at }: Answer<"Status">): string[] {
  const build = commit === null ? plain(version) : `${plain(version)} (${plain(commit).slice(0, 12)})`;
  const state = ready ? "is ready" : "is NOT ready";
  return [`sipedge ${build} ${state}, up for ${duration(uptime_s)}, since ${moment(started_at)}.`];
}

/** What needs somebody's attention. */
function warnings(status: Answer<"Status">): string[] {
  const { certificates, reasons, reload, rtpengines, started_at, store, uptime_s } = status;
  const lines = reasons.flatMap((reason) => warning(`not ready: ${reason}`));
  if (!store.ok) lines.push(...warning(`the store has been failing since ${moment(store.since)}`));
  for (const { instance, up, since } of rtpengines)
    if (!up) lines.push(...warning(`rtpengine ${instance} has not answered since ${moment(since)}`));
  if (reload !== null && !reload.ok) {
    lines.push(
      ...warning(`the config read at ${moment(reload.last_at)} has mistakes; the one before is in force:`),
    );
    lines.push(...reload.errors.flatMap((error) => wrapped(error, "      ", "        ")));
  }
  if (reload !== null && reload.restart_needed.length > 0)
    lines.push(...warning(`changed, but only after a restart: ${reload.restart_needed.join(", ")}`));
  lines.push(...certificateWarnings(certificates, Date.parse(started_at) + uptime_s * 1000));
  return lines;
}

const CERTIFICATE_WARN_MS = 14 * 86_400_000;

/** Certificates that end soon, judged at `now_ms`, and those whose new files cannot be used. */
function certificateWarnings(certificates: Answer<"Status">["certificates"], now_ms: number): string[] {
  return certificates.flatMap(({ file, expires_at, problem }) => [
    ...(problem === null ? [] : warning(`the certificate in ${file} is the old one: ${problem}`)),
    ...(Date.parse(expires_at) - now_ms < CERTIFICATE_WARN_MS
      ? warning(`the certificate in ${file} ends at ${moment(expires_at)}`)
      : []),
  ]);
}

const warning = (text: string): string[] => wrapped(text, "  !   ", "      ");

function facts(status: Answer<"Status">): string[] {
  const { counts, store, memory, cpu, listeners } = status;
  const used_s = cpu.user_s + cpu.system_s;
  return [
    ...labelled("Listens on", listeners.length === 0 ? ["nothing"] : listeners.map(listener)),
    ...labelled("Domains", [status.domains.join(", ")]),
    ...labelled("Realm", [status.realm]),
    ...labelled("Registered", [registered(counts)]),
    ...labelled("In progress", [inProgress(counts)]),
    ...labelled("Store", [
      store.ok ? `${store.kind}, in order since ${moment(store.since)}` : `${store.kind}, failing`,
    ]),
    ...labelled(
      "rtpengine",
      status.rtpengines.map(
        ({ instance, up, calls }) => `${instance} ${up ? plural(calls, "call") : "down"}`,
      ),
    ),
    ...labelled("Memory", [`${megabytes(memory.rss_bytes)}, of it heap ${megabytes(memory.heap_bytes)}`]),
    ...labelled("CPU", [`${used_s.toFixed(1)} s since the start${share(used_s, status.uptime_s)}`]),
    ...reloaded(status.reload),
  ];
}

function listener({ transport, address, port, advertised }: Answer<"Listener">): string {
  const bound = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  return `${transport.padEnd(3)} ${bound}${advertised === bound ? "" : `, known as ${advertised}`}`;
}

function registered({ registrations, users_registered }: Answer<"Status">["counts"]): string {
  if (registrations === 0) return "nobody";
  return `${plural(registrations, "contact")} of ${plural(users_registered, "address", "addresses")}`;
}

function inProgress(counts: Answer<"Status">["counts"]): string {
  const { transactions_server: server, transactions_client: client, connections } = counts;
  const all = server + client;
  const sides = all === 0 ? "" : ` (${server} being answered, ${client} sent on)`;
  return `${plural(all, "transaction")}${sides}, ${plural(connections, "connection")}`;
}

/** The part of one core, once there is enough time to speak of one. */
function share(used_s: number, uptime_s: number): string {
  if (uptime_s < 60) return "";
  return `, ${((100 * used_s) / uptime_s).toFixed(1)} % of one core`;
}

function reloaded(reload: Answer<"Status">["reload"]): string[] {
  return reload?.ok ? labelled("Config", [`read again ${moment(reload.last_at)}`]) : [];
}

/** Columns of the table of registrations; with the gaps they make 80. */
const AOR_COLUMNS = 24;
const CONTACT_COLUMNS = 32;
const TRANSPORT_COLUMNS = 4;
const LEFT_COLUMNS = 13;

function table(rows: readonly Answer<"Registration">[], total: number): string[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, ROWS_MAX);
  const lines = [tableLine("Registered", "Reached at", "Over", "Ends in")];
  for (const row of shown)
    lines.push(
      tableLine(
        row.aor,
        reachedAt(row),
        row.transport,
        row.reachable ? duration(row.expires_in_s) : "out of reach",
      ),
    );
  const more = Math.max(total, rows.length) - shown.length;
  if (more > 0) lines.push(`  and ${more} more: /v1/registrations lists them all`);
  return lines;
}

/** Behind a NAT it is the flow that counts, not the Contact. */
function reachedAt({ contact, nat, remote }: Answer<"Registration">): string {
  return nat.length > 0 ? `${remote} (NAT)` : contact;
}

const ALG_LINES_MAX = 5;

/** A router between that rewrites messages is the first thing to switch off when calls fail. */
function algWarnings(rows: readonly Answer<"Registration">[]): string[] {
  return rows
    .filter(({ alg_signs }) => alg_signs.length > 0)
    .slice(0, ALG_LINES_MAX)
    .flatMap(({ aor, remote, alg_signs }) =>
      warning(`ALG suspected: the router of ${aor} at ${remote} rewrites SIP (${alg_signs.join(", ")})`),
    );
}

function tableLine(aor: string, contact: string, transport: string, left: string): string {
  const cells = [
    cell(aor, AOR_COLUMNS),
    cell(contact, CONTACT_COLUMNS),
    cell(transport, TRANSPORT_COLUMNS),
    cell(left, LEFT_COLUMNS),
  ];
  return `  ${cells.join(" ")}`.trimEnd();
}

/** Exactly so many columns, an ellipsis where text is left out. */
function cell(text: string, columns: number): string {
  const cut = shortened(plain(text), columns);
  return cut + " ".repeat(columns - Bun.stringWidth(cut));
}

function shortened(text: string, columns: number): string {
  if (Bun.stringWidth(text) <= columns) return text;
  let kept = "";
  let width = 1; // the ellipsis
  for (const character of text) {
    width += Bun.stringWidth(character);
    if (width > columns) break;
    kept += character;
  }
  return `${kept}…`;
}

/** A label and its values, one per line. */
function labelled(label: string, values: readonly string[]): string[] {
  const indent = " ".repeat(LABEL_COLUMNS);
  return values.flatMap((value, i) => wrapped(value, i === 0 ? label.padEnd(LABEL_COLUMNS) : indent, indent));
}

/** Broken at spaces into lines of at most 80 columns; a longer word is cut. */
function wrapped(text: string, first: string, next: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of plain(text).split(/ +/)) {
    if (!empty && Bun.stringWidth(line) + 1 + Bun.stringWidth(word) > COLUMNS) {
      lines.push(line);
      line = next;
      empty = true;
    }
    line += empty ? shortened(word, COLUMNS - line.length) : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines;
}

/** Control, format and other invisible characters could move the cursor or turn text around. */
const plain = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "·");

/** `2026-01-01 00:16 UTC`: to the minute. */
const moment = (rfc3339: string): string => `${rfc3339.slice(0, 16).replace("T", " ")} UTC`;

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

const plural = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** In words, to two neighbouring units: `2 days 3 h`, `1 h 5 min`, `40 s`. */
function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return plural(days, "day") + (hours > 0 ? ` ${hours} h` : "");
  if (hours > 0) return `${hours} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  return `${minutes} min`;
}
