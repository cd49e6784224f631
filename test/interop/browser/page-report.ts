/** What a page is asked for in its address, and what it tells the test. */

export interface Report {
  readonly what: "registered" | "up" | "hears" | "ended" | "failed" | "disconnected";
  readonly cause?: string;
  readonly packets?: number;
}

export function asked() {
  const query = new URLSearchParams(
    (globalThis as unknown as { location: { search: string } }).location.search,
  );
  const word = (name: string): string => query.get(name) ?? "";
  const { ws, user, password, domain } = {
    ws: word("ws"),
    user: word("user"),
    password: word("password"),
    domain: word("domain"),
  };
  return { ws, user, password, domain, calls: query.get("calls") };
}

export function report(user: string, said: Report): void {
  void fetch(`/said/${user}`, { method: "POST", body: JSON.stringify(said) });
}
