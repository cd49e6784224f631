/** Which calls are relayed: by media.relay, the keys of users and peers, and where the two sides stand. */
import type { Flow } from "../base/flow.ts";
import type { RelayMode } from "../config/keys-media.ts";
import type { Config } from "../config/schema.ts";
import { sdpPart } from "../message/body-parts.ts";
import { ParseError } from "../message/parse-error.ts";
import { readSdp } from "../message/sdp.ts";
import type { SipMessage } from "../message/sip-message.ts";
import { isPrivate } from "../nat/private-address.ts";
import type { Copy, Forwarding } from "../proxy/forward.ts";

export class RelayChoice {
  #mode: RelayMode = "auto";
  #users: ReadonlyMap<string, RelayMode> = new Map();
  #peers: ReadonlyMap<string, RelayMode> = new Map();

  configure({ media, user, peer }: Config): void {
    this.#mode = media.relay;
    this.#users = new Map(user.flatMap(({ name, relay }) => (relay === undefined ? [] : [[name, relay]])));
    this.#peers = new Map(peer.flatMap(({ name, relay }) => (relay === undefined ? [] : [[name, relay]])));
  }

  /** Whether any call may be. */
  get isUsed(): boolean {
    const modes = [this.#mode, ...this.#users.values(), ...this.#peers.values()];
    return modes.some((mode) => mode !== "never");
  }

  isRelayed(forwarding: Forwarding, copy: Copy): boolean {
    const mode = this.#users.size + this.#peers.size === 0 ? this.#mode : this.#modeOf(forwarding, copy);
    return mode === "always" || (mode === "auto" && needsRelay(forwarding, copy));
  }

  /** "always" of anybody counts more than "never" of anybody else, and each more than the mode of all. */
  #modeOf(forwarding: Forwarding, copy: Copy): RelayMode {
    const modes = [
      this.#users.get(forwarding.callerUser ?? ""),
      this.#users.get(copy.calleeUser ?? ""),
      this.#peers.get(copy.peer ?? ""),
    ];
    if (modes.includes("always")) return "always";
    if (modes.includes("never")) return "never";
    return modes.includes("auto") ? "auto" : this.#mode;
  }
}

/** Whether the two sides may not reach each other by themselves. */
function needsRelay({ request, source, callerIsBound }: Forwarding, { calleeIsBound, flow }: Copy): boolean {
  if (callerIsBound || calleeIsBound || source.local.address !== flow.local.address) return true;
  if (isOutside(source) !== isOutside(flow)) return true;
  // A private address in its description means nothing to one who is elsewhere.
  return !isPrivate(flow.remoteAddress) && offersPrivate(request);
}

/** Whether the peer stands outside of an endpoint that has another name there. */
export function isOutside({ local, remoteAddress }: Flow): boolean {
  return local.inside !== undefined && !local.inside.networks.has(remoteAddress);
}

function offersPrivate(request: SipMessage): boolean {
  const part = sdpPart(request);
  const sdp = part === null ? null : readSdp(request.bytes, part.from, part.to);
  if (sdp === null || sdp instanceof ParseError) return false;
  return sdp.media.some(({ connection }) => connection !== null && isPrivate(connection.address));
}
