/**
 * What the resolver needs of the machine: sockets to a name server and two files. `node-sockets.ts` and
 * `node-files.ts` are the real ones; tests bring virtual ones.
 */

/** Where a name server listens. */
export interface ServerAddress {
  /** An IP literal without brackets. */
  readonly address: string;
  readonly port: number;
}

/** What a socket tells; synchronously from the event loop, never from inside a call on the socket. */
export interface SocketEvents {
  /** One datagram, or a piece of a stream, and who sent it. */
  received(bytes: Buffer, from: ServerAddress): void;
  /** Nothing more will come: refused, unreachable, closed by the server. */
  failed(reason: string): void;
}

export interface DnsSocket {
  /** Never throws; a failure comes as `failed`. May be called before the socket is connected. */
  send(bytes: Buffer): void;
  /** No event comes afterwards. Harmless when repeated. */
  close(): void;
}

export interface DnsSockets {
  /** A datagram socket on a fresh port that the kernel draws at random (RFC 5452 §9.2), connected to the server. */
  datagram(server: ServerAddress, events: SocketEvents): DnsSocket;
  /** A stream to the server. */
  stream(server: ServerAddress, events: SocketEvents): DnsSocket;
}

/** Tells one state of a file from another. */
export interface FileStamp {
  readonly modified_ms: number;
  readonly bytes: number;
  readonly inode: number;
}

export interface Files {
  /** Null: there is no such file. */
  stamp(path: string): FileStamp | null;
  /** Null: it cannot be read. */
  read(path: string): string | null;
}
