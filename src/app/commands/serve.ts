/** `sipedge serve`: runs the appliance until SIGTERM or SIGINT; SIGHUP re-reads the config. */
import { systemClock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { LineLog } from "../../base/log.ts";
import { Appliance, StartError } from "../appliance.ts";
import { ServiceNotice } from "../service-notice.ts";
import { VERSION } from "../version.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { dataDirOf, loadConfig } from "./config-file.ts";

export async function serve({ words, config: file }: Invocation): Promise<number> {
  if (words.length > 0) return usage("serve takes no words, only --config FILE");
  const loaded = loadConfig(file);
  if (!("config" in loaded)) {
    process.stderr.write(loaded.text);
    return 1;
  }
  const { config } = loaded;
  const log = new LineLog(systemClock, (line) => void process.stdout.write(`${line}\n`), config.log);
  try {
    const appliance = await Appliance.start(config, dataDirOf(config, file), log);
    process.stdout.write(greeting(appliance, file));
    announce(log, appliance);
    const notice = new ServiceNotice(process.env, systemClock);
    notice.ready();
    await untilStopped(appliance, file, notice);
    notice.close();
    return 0;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    const where = file ?? "built-in defaults";
    for (const reason of error.reasons) process.stderr.write(`${where}: ${reason}\n`);
    return 1;
  }
}

function announce(log: Log, appliance: Appliance): void {
  log.info("ready", {
    version: VERSION,
    listeners: appliance.transports.endpoints().length,
    registrations: appliance.store.size,
    http: appliance.api.url,
  });
}

/** Resolves after a clean stop. A second signal ends the process at once. */
function untilStopped(appliance: Appliance, file: string | null, notice: ServiceNotice): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(1);
      asked = true;
      notice.stopping();
      void appliance.stop();
    };
    void appliance.stopped.then(resolve);
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    let reloading: Promise<void> = Promise.resolve();
    process.on("SIGHUP", () => {
      reloading = reloading.then(() => reload(appliance, file));
    });
  });
}

/** A bad file is refused with its errors and the old config keeps running. */
async function reload(appliance: Appliance, file: string | null): Promise<void> {
  if (file === null) {
    appliance.log.info("config-reloaded", { changed: "nothing: no file was given" });
    return;
  }
  const loaded = loadConfig(file);
  if ("config" in loaded) appliance.reloaded(await appliance.reconfigure(loaded.config));
  else appliance.reloaded(loaded.text.trim().split("\n"));
}

/** What a person wants to know who has just started it. */
function greeting(appliance: Appliance, file: string | null): string {
  const self = process.argv[1]?.endsWith("main.ts") ? "npm run sipedge --" : "sipedge";
  const option = file === null ? "" : ` --config ${file}`;
  const endpoints = appliance.transports.endpoints();
  const server = (endpoints.find((each) => !isLoopback(each.address)) ?? endpoints[0])?.sentBy ?? "this host";
  const domain = appliance.config.domains[0];
  const users = appliance.users.list().length;
  return [
    `sipedge ${VERSION}, process ${process.pid} (kill -HUP ${process.pid} re-reads the config, kill ${process.pid} stops)`,
    `  listens on  ${endpoints.map((each) => `${each.transport} ${each.sentBy}`).join(", ")}`,
    `  status      ${appliance.api.url ?? "off (http.enabled = false)"}`,
    `  data        ${appliance.dataDir}`,
    `  config      ${file ?? "built-in defaults (give a file with --config FILE; see config/sipedge.toml)"}`,
    `  accounts    ${users === 0 ? `none yet; nobody can register. Add one:  ${self} user add alice${option}` : users}`,
    `  try it      a phone with server ${server}${domain === undefined ? "" : `, domain ${domain}`}, user and password of an account; then:  ${self} status${option}`,
    "",
  ].join("\n");
}

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");
