/** `sipedge selftest`: two built-in phones call each other through every listener of the running appliance. */
import { systemClock } from "../../base/clock.ts";
import { SystemDice } from "../../base/dice.ts";
import { askApi } from "./ask-api.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint, dataDirOf } from "./config-file.ts";

/** 1 when calls do not pass through every listener. */
export async function selftest({ words, config: file, url }: Invocation): Promise<number> {
  if (words.length > 0) return usage("selftest takes no words, only --config FILE");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const { selftest: test } = await import("../selftest/selftest.ts"); // phones and TLS: no other command pays for them
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  process.on("SIGINT", abort);
  process.on("SIGTERM", abort);
  try {
    const isGood = await test({
      clock: systemClock,
      dice: new SystemDice(),
      config,
      data_dir: dataDirOf(config, file),
      api: config.http.enabled || url !== null ? askApi(config, url) : null,
      stop: stop.signal,
      print: (text) => void process.stdout.write(text),
    });
    return isGood ? 0 : 1;
  } finally {
    process.off("SIGINT", abort);
    process.off("SIGTERM", abort);
  }
}
