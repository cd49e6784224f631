/** An appliance with a trusted sender in front of it and reachable neighbours behind it. */
import type { Flow } from "../../../src/base/flow.ts";
import { FramingFault, StreamFramer } from "../../../src/message/framing.ts";
import type { SipMessage } from "../../../src/message/sip-message.ts";
import type { PromisedNames } from "../../dns/promised-names.ts";
import type { Host } from "../../support/world.ts";
import { World } from "../../support/world.ts";

export const SENDER = "203.0.113.9";
/** Where every name leads. */
const NEIGHBOUR = "198.51.100.7";
const EVERY_NAME: PromisedNames = { addresses: async () => [NEIGHBOUR], services: async () => [] };
/** The next hop that a Route of mpart01 names. */
const STRICT_ROUTER = { address: "127.0.0.1", port: 5080 };
/** Ports to which answers go by the sent-by of messages that ask for no rport. */
const SENT_BY_PORTS = [5050];
const FRAMING = { header_bytes_max: 16_384, message_bytes_max: 65_536 };

export class Edge {
  readonly world: World;
  readonly sender: Host;
  /** The same address on a stream. */
  readonly streamSender: Host;
  /** What left for the neighbours, in order. */
  readonly forwarded: SipMessage[] = [];
  readonly neighbour: Host;

  constructor(options: { home?: string; trusted?: boolean } = {}) {
    const trusted = options.trusted === false ? "192.0.2.77/32" : "203.0.113.0/24";
    this.world = new World({ resolver: EVERY_NAME, toml: `[auth]\ntrusted_networks = ["${trusted}"]` });
    if (options.home !== undefined)
      this.world.core.domains.configure([options.home], this.world.transports.endpoints());
    this.sender = this.world.host(SENDER);
    for (const port of SENT_BY_PORTS) this.sender.transports.listen("udp", SENDER, port);
    this.streamSender = this.world.host(SENDER, 5060, "tcp");
    this.neighbour = this.world.host(NEIGHBOUR);
    const strict = this.world.host(STRICT_ROUTER.address, STRICT_ROUTER.port);
    for (const host of [this.neighbour, strict])
      host.on = (message) => {
        if (message.isRequest && message.method !== "CANCEL") this.forwarded.push(message);
      };
  }

  /** Sends one datagram and lets everything happen that follows from it, but no retransmission. */
  async datagram(bytes: Buffer): Promise<void> {
    this.sender.send(bytes);
    await this.settle();
  }

  /** Puts bytes on a stream, as a transport would read them; true when it still waits for more. */
  async stream(bytes: Buffer): Promise<boolean> {
    const framer = new StreamFramer(FRAMING);
    framer.feed(bytes);
    for (let frame = framer.next(); frame !== null; frame = framer.next()) {
      if (frame === "ping" || frame === "pong") continue;
      if (frame instanceof FramingFault) {
        this.world.core.receiver.broken(frame.head, this.#connection(), frame.code);
        break;
      }
      this.streamSender.send(frame);
    }
    await this.settle();
    return framer.partial;
  }

  /** Name service answers in microtasks, everything else on the virtual clock. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      this.world.run(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.world.run(20);
  }

  /** Ten minutes later nothing may be left. */
  leftOver(): number {
    this.world.run(600_000);
    return this.world.core.layer.size;
  }

  /** Our side of the sender's connection. */
  #connection(): Flow {
    const { transports, endpoint } = this.streamSender;
    transports.flowTo("tcp", "192.0.2.1", 5060, endpoint);
    const twin = transports.connections.at(-1)?.twin;
    if (!twin) throw new Error("no connection");
    return twin;
  }
}

/** Final answers that arrived at a host. */
export function finals(host: Host): SipMessage[] {
  return host.received.filter((message) => message.status >= 200);
}
