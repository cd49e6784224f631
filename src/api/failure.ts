/** JSON answers, and the one shape of all that are errors. */
import type { Answer } from "./schemas.ts";

export interface ApiFailure extends Answer<"Failure"> {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export function failureResponse({ status, error, message, headers }: ApiFailure): Response {
  const body: Answer<"Failure"> = { error, message };
  return jsonResponse(body, status, headers);
}

/** The media type has no charset parameter (RFC 8259 §11). */
export function jsonResponse(
  body: object,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const type = { "content-type": "application/json" };
  return new Response(JSON.stringify(body), { status, headers: { ...headers, ...type } });
}
