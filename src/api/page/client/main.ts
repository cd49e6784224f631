/** Starts the page: asks for the token where one is needed, shows the view that the address names, and follows. */
import { Failure, hasToken, keepToken } from "./api.ts";
import { el, put } from "./dom.ts";
import { follow } from "./feed.ts";
import { Overview } from "./overview.ts";
import { traceView } from "./trace.ts";

const main = document.getElementById("main")!;
const state = document.getElementById("state")!;
const foot = document.getElementById("foot")!;

const overview = new Overview(state);
let following: AbortController | null = null;
let busy = false;
const late = new Set<string>();

const traceName = (): string | null => {
  const name = /^#\/trace\/(.+)$/.exec(location.hash)?.[1];
  return name === undefined ? null : decodeURIComponent(name);
};

async function show(): Promise<void> {
  const name = traceName();
  try {
    if (name === null) {
      put(main, overview.elements);
      await overview.refresh();
    } else put(main, await traceView(name));
    if (following === null) begin();
  } catch (error) {
    fail(error);
  }
}

function begin(): void {
  following = new AbortController();
  void follow(
    (topics) => void changed(topics),
    (isLive) => put(foot, isLive ? "Live." : "Not connected: trying again."),
    following.signal,
  );
}

/** One refresh at a time; what changes meanwhile comes with the next. */
async function changed(topics: readonly string[]): Promise<void> {
  for (const topic of topics) late.add(topic);
  if (busy || traceName() !== null) return;
  busy = true;
  try {
    while (late.size > 0) {
      const now = [...late];
      late.clear();
      await overview.refresh(now);
    }
  } catch (error) {
    if (error instanceof Failure && error.status === 401) fail(error);
  } finally {
    busy = false;
  }
}

function fail(error: unknown): void {
  if (error instanceof Failure && error.status === 401) return askForToken();
  const text = error instanceof Error ? error.message : String(error);
  put(
    main,
    el("p", { class: "bad", role: "alert" }, text),
    el("p", null, el("a", { href: "#/" }, "← all calls")),
  );
}

function askForToken(): void {
  following?.abort();
  following = null;
  const wasWrong = hasToken();
  keepToken(null);
  const field = el("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const enter = (event: Event): void => {
    event.preventDefault();
    keepToken(field.value.trim());
    void show();
  };
  put(
    main,
    el(
      "form",
      { class: "token", submit: enter },
      wasWrong ? el("p", { class: "bad", role: "alert" }, "This is not the token.") : null,
      el(
        "label",
        { for: "token" },
        "The token of ",
        el("code", null, "http.token"),
        " or ",
        el("code", null, "http.read_token"),
      ),
      field,
      el("button", { type: "submit" }, "Show"),
    ),
  );
  put(state, "A token is needed");
  field.focus();
}

window.addEventListener("hashchange", () => void show());
void show();
