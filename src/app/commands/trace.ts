/** `sipedge trace`: what came and left for a call, and why it went as it did, asked from the running process. */
import { writeFileSync } from "node:fs";
import { tracesText, traceText } from "../trace-text.ts";
import { askApi, complaintOf } from "./ask-api.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

export async function trace({ words, config: file, url, pcap, messages }: Invocation): Promise<number> {
  const [name, ...more] = words;
  if (more.length > 0) return usage("trace takes one call at most");
  if (name === undefined && pcap !== null) return usage("--pcap needs a call");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const api = askApi(config, url);
  const path = name === undefined ? "/v1/traces?limit=30" : `/v1/traces/${encodeURIComponent(name)}`;
  try {
    if (pcap !== null) {
      const bytes = await (await api.get(`${path}/pcap`)).bytes();
      writeFileSync(pcap, bytes);
      process.stdout.write(`${pcap}: ${bytes.length} bytes, for wireshark, tshark or sngrep\n`);
      return 0;
    }
    const answer = await (await api.get(path)).json();
    process.stdout.write(name === undefined ? tracesText(answer) : traceText(answer, messages));
    return 0;
  } catch (error) {
    process.stderr.write(`sipedge: ${complaintOf(api.base, error)}\n`);
    return 1;
  }
}
