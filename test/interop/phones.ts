/**
 * baresip phones around one appliance, each with an address, a tone and RTP ports of its own, and what
 * two of them must hear in a call.
 */
import type { Edge } from "../support/edge.ts";
import { eventually } from "../support/process.ts";
import type { BaresipOptions } from "./baresip.ts";
import { Baresip } from "./baresip.ts";
import { measureTone } from "./tone.ts";

export const PASSWORD = "a-long-secret";
/** Enough for the measurement, which wants half a second in the middle. */
const TALK_S = 1.2;
const RTP_PORTS_EACH = 40;

/** `[[user]]` for each name. */
export function accounts(...names: readonly string[]): string {
  return names.map((name) => `[[user]]\nname = "${name}"\npassword = "${PASSWORD}"\n`).join("");
}

export class Phones {
  readonly #edge: Edge;
  readonly #firstHost: number;
  readonly #phones: Baresip[] = [];

  /** They live at 127.0.0.`firstHost` and upwards; two files must not share addresses. */
  constructor(edge: Edge, firstHost: number) {
    this.#edge = edge;
    this.#firstHost = firstHost;
  }

  /** Starts a phone and registers it under that name. */
  async add(name: string, options: Partial<BaresipOptions> = {}): Promise<Baresip> {
    const host = this.#firstHost + this.#phones.length;
    const phone = await Baresip.start({
      name,
      password: PASSWORD,
      registrar: this.#edge.hostPort,
      transport: "udp",
      address: `127.0.0.${host}`,
      tone_hz: 400 + 40 * this.#phones.length,
      rtp_port: 20_000 + RTP_PORTS_EACH * host,
      ...options,
    });
    this.#phones.push(phone);
    return phone;
  }

  /** Between two stories. */
  forget(): void {
    for (const phone of this.#phones) phone.forget();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#phones.map((phone) => phone.stop()));
  }
}

/** A call that is or will be up: each hears the other's tone, then the first hangs up. */
export async function talk(one: Baresip, other: Baresip): Promise<void> {
  await hearsTones(one, other);
  one.hangUp();
  await other.event("CALL_CLOSED");
}

/** Waits until the two are connected and hear each other's tone. */
export async function hearsTones(one: Baresip, other: Baresip): Promise<void> {
  // What it says, not its events: a phone may be called before its control port is connected.
  await Promise.all([one, other].map((phone) => phone.says(/Call established: /)));
  const hz = (phone: Baresip) => (phone.heard_s >= TALK_S ? measureTone(phone.heard()).hz : null);
  await eventually(
    () => `tones of ${other.options.tone_hz} and ${one.options.tone_hz} Hz; heard: ${hz(one)}, ${hz(other)}`,
    () => hz(one) === other.options.tone_hz && hz(other) === one.options.tone_hz,
    30_000,
  );
}
