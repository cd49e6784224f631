/** What requests may ask for behind the question mark, for each kind of route. */
import * as v from "valibot";
import { text } from "./kinds.ts";
import { TRACE_STATES } from "./schemas-trace.ts";

/** Most rows on one page. */
export const LIMIT_MAX = 1000;
export const LIMIT_DEFAULT = 100;

const limit = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^\d{1,4}$/, `a number from 1 to ${LIMIT_MAX}`),
    v.transform(Number),
    v.number(),
    v.integer(),
    v.minValue(1, `a number from 1 to ${LIMIT_MAX}`),
    v.maxValue(LIMIT_MAX, `a number from 1 to ${LIMIT_MAX}`),
    v.description(`Most rows wanted; ${LIMIT_DEFAULT} when absent`),
  ),
);
const after = v.optional(text("`next_cursor` of the page before"));

/** The query parameters of each kind of route. */
export const LimitQuery = v.strictObject({ limit });
export const TracesQuery = v.strictObject({
  state: v.optional(v.pipe(v.picklist(TRACE_STATES), v.description("Only these"))),
  limit,
});
export const PageQuery = v.strictObject({ limit, cursor: after });
export const RegistrationsQuery = v.strictObject({
  user: v.optional(text("Only AORs with exactly this user part")),
  limit,
  cursor: after,
});
