/** `sipedge dns-records`: what to put into the zone of one's own domains, so that they lead here (RFC 3263). */
import type { Config } from "../../config/schema.ts";
import type { PublishedListener } from "../../dns/zone-lines.ts";
import { zoneLines } from "../../dns/zone-lines.ts";
import { ParseError } from "../../message/parse-error.ts";
import { parseHostPort } from "../../message/uri.ts";
import { localAddresses } from "../../transport/local-addresses.ts";
import type { Invocation } from "./commands.ts";
import { usage } from "./commands.ts";
import { configOrComplaint } from "./config-file.ts";

const TTL_S = 3600;

export function dnsRecords({ words, config: file }: Invocation): number {
  const [format = "zone"] = words;
  if (words.length > 1 || (format !== "zone" && format !== "dnsmasq"))
    return usage("dns-records takes: zone (the default) or dnsmasq");
  const config = configOrComplaint(file);
  if (config === null) return 1;
  const listeners = published(config);
  const lines = zoneLines({ domains: config.domains, listeners, ttl_s: TTL_S, format });
  if (lines.length === 0) {
    process.stderr.write("sipedge: domains names no domain, so there is nothing to publish\n");
    return 1;
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

/** Each listener as others reach it: what it advertises, else its address; "any" is each of this machine's. */
function published({ listen }: Config): PublishedListener[] {
  return listen.flatMap(({ transport, address, port, advertise }) => {
    const told = advertise === undefined ? null : parseHostPort(advertise, 0, advertise.length);
    if (told !== null && !(told instanceof ParseError))
      return [{ transport, host: told.host, port: told.port ?? port }];
    const hosts = address === "any" ? localAddresses().filter((host) => !isLoopback(host)) : [address];
    return hosts.map((host) => ({ transport, host, port }));
  });
}

const isLoopback = (host: string): boolean => host === "::1" || host.startsWith("127.");
