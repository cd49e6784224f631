/** Asks the API, with the token where one is needed. */
import type { Answer, SchemaName } from "../../schemas.ts";

export type { Answer } from "../../schemas.ts";

const KEPT = "sipedge-token";

/** What the API answered in place of what was asked for. */
export class Failure extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** For this tab and until it is closed; the token stands in no URL and no cookie. */
export function keepToken(token: string | null): void {
  if (token === null) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, token);
}

export function hasToken(): boolean {
  return sessionStorage.getItem(KEPT) !== null;
}

/** Failure: what the API says against it; its `status` is 0 when nobody answered. */
export async function ask(path: string, signal: AbortSignal | null = null): Promise<Response> {
  const token = sessionStorage.getItem(KEPT);
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await fetch(path, { headers, signal });
  } catch {
    throw new Failure(0, "The appliance does not answer");
  }
  if (response.ok || response.status === 503) return response;
  const told: unknown = await response.json().catch(() => ({}));
  throw new Failure(response.status, String((told as { message?: unknown }).message ?? response.statusText));
}

export async function get<N extends SchemaName>(path: string, _name: N): Promise<Answer<N>> {
  return (await (await ask(path)).json()) as Answer<N>;
}

/** Has the browser store what the API gives there. */
export async function download(path: string, name: string): Promise<void> {
  const url = URL.createObjectURL(await (await ask(path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
