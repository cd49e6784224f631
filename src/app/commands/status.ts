/** `sipedge status`: asks the running process over HTTP and prints what it says for a person. */
import { statusText } from "../status-text.ts";
import { askApi, complaintOf } from "./ask-api.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

export async function status({ words, config: file, url }: Invocation): Promise<number> {
  if (words.length > 0) return usage("status takes no words");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const api = askApi(config, url);
  try {
    const [state, registrations] = await Promise.all([
      api.get("/v1/status").then((response) => response.json()),
      api.get("/v1/registrations?limit=20").then((response) => response.json()),
    ]);
    process.stdout.write(statusText(state, registrations));
    return 0;
  } catch (error) {
    process.stderr.write(`sipedge: ${complaintOf(api.base, error)}\n`);
    return 1;
  }
}
