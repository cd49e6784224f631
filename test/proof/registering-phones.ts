/**
 * A crowd of phones on one UDP socket that register as fast as told, and the ledger of what they were
 * promised: what a 200 said must be found again, whatever happens to the process that said it.
 */

export interface Promised {
  readonly user: string;
  /** Seconds of the registrations that may be found: the last one answered, and those sent after it. */
  readonly allowed: readonly number[];
}

interface Sent {
  readonly serial: number;
  /** 0: removes the contact. */
  readonly expires_s: number;
}

const TICK_MS = 10;
/** Every so many-th REGISTER removes. */
const REMOVAL_EVERY = 9;
const EXPIRES_LEAST_S = 600;
const EXPIRES_SPREAD_S = 3000;

export class RegisteringPhones {
  readonly #socket: Bun.udp.Socket<"buffer">;
  readonly #target: readonly [address: string, port: number];
  readonly #users: number;
  /** By user: what was sent and not overtaken by an answer to something later; the first one is answered. */
  readonly #open = new Map<number, Sent[]>();
  readonly #calls: string[] = [];
  #serial = 0;
  #running = false;
  sent = 0;
  answered = 0;

  private constructor(
    socket: Bun.udp.Socket<"buffer">,
    target: readonly [address: string, port: number],
    users: number,
  ) {
    this.#socket = socket;
    this.#target = target;
    this.#users = users;
  }

  static async open(
    address: string,
    target: readonly [address: string, port: number],
    users: number,
  ): Promise<RegisteringPhones> {
    let take: (text: string) => void = () => {};
    const socket = await Bun.udpSocket({
      hostname: address,
      socket: {
        data: (_socket, bytes) => take(bytes.toString("latin1")),
        error() {}, // nobody listens while the appliance is dead
      },
    });
    const phones = new RegisteringPhones(socket, target, users);
    take = (text) => phones.#take(text);
    return phones;
  }

  /** Registers at `rate` a second until told to halt, or `ms_max` are over. */
  async run(rate: number, ms_max: number): Promise<void> {
    const begin = performance.now();
    this.#running = true;
    let done = 0;
    for (let now = begin; this.#running && now < begin + ms_max; now = performance.now()) {
      for (const due = ((now - begin) / 1000) * rate; done < due; done++) this.#register();
      await Bun.sleep(TICK_MS);
    }
  }

  halt(): void {
    this.#running = false;
  }

  /** What may be found of each user who ever got an answer. */
  *promises(): Iterable<Promised> {
    for (const [user, sent] of this.#open)
      if (sent[0] !== ANYTHING) yield { user: `u${user}`, allowed: sent.map(({ expires_s }) => expires_s) };
  }

  /** Users whose contact must be registered now, whatever became of unanswered requests. */
  registered(): string[] {
    return [...this.promises()].filter(({ allowed }) => !allowed.includes(0)).map(({ user }) => user);
  }

  /** Takes what was found as the truth from now on. */
  found(seconds: ReadonlyMap<string, number>): void {
    for (const user of this.#open.keys())
      this.#open.set(user, [{ serial: 0, expires_s: seconds.get(`u${user}`) ?? 0 }]);
  }

  /** Sends an INVITE to a user; the phone it reaches is one of ours. Gives its Call-ID. */
  call(user: string, domain: string): string {
    const id = `call-${this.#serial++}-${user}`;
    this.#send([
      `INVITE sip:${user}@${domain} SIP/2.0`,
      ...this.#headers(id, "INVITE", `sip:${user}@${domain}`),
      `Contact: <sip:caller@${this.#socket.hostname}:${this.#socket.port}>`,
    ]);
    return id;
  }

  /** Whether the INVITE of that call has come to its phone. */
  rang(callId: string): boolean {
    return this.#calls.includes(callId);
  }

  close(): void {
    this.#socket.close();
  }

  #register(): void {
    const serial = this.#serial++;
    const user = serial % this.#users;
    const expires_s = serial % REMOVAL_EVERY === 0 ? 0 : EXPIRES_LEAST_S + (serial % EXPIRES_SPREAD_S);
    const list = this.#open.get(user) ?? [ANYTHING];
    list.push({ serial, expires_s });
    this.#open.set(user, list);
    this.sent++;
    const { hostname, port } = this.#socket;
    const aor = `sip:u${user}@${this.#target[0]}`;
    this.#send([
      `REGISTER sip:${this.#target[0]} SIP/2.0`,
      ...this.#headers(`register-${user}`, "REGISTER", aor, serial),
      `Contact: <sip:u${user}@${hostname}:${port}>;expires=${expires_s}`,
    ]);
  }

  #headers(callId: string, method: string, to: string, serial = this.#serial): string[] {
    const { hostname, port } = this.#socket;
    return [
      `Via: SIP/2.0/UDP ${hostname}:${port};branch=z9hG4bK${serial}-${method};rport`,
      "Max-Forwards: 70",
      `From: <sip:crowd@${this.#target[0]}>;tag=crowd`,
      `To: <${to}>`,
      `Call-ID: ${callId}`,
      `CSeq: ${serial + 1} ${method}`,
    ];
  }

  #send(lines: readonly string[]): void {
    const [address, port] = this.#target;
    const bytes = Buffer.from(`${lines.join("\r\n")}\r\nContent-Length: 0\r\n\r\n`, "latin1");
    try {
      this.#socket.send(bytes, port, address);
    } catch {
      // The dead appliance's port is unreachable: this one is lost, as on any network.
    }
  }

  #take(text: string): void {
    if (text.startsWith("INVITE ")) {
      this.#calls.push(/^Call-ID: (.*)\r$/im.exec(text)?.[1] ?? "");
      return;
    }
    const register =
      /^SIP\/2\.0 200 [\s\S]*^Call-ID: register-(\d+)\r$[\s\S]*^CSeq: (\d+) REGISTER\r$/im.exec(text);
    if (register === null) return;
    this.answered++;
    const user = Number(register[1]);
    const serial = Number(register[2]) - 1;
    const list = this.#open.get(user) ?? [];
    const at = list.findIndex((sent) => sent.serial === serial);
    if (at > 0) list.splice(0, at); // what went before is overtaken
  }
}

/** Stands for whatever was there before the first answer. */
const ANYTHING: Sent = { serial: -1, expires_s: -1 };
