/** The kinds of value in JSON answers, each with what it says of itself. */
import * as v from "valibot";

export const text = (what: string) => v.pipe(v.string(), v.description(what));
export const time = (what: string) => v.pipe(v.string(), v.isoTimestamp(), v.description(what));
export const count = (what: string) => v.pipe(v.number(), v.integer(), v.minValue(0), v.description(what));
export const amount = (what: string) => v.pipe(v.number(), v.minValue(0), v.description(what));
export const yes = (what: string) => v.pipe(v.boolean(), v.description(what));
