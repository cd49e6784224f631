/** Peers and routes for tests, with every default of the schema in its place, on a virtual clock. */
import { expect } from "bun:test";
import * as v from "valibot";
import type { Fields, Level, Log } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import type { PeerKeys } from "../../src/config/keys-peers.ts";
import { peer } from "../../src/config/keys-peers.ts";
import type { RouteKeys } from "../../src/config/keys-routes.ts";
import { route } from "../../src/config/keys-routes.ts";
import { ParseError } from "../../src/message/parse-error.ts";
import type { SipUri } from "../../src/message/uri.ts";
import { parseUri } from "../../src/message/uri.ts";
import type { NoPeer } from "../../src/peers/no-peer.ts";
import type { Peer, PeerUri } from "../../src/peers/peer.ts";
import { peerOf } from "../../src/peers/peer.ts";
import { PeerBook } from "../../src/peers/peer-book.ts";
import { SeededDice } from "../support/seeded-dice.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

/** Tables as a file has them; the schema adds the defaults. */
type Table = Readonly<Record<string, unknown>>;

export const peerKeys = (...tables: Table[]): PeerKeys[] => v.parse(peer, tables);
export const routeKeys = (...tables: Table[]): RouteKeys[] => v.parse(route, tables);
export const peersOf = (...tables: Table[]): Peer[] => peerKeys(...tables).map(peerOf);

export function uriOf(text: string): SipUri {
  const uri = parseUri(text);
  if (uri instanceof ParseError) throw new Error(`${text}: ${uri.code}`);
  return uri;
}

/** Remembers the events it was told. */
export class EventLog implements Log {
  readonly lines: { level: Level; event: string; fields: Fields }[] = [];
  debug(event: string, fields: Fields = {}): void {
    this.lines.push({ level: "debug", event, fields });
  }
  info(event: string, fields: Fields = {}): void {
    this.lines.push({ level: "info", event, fields });
  }
  warn(event: string, fields: Fields = {}): void {
    this.lines.push({ level: "warn", event, fields });
  }
  error(event: string, fields: Fields = {}): void {
    this.lines.push({ level: "error", event, fields });
  }
  get events(): string[] {
    return this.lines.map(({ event }) => event);
  }
}

/** A book with these peers. */
export class BookLab {
  readonly clock = new VirtualClock();
  readonly log = new EventLog();
  readonly metrics = new Metrics();
  readonly dice: SeededDice;
  readonly book: PeerBook;

  constructor(tables: readonly Table[], seed = 1) {
    this.dice = new SeededDice(seed);
    const { clock, log, metrics, dice } = this;
    this.book = new PeerBook({ clock, log, metrics, dice });
    this.book.configure(peersOf(...tables));
  }

  /** The URIs picked, or why there is none. */
  pick(name: string, method = "INVITE"): string[] | string {
    const picked = this.book.pick(name, method);
    return "why" in picked ? picked.why : picked.map(({ uri }) => uri.text);
  }

  none(name: string, method = "INVITE"): NoPeer {
    const picked = this.book.pick(name, method);
    if (!("why" in picked)) throw new Error(`${name} can be had`);
    return picked;
  }

  /** The n-th URI of a peer, as configured. */
  at(name: string, n = 0): PeerUri {
    const at = this.book.peer(name)?.uris[n];
    if (at === undefined) throw new Error(`no URI ${n} of ${name}`);
    return at;
  }

  /** Sum of a counter over the series that have these labels. */
  count(name: string, labels: Record<string, string> = {}): number {
    const family = this.metrics.collect().find((each) => each.name === name);
    expect(family).toBeDefined();
    return (family?.samples ?? [])
      .filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }
}
