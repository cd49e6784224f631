/** Loaded ahead of a measured sipedge: on SIGUSR2 what nobody holds is collected; beside the config stands what is left. */
import { writeFileSync } from "node:fs";

process.on("SIGUSR2", () => {
  Bun.gc(true);
  writeFileSync(`${process.argv.at(-1)}.heap`, String(process.memoryUsage().heapUsed));
});
