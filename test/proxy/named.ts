/** The appliance with a resolver of its own and a name server behind it, all on the world's clock. */
import type { Answer as PacketAnswer } from "dns-packet";
import { silentLog } from "../../src/base/log.ts";
import type { NameService } from "../../src/dns/records.ts";
import { Resolver } from "../../src/dns/resolver.ts";
import { NameServers, OPTIONS, SERVER, VirtualFiles, zoneOf } from "../dns/name-servers.ts";
import { lab } from "./kit.ts";

export function named(records: readonly PacketAnswer[], toml = "") {
  let resolver: Resolver | null = null;
  const names: NameService = { ask: (name, type, done) => resolver?.ask(name, type, done) };
  const world = lab(toml, { resolver: names });
  const { clock, dice, metrics } = world;
  const servers = new NameServers(clock);
  servers.at(SERVER, zoneOf(records));
  const files = new VirtualFiles();
  resolver = new Resolver({ clock, dice, log: silentLog, metrics, sockets: servers, files }, OPTIONS);
  /** The queries since the last time, `NAPTR gw.test`. */
  const queries = () => servers.log.splice(0).map((line) => line.split(" ").slice(2).join(" "));
  return { world, servers, queries };
}

export type Named = ReturnType<typeof named>;
