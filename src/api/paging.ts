/**
 * Pages of an ordered list. A cursor names the last row of a page by its place in the order, so a
 * page stays right whatever is added or removed meanwhile.
 */

/** The cursor that stands for a place in the order; safe in a URL. */
export function cursorOf(place: string): string {
  return Buffer.from(place, "utf8").toString("base64url");
}

/** The place a cursor stands for; null when it is none of ours. */
export function placeOf(cursor: string): string | null {
  const place = Buffer.from(cursor, "base64url").toString("utf8");
  return place !== "" && cursorOf(place) === cursor ? place : null;
}
