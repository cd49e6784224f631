/**
 * The test of one listener, step by step: two phones register, one calls the other, both talk, hang up, and are
 * written off again. What was begun is ended whatever happens.
 */
import { provesName } from "../../transport/certificate-names.ts";
import type { Patience } from "./failed.ts";
import { Failed } from "./failed.ts";
import type { PhoneParts } from "./phone.ts";
import { Phone } from "./phone.ts";
import type { Outcome, Step } from "./report.ts";
import { mediaLines, recordLines } from "./report.ts";
import type { Secret } from "./sip-text.ts";
import type { Target } from "./targets.ts";
import type { MediaResult } from "./test-call.ts";
import { TestCall } from "./test-call.ts";
import type { Watch } from "./watch.ts";

export interface ListenerParts extends PhoneParts {
  readonly patience: Patience;
  readonly caller: Secret;
  readonly callee: Secret;
  /** Null: the status API cannot be asked. */
  readonly watch: Watch | null;
  /** Whether the config keeps records of calls. */
  readonly hasRecords: boolean;
  /** What keeps the phones out of the listener, in words for what to do; null: nothing that is known. */
  readonly keptOut: () => Promise<string | null>;
  readonly tell: (step: Step) => void;
}

/** How much of the other's tone must be heard. */
const HEARD_SHARE_MIN = 0.9;
/** Below it people complain (ITU-T G.107 annex B: many are dissatisfied). */
const MOS_MIN = 3.6;
const LOOK_MS = 200;
const RECORD_MS = 5000;

export interface ListenerResult {
  readonly isGood: boolean;
  /** The call's Call-ID; null: it did not come to a call. */
  readonly callId: string | null;
}

export class ListenerTest {
  readonly #parts: ListenerParts;
  readonly #target: Target;
  readonly #phones: Phone[] = [];
  #call: TestCall | null = null;
  #step = "connect";

  constructor(parts: ListenerParts, target: Target) {
    this.#parts = parts;
    this.#target = target;
  }

  async run(): Promise<ListenerResult> {
    let isGood = true;
    try {
      const [caller, callee] = [await this.#phone(this.#parts.caller), await this.#phone(this.#parts.callee)];
      this.#connected(caller);
      await this.#register(caller, callee);
      await this.#callThrough(caller, callee);
      await this.#checkRecord();
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      this.#tell("failed", [error.message], (await this.#parts.keptOut()) ?? error.cure);
      isGood = false;
    } finally {
      await this.#tidy();
    }
    return { isGood, callId: this.#call?.callId ?? null };
  }

  async #phone(account: Secret): Promise<Phone> {
    const phone = await Phone.open(this.#parts, { ...account, domain: this.#target.domain }, this.#target);
    this.#phones.push(phone);
    return phone;
  }

  #connected({ link }: Phone): void {
    const { transport, certificateNames: names } = link;
    if (transport === "udp") return;
    const { serverName, address } = this.#target;
    const wanted = serverName ?? address;
    if (names === null || provesName(names, wanted))
      this.#tell("ok", [names === null ? "two connections" : `the certificate is for ${wanted}`]);
    else
      this.#tell(
        "look",
        [`the certificate is for ${names.slice(0, 5).join(", ") || "nobody"}, not for ${wanted}`],
        "phones that look at it will not connect: sipedge doctor",
      );
  }

  async #register(caller: Phone, callee: Phone): Promise<void> {
    this.#step = "register";
    await callee.register();
    await caller.register();
    const how = caller.wasChallenged
      ? "401, then 200 with digest"
      : "200 without a password (auth.trusted_networks)";
    this.#tell("ok", [`both phones: ${how}`]);
  }

  async #callThrough(caller: Phone, callee: Phone): Promise<void> {
    this.#step = "call";
    const { clock } = this.#parts.patience;
    caller.statuses.length = 0;
    this.#call = await TestCall.make(this.#parts, caller, callee);
    const began = clock.now();
    await this.#call.begin();
    const after_s = ((clock.now() - began) / 1000).toFixed(2);
    this.#tell("ok", [`INVITE: ${caller.statuses.join(", ")}, ACK, after ${after_s} s`]);
    this.#step = "media";
    const [media] = await Promise.all([this.#call.talk(), this.#checkRunning(this.#call.callId)]);
    this.#checkMedia(media);
    this.#step = "hang up";
    await this.#call.end();
    this.#tell("ok", ["BYE: 200"]);
  }

  async #checkRunning(callId: string): Promise<void> {
    const isRunning = await this.#parts.watch?.isRunning(callId);
    if (isRunning === false) throw new Failed("the call is not among those that run (/v1/calls)", BUG);
  }

  #checkMedia(media: MediaResult): void {
    const { sent, caller, callee, isRelayed } = media;
    const lines = [`2 s both ways, ${isRelayed ? "through the relay" : "from phone to phone"}`];
    const worst = Math.min(caller.packets, callee.packets);
    if (worst < HEARD_SHARE_MIN * sent)
      throw new Failed(
        mediaLines(media).join("; "),
        "let UDP media.port_min..media.port_max through the firewall of this machine",
      );
    if (caller.others + callee.others > 0)
      throw new Failed(
        `${caller.others + callee.others} packets were not the other phone's tone`,
        "something between changes or mixes media: [media], rtpengine",
      );
    const isPoor = Math.min(caller.mos ?? 0, callee.mos ?? 0) < MOS_MIN;
    const cure = isPoor ? "this machine is overloaded: look at its load and at sipedge status" : null;
    this.#tell(isPoor ? "look" : "ok", [...lines, ...mediaLines(media)], cure);
  }

  async #checkRecord(): Promise<void> {
    this.#step = "record";
    const { watch, patience, hasRecords } = this.#parts;
    const callId = this.#call?.callId;
    if (watch === null || callId === undefined || !hasRecords) {
      const why = hasRecords ? "not looked for: the status API cannot be asked" : "records.enabled is false";
      this.#tell("ok", [why]);
      return;
    }
    const record = await patience.until(() => watch.record(callId), LOOK_MS, RECORD_MS);
    if (record === null)
      throw new Failed("there is no record of the call (/v1/records)", "see the log: store");
    this.#tell("ok", recordLines(record));
  }

  /** Ends what was begun, the newest first. What fails now was told before, or harms nobody: bindings end by themselves. */
  async #tidy(): Promise<void> {
    this.#parts.patience.tidy();
    await this.#call?.end().catch(() => {});
    this.#call?.close();
    for (const phone of this.#phones) {
      if (phone.isRegistered) await phone.register(0).catch(() => {});
      phone.close();
    }
  }

  #tell(outcome: Outcome, found: readonly string[], cure: string | null = null): void {
    this.#parts.tell({ outcome, what: this.#step, found, cure });
  }
}

const BUG = "this is a bug: please report it with sipedge trace --messages";
