/**
 * What the search for a destination asks of this room: where a call to nobody here may go, and each
 * way's hops when its turn has come.
 */
import type { PeerKeys } from "../config/keys-peers.ts";
import type { RouteKeys } from "../config/keys-routes.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipUri } from "../message/uri.ts";
import { refusalOf } from "./no-peer.ts";
import type { PeerHop, PeerUri } from "./peer.ts";
import { hopTo, peerOf } from "./peer.ts";
import type { PeerBook } from "./peer-book.ts";
import type { Decision, RouteQuestion, Way } from "./routes.ts";
import { Routes } from "./routes.ts";

/** One copy to send: where, and whom to tell the book about. */
export interface TrunkHop extends PeerHop {
  readonly at: PeerUri;
}

export class Trunks {
  readonly book: PeerBook;
  #routes = new Routes([]);

  constructor(book: PeerBook) {
    this.book = book;
  }

  /** Makes these all the peers and routes there are. */
  configure(config: { readonly peer: readonly PeerKeys[]; readonly route: readonly RouteKeys[] }): void {
    this.book.configure(config.peer.map(peerOf));
    this.#routes = new Routes(config.route);
  }

  /** Nothing is looked up here: neither peers' states nor registrations. */
  decide(question: RouteQuestion): Decision {
    return this.#routes.decide(question);
  }

  /**
   * The hops of a way to a peer, to be tried one after the other, or the answer if no later way is left.
   * To be asked when the way's turn has come, so that what earlier hops taught counts.
   */
  hops(peer: string, user: Way["user"], method: string, asked: SipUri): readonly TrunkHop[] | Refusal {
    const picked = this.book.pick(peer, method);
    if ("why" in picked) return refusalOf(picked, this.book.peer(peer));
    const hops: TrunkHop[] = [];
    for (const at of picked) {
      const hop = hopTo(at, user, asked);
      if (hop !== null) hops.push({ ...hop, at });
    }
    return hops.length > 0 ? hops : NO_URI;
  }
}

/**
 * Whether a call goes on to the next hop after this final status: a server failed (5xx), or nobody
 * answered at all (`responded` false). What a callee or a carrier has decided (3xx, 4xx, 6xx) stands.
 */
export function goesOn(status: number, responded: boolean): boolean {
  if (!responded) return status === 408 || status >= 500;
  return status >= 500 && status < 600 && status !== 501 && status !== 505 && status !== 513;
}

const NO_URI: Refusal = {
  status: 404,
  reason: "The rewritten number is no user part",
  section: "RFC 3261 §19.1.1",
};
