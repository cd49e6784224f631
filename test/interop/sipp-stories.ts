/**
 * A story with sipp on both sides: phones register under one name, somebody calls it, all go through
 * their scenarios to the end.
 */
import type { Edge } from "../support/edge.ts";
import type { SippOptions } from "./sipp.ts";
import { Sipp, sipp } from "./sipp.ts";

const CALLER = "127.0.0.11";
const CALLEE = "127.0.0.12";
const PASSWORD = "a long secret";
const STORIES_MAX = 60;

type Side = Partial<SippOptions> & { readonly scenario: string };

export interface Story {
  readonly caller: Side;
  /** One phone each; more than one: the call forks. */
  readonly callees: readonly Side[];
  readonly calls?: number;
  readonly rate?: number;
}

export interface Played {
  readonly caller: Sipp;
  readonly callees: readonly Sipp[];
}

/** Accounts for so many stories: each has a caller and a callee of its own, so that they can run at once. */
export function storyAccounts(): string {
  const names = Array.from({ length: STORIES_MAX }, (_, i) => [`caller${i}`, `callee${i}`]).flat();
  return names.map((name) => `[[user]]\nname = "${name}"\npassword = "${PASSWORD}"`).join("\n");
}

export class Stories {
  readonly #edge: Edge;
  #told = 0;

  constructor(edge: Edge) {
    this.#edge = edge;
  }

  /** Plays a story to its end; every scenario must go as written. */
  async play(story: Story): Promise<Played> {
    const number = this.#told++;
    const { calls = 1, rate = 10 } = story;
    const peer = `callee${number}`;
    const callees = await Promise.all(
      story.callees.map((side) => Sipp.start({ address: CALLEE, user: peer, calls, ...side })),
    );
    try {
      for (const [i, callee] of callees.entries()) await this.#register(peer, callee, story.callees[i]!);
      const target = this.#at(story.caller.address ?? CALLER);
      const caller = await sipp({
        target,
        address: CALLER,
        user: `caller${number}`,
        password: PASSWORD,
        calls,
        rate,
        ...story.caller,
        keys: { peer: `${peer}@${target}`, ...story.caller.keys },
      });
      await Promise.all(callees.map((callee) => callee.succeeds()));
      return { caller, callees };
    } finally {
      await Promise.all(callees.map((callee) => callee.stop()));
    }
  }

  /** Registers a phone as phones do, with its password, over UDP. */
  async #register(user: string, phone: Sipp, { transport = "u1" }: Side): Promise<void> {
    const contact = phone.contact(user) + (transport.startsWith("t") ? ";transport=tcp" : "");
    await sipp({
      scenario: "register",
      target: this.#at(phone.address),
      address: phone.address,
      user,
      password: PASSWORD,
      keys: { contact: `<${contact}>`, expires: "600" },
    });
  }

  /** The appliance at an address of the same family. */
  #at(address: string): string {
    const six = address.includes(":");
    const ours = this.#edge.addresses.find((each) => each.includes(":") === six) ?? "";
    return six ? `[${ours}]:${this.#edge.port}` : `${ours}:${this.#edge.port}`;
  }
}
