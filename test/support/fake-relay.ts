/** A relay that hands out ports and notes what it is told. */
import type {
  MediaPorts,
  MediaRelay,
  MediaReport,
  MediaSession,
  RemoteMedia,
} from "../../src/media/media-session.ts";

export class FakeSession implements MediaSession {
  readonly ports = new Map<string, MediaPorts & { readonly address: string }>();
  readonly remotes = new Map<string, RemoteMedia>();
  readonly dropped: string[] = [];
  chosen: string | null = null;
  isClosed = false;
  latest: MediaReport | null = null;
  readonly #relay: FakeRelay;

  constructor(relay: FakeRelay) {
    this.#relay = relay;
  }

  side(stream: number, key: string, address: string): MediaPorts | null {
    const name = `${stream} ${key}`;
    const known = this.ports.get(name);
    if (known !== undefined) return known;
    if (this.#relay.left === 0) return null;
    this.#relay.left--;
    const rtp_port = this.#relay.next;
    this.#relay.next += 2;
    const ports = { address, rtp_port, rtcp_port: rtp_port + 1 };
    this.ports.set(name, ports);
    return ports;
  }

  setRemote(stream: number, key: string, remote: RemoteMedia): void {
    this.remotes.set(`${stream} ${key}`, remote);
  }

  choose(key: string): void {
    this.chosen = key;
  }

  drop(key: string): void {
    this.dropped.push(key);
  }

  async close(): Promise<MediaReport | null> {
    this.isClosed = true;
    return this.latest;
  }
}

export class FakeRelay implements MediaRelay {
  /** Pairs that can still be had. */
  left = 1000;
  next = 10_000;
  readonly sessions: FakeSession[] = [];

  hold(): void {}

  open(): MediaSession {
    const session = new FakeSession(this);
    this.sessions.push(session);
    return session;
  }
}
