/** Hears from the appliance what has changed (`/v1/events`), and asks by itself while it cannot be heard. */
import { ask } from "./api.ts";

const AGAIN_MS = 5000;

/** Never ends by itself. `changed` gets the topics; `heard` says whether events come. */
export async function follow(
  changed: (topics: readonly string[]) => void,
  heard: (isLive: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const { body } = await ask("/v1/events", signal);
      heard(true);
      if (body !== null) await read(body, changed);
    } catch {
      // told by `heard`; asked again below
    }
    if (signal.aborted) return;
    heard(false);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    changed(["status", "registrations", "calls", "records", "peers", "bans"]);
  }
}

async function read(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  changed: (topics: readonly string[]) => void,
): Promise<void> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const topics = topicsIn(block);
      if (topics.length > 0) changed(topics);
    }
  }
}

/** The topics that one event names. */
export function topicsIn(block: string): readonly string[] {
  if (!block.includes("event: changed")) return [];
  const data = /^data: (.*)$/m.exec(block)?.[1] ?? "{}";
  return (JSON.parse(data) as { topics?: readonly string[] }).topics ?? [];
}
