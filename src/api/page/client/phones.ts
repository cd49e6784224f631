/** Who is registered. */
import type { Answer } from "./api.ts";
import type { Child } from "./dom.ts";
import { el } from "./dom.ts";
import { duration, shown } from "./format.ts";
import { table } from "./table.ts";

type Registration = Answer<"Registrations">["registrations"][number];

export function phones({ registrations, next_cursor }: Answer<"Registrations">, total: number): Child {
  const more = next_cursor === null ? "" : ` (the first ${registrations.length} of ${total})`;
  return table<Registration>(
    `Registered phones${more}`,
    [
      { head: "Address", cell: ({ aor }) => aor },
      { head: "Device", cell: ({ user_agent }) => user_agent ?? "–" },
      { head: "From", cell: ({ transport, remote }) => `${transport} ${remote}` },
      { head: "NAT", cell: ({ nat }) => (nat.length === 0 ? "none" : nat.join(", ")) },
      {
        head: "Reached",
        cell: ({ reachable, pings_missed }) =>
          reachable
            ? "yes"
            : el("span", { class: "bad" }, `no${pings_missed > 0 ? `, ${pings_missed} pings missed` : ""}`),
      },
      { head: "Ping", cell: ({ latency_ms }) => shown("latency_ms", latency_ms), numeric: true },
      { head: "Expires in", cell: ({ expires_in_s }) => duration(expires_in_s), numeric: true },
    ],
    registrations,
    "No phone is registered.",
  );
}
