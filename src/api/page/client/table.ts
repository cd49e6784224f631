/** Tables that become cards on a narrow screen. */
import type { Child } from "./dom.ts";
import { el } from "./dom.ts";
import { heading, shown } from "./format.ts";

export interface Column<T> {
  readonly head: string;
  readonly cell: (row: T) => Child;
  /** Numbers stand to the right. */
  readonly numeric?: boolean;
}

export function table<T>(
  caption: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  none: string,
): HTMLElement {
  if (rows.length === 0) return el("p", { class: "none" }, none);
  const kind = (column: Column<T>) => (column.numeric ? "number" : "");
  return el(
    "table",
    null,
    el("caption", null, caption),
    el(
      "thead",
      null,
      el(
        "tr",
        null,
        columns.map((column) => el("th", { scope: "col", class: kind(column) }, column.head)),
      ),
    ),
    el(
      "tbody",
      null,
      rows.map((row) =>
        el(
          "tr",
          null,
          columns.map((column) =>
            el("td", { "data-head": column.head, class: kind(column) }, column.cell(row)),
          ),
        ),
      ),
    ),
  );
}

/** Whatever rows the API gives: a column for each key. */
export function plainTable(caption: string, rows: readonly object[], none: string): HTMLElement {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const valueAt = (row: object, key: string): unknown => (row as Record<string, unknown>)[key];
  const columns = keys.map((key) => ({
    head: heading(key),
    cell: (row: object): Child => {
      const value = valueAt(row, key);
      return Array.isArray(value) && value.some((each) => typeof each === "object" && each !== null)
        ? plainTable(heading(key), value as object[], none)
        : shown(key, value);
    },
    numeric: rows.every((row) => typeof valueAt(row, key) === "number"),
  }));
  return table(caption, columns, rows, none);
}

/** The numbers of one object, nested ones among them. */
export function facts(value: object, of = ""): HTMLElement {
  const entries = Object.entries(value).flatMap(([key, each]): [string, unknown][] =>
    each !== null && typeof each === "object" && !Array.isArray(each)
      ? Object.entries(each as object).map(([inner, one]) => [`${key}_${inner}`, one])
      : [[key, each]],
  );
  return el(
    "dl",
    { class: "facts", "aria-label": of },
    entries
      .filter(([, each]) => !Array.isArray(each) || each.every((one) => typeof one !== "object"))
      .map(([key, each]) => el("div", null, el("dt", null, heading(key)), el("dd", null, shown(key, each)))),
  );
}
