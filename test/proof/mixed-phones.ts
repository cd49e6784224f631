/** A crowd of phones on one socket; the name of who is called says what his phone does. */
import { answerTo, audio, headerOf } from "./sip-lines.ts";

/** A phone that picks up, one that rings until it is cancelled, one that is busy, one that is switched off. */
export const KINDS = ["answer", "ring", "busy", "silent"] as const;
export type Kind = (typeof KINDS)[number];

const MEDIA_PORT = 9000;

export class MixedPhones {
  readonly #socket: Bun.udp.Socket<"buffer">;
  /** INVITEs that ring, by Call-ID: their CANCELs do not name all of the way back (RFC 3261 §9.1). */
  readonly #ringing = new Map<string, string>();

  /** Where they say that they are reached. */
  at: readonly [address: string, port: number];

  private constructor(socket: Bun.udp.Socket<"buffer">) {
    this.#socket = socket;
    this.at = this.place;
  }

  static async open(address: string): Promise<MixedPhones> {
    let take: (text: string, port: number, from: string) => void = () => {};
    const data = (_: unknown, bytes: Buffer, port: number, from: string) =>
      take(bytes.toString("latin1"), port, from);
    const phones = new MixedPhones(await Bun.udpSocket({ hostname: address, socket: { data, error() {} } }));
    take = (text, port, from) => {
      for (const answer of phones.#answers(text)) phones.#socket.send(answer, port, from);
    };
    return phones;
  }

  /** Where they listen. */
  get place(): readonly [address: string, port: number] {
    return [this.#socket.hostname, this.#socket.port];
  }

  /** The Contact of one of them. */
  contact(user: string): string {
    return `<sip:${user}@${this.at.join(":")}>`;
  }

  close(): void {
    this.#socket.close();
  }

  #answers(request: string): Buffer[] {
    const [, method = "", kind = "", user = ""] = /^([A-Z]+) sip:((\w+)-?\d*)@/.exec(request) ?? [];
    if (method === "CANCEL") return [answerTo(request, "200 OK"), ...this.#terminated(request)];
    if (method === "BYE") return [answerTo(request, "200 OK")];
    if (method !== "INVITE") return [];
    switch (user as Kind) {
      case "answer":
        return [
          answerTo(request, "180 Ringing"),
          answerTo(
            request,
            "200 OK",
            [`Contact: ${this.contact(kind)}`],
            audio(this.#socket.hostname, MEDIA_PORT),
          ),
        ];
      case "ring":
        this.#ringing.set(headerOf(request, "Call-ID"), request);
        return [answerTo(request, "180 Ringing")];
      case "busy":
        return [answerTo(request, "486 Busy Here")];
      default:
        return [];
    }
  }

  #terminated(cancel: string): Buffer[] {
    const id = headerOf(cancel, "Call-ID");
    const invite = this.#ringing.get(id);
    this.#ringing.delete(id);
    return invite === undefined ? [] : [answerTo(invite, "487 Request Terminated")];
  }
}
