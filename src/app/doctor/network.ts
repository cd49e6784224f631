/** What `sipedge doctor` looks at around the machine: ports, addresses, the NAT in front, names. */
import { systemClock } from "../../base/clock.ts";
import { SystemDice } from "../../base/dice.ts";
import { silentLog } from "../../base/log.ts";
import { Metrics } from "../../base/metrics.ts";
import { Networks } from "../../base/networks.ts";
import type { Config } from "../../config/schema.ts";
import { nodeFiles } from "../../dns/node-files.ts";
import { nodeSockets } from "../../dns/node-sockets.ts";
import type { AnyRecord } from "../../dns/records.ts";
import { Resolver } from "../../dns/resolver.ts";
import { resolverOptions } from "../../dns/resolver-options.ts";
import { localAddresses } from "../../transport/local-addresses.ts";
import { NetTransports } from "../../transport/net-transports.ts";
import { tlsRules } from "../room-rules.ts";
import type { Finding } from "./finding.ts";
import { good, mayStop, stops } from "./finding.ts";

const LOOPBACK = new Networks(["127.0.0.0/8", "::1"]);
/** RFC 1918, RFC 6598, RFC 4193. */
const PRIVATE = new Networks(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]);
const NAME_WAIT_MS = 8000;
const NAMES_MAX = 20;

/** Opens every listener and closes it again. `isRunning`: a running sipedge has them already. */
export async function ports(config: Config, isRunning: boolean): Promise<Finding[]> {
  if (isRunning) return [good("ports", "held by the running sipedge")];
  const receiver = { message() {}, broken() {} };
  const parts = { clock: systemClock, log: silentLog, metrics: new Metrics(), receiver };
  const transports = new NetTransports(parts);
  try {
    const { message_bytes_max } = config.limits;
    const options = { ...config.tcp, header_bytes_max: message_bytes_max, message_bytes_max };
    const failures = await transports.reconfigure(config.listen, options, config.udp, tlsRules(config));
    if (failures.length === 0) return [good("ports", "every listener can be had")];
    const cure = "end what has it (ss -lunp, ss -ltnp), or change the [[listen]]";
    return failures.map(({ index, message }) => stops("ports", `listen[${index}]: ${message}`, cure));
  } finally {
    transports.close();
  }
}

/** Whether phones and trunks outside can reach an address of ours. */
export function addresses({ listen }: Config, here: readonly string[] = localAddresses()): Finding {
  const all = listen.flatMap(({ address }) => (address === "any" ? here : [address]));
  const own = [...new Set(all)].filter((address) => !LOOPBACK.has(address));
  const told = listen.flatMap(({ advertise }) => advertise ?? []);
  if (own.length === 0)
    return mayStop(
      "addresses",
      "only this machine itself is listened to",
      'set address = "any" in [[listen]]',
    );
  if (told.length > 0) return good("addresses", `${own.join(", ")}; outside ${told.join(", ")} is told`);
  if (own.some((address) => !PRIVATE.has(address))) return good("addresses", own.join(", "));
  return mayStop(
    "NAT in front",
    `all addresses are private (${own.join(", ")}): nobody outside can answer to them`,
    "for phones or trunks outside: forward the port and media.port_min..port_max, set listen.advertise and media.advertise",
  );
}

/** Whether the names we are responsible for lead here. */
export async function names(config: Config, here: readonly string[] = localAddresses()): Promise<Finding[]> {
  const wanted = config.domains.filter((domain) => !/^[\d.]+$|:/.test(domain)).slice(0, NAMES_MAX);
  if (wanted.length === 0) return [good("names", "no domain is configured: phones use the address")];
  const resolver = new Resolver(
    {
      clock: systemClock,
      dice: new SystemDice(),
      log: silentLog,
      metrics: new Metrics(),
      sockets: nodeSockets,
      files: nodeFiles,
    },
    resolverOptions(config.dns),
  );
  const ours = new Set([
    ...here,
    ...config.listen.flatMap(({ advertise }) => advertise?.replace(/:\d+$/, "") ?? []),
  ]);
  try {
    return await Promise.all(wanted.map((name) => nameFinding(resolver, name, ours)));
  } finally {
    resolver.close();
  }
}

const RECORDS = "sipedge dns-records prints what belongs into its zone";

async function nameFinding(resolver: Resolver, name: string, ours: ReadonlySet<string>): Promise<Finding> {
  const [srv, ipv4, ipv6] = await Promise.all([
    asked(resolver, `_sip._udp.${name}`, "SRV"),
    asked(resolver, name, "A"),
    asked(resolver, name, "AAAA"),
  ]);
  if (srv === null && ipv4 === null && ipv6 === null)
    return mayStop("names", `${name}: no name server answers`, "look at [dns] servers and /etc/resolv.conf");
  const addresses = [...(ipv4 ?? []), ...(ipv6 ?? [])].filter((record) => typeof record === "string");
  if ((srv ?? []).length > 0) return good("names", `${name} has SRV records for SIP over UDP`);
  if (addresses.some((address) => ours.has(address))) return good("names", `${name} leads here`);
  if (addresses.length === 0) return mayStop("names", `${name} has no SRV and no address`, RECORDS);
  return mayStop("names", `${name} leads to ${addresses.join(", ")}, which is not here`, RECORDS);
}

/** Null: no answer in time. */
function asked(
  resolver: Resolver,
  name: string,
  type: "SRV" | "A" | "AAAA",
): Promise<readonly AnyRecord[] | null> {
  return new Promise((resolve) => {
    const alarm = systemClock.after(NAME_WAIT_MS, () => resolve(null));
    resolver.ask(name, type, (answer) => {
      alarm.cancel();
      if (answer.kind === "failed") resolve(null);
      else resolve(answer.kind === "records" ? answer.records : []);
    });
  });
}
