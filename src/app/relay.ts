/**
 * Which calls are relayed, and what is edited for it: the session descriptions of their requests and answers.
 */
import { ipFamily } from "../base/address.ts";
import type { Flow, LocalEndpoint } from "../base/flow.ts";
import { sentByFor } from "../base/flow.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import type { Call } from "../calls/call.ts";
import type { CallTable } from "../calls/call-table.ts";
import type { Config } from "../config/schema.ts";
import type { MediaLeg, Passed } from "../media/call-media.ts";
import { CALLER, CallMedia, editCodecs } from "../media/call-media.ts";
import type { MediaRelay } from "../media/media-session.ts";
import type { Edits } from "../message/edits.ts";
import { ParseError } from "../message/parse-error.ts";
import type { CodecRule } from "../message/sdp-codec-rule.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { Branch } from "../proxy/branch.ts";
import type { CallObserver } from "../proxy/call-observer.ts";
import type { Copy, Forwarding, RequestEditor } from "../proxy/forward.ts";
import type { Admitted } from "../proxy/sender.ts";
import { codecRuleOf } from "./codec-rule.ts";
import type { MediaEditor } from "./forwarding.ts";
import { RelayChoice } from "./relay-choice.ts";

export interface RelayParts {
  readonly metrics: Metrics;
  readonly table: CallTable;
  /** Null: this appliance relays nothing. */
  readonly media: MediaRelay | null;
}

export class Relay implements RequestEditor, MediaEditor, CallObserver {
  readonly #media: MediaRelay | null;
  readonly #table: CallTable;
  readonly #passed: (passed: Passed) => Counter;
  readonly #refused: Counter;
  readonly #choice = new RelayChoice();
  #advertise: string | null = null;
  #isAnywhere = false;
  #codecs: CodecRule | null = null;

  constructor({ metrics, table, media }: RelayParts, config: Config) {
    this.#media = media;
    this.#table = table;
    this.#passed = (passed) =>
      metrics.counter("sipedge_media_descriptions_total", "Session descriptions of relayed calls", {
        passed,
      });
    this.#refused = metrics.counter(
      "sipedge_media_calls_refused_total",
      "Calls that could not be relayed, because no ports were free or the relay was gone",
    );
    this.configure(config);
  }

  configure(config: Config): void {
    const { media } = config;
    this.#choice.configure(config);
    this.#advertise = media.advertise;
    this.#codecs = codecRuleOf(media);
    this.#isAnywhere = media.accept_from === "anywhere";
  }

  /** Our addresses are these now. */
  follow(endpoints: readonly LocalEndpoint[]): void {
    this.#media?.hold(this.#choice.isUsed ? [...new Set(endpoints.map(({ address }) => address))] : []);
  }

  editRequest(edits: Edits, forwarding: Forwarding, copy: Copy): number | null {
    const { request, callId } = forwarding;
    const length = request.bodyEnd - request.bodyStart;
    if (length === 0 && request.method !== "INVITE") return length;
    if (this.#media === null) return this.#plain(edits, request);
    const call = this.#table.find(callId, request.fromTag, request.toTag);
    if (call === null) return this.#plain(edits, request);
    if (request.hasToTag) return this.#inside(edits, request, forwarding.source, call);
    return request.method === "INVITE"
      ? this.#begin(edits, forwarding, copy, call)
      : this.#plain(edits, request);
  }

  editResponse(edits: Edits, response: SipMessage): number {
    if (this.#media === null || response.status === 100) return this.#plain(edits, response);
    const call = this.#table.find(response.callId ?? "", response.fromTag, response.toTag);
    const media = call?.media ?? null;
    if (call === null || media === null) return this.#plain(edits, response);
    if (call.facts.from_tag !== response.fromTag) {
      const key = media.keyOf(response.fromTag);
      return key === null
        ? this.#plain(edits, response)
        : this.#pass(media, edits, response, CALLER, key).length;
    }
    const key = this.#keyOfAnswer(media, response);
    return key === null
      ? this.#plain(edits, response)
      : this.#pass(media, edits, response, key, CALLER).length;
  }

  begun(): void {}
  sent(): void {}
  rang(): void {}
  finished(): void {}

  /** The first who takes the call has it; the ports of the others are closed. */
  accepted({ id, method }: Branch, _response: SipMessage, { request, callId }: Admitted): void {
    if (this.#media === null || method !== "INVITE" || request.hasToTag) return;
    const media = this.#table.find(callId, request.fromTag, null)?.media ?? null;
    if (media?.has(id)) media.choose(id);
  }

  ended(): void {} // its ports are closed when somebody answers, or the call is over

  /** Null: this message must not leave. */
  #begin(edits: Edits, forwarding: Forwarding, copy: Copy, call: Call): number | null {
    const { request, source } = forwarding;
    if (call.media === null) {
      if (!this.#choice.isRelayed(forwarding, copy)) return this.#plain(edits, request);
      const session = this.#media?.open(call.id) ?? null;
      if (session === null) {
        this.#refused.inc();
        return null;
      }
      call.media = new CallMedia(session);
      call.media.join(this.#leg(CALLER, source, forwarding.callerIsBound));
    } else if (!this.#choice.isRelayed(forwarding, copy)) return this.#plain(edits, request);
    const { media } = call;
    media.codecs = this.#codecs;
    if (!media.join(this.#leg(copy.branch, copy.flow, copy.calleeIsBound)))
      return this.#plain(edits, request);
    const { passed, length: edited } = this.#pass(media, edits, request, CALLER, copy.branch);
    if (passed !== "no_ports") return edited;
    this.#refused.inc();
    return null;
  }

  #inside(edits: Edits, request: SipMessage, source: Flow, { facts, media }: Call): number {
    if (media === null) return this.#plain(edits, request);
    const isCaller = facts.from_tag === request.fromTag;
    const key = media.keyOf(isCaller ? request.toTag : request.fromTag);
    if (key === null) return this.#plain(edits, request);
    media.move(isCaller ? CALLER : key, source.remoteAddress);
    return this.#pass(media, edits, request, isCaller ? CALLER : key, isCaller ? key : CALLER).length;
  }

  /** Its media does not pass here. */
  #plain(edits: Edits, message: SipMessage): number {
    const length = message.bodyEnd - message.bodyStart;
    return this.#codecs === null || length === 0 ? length : editCodecs(edits, message, this.#codecs);
  }

  #pass(media: CallMedia, edits: Edits, message: SipMessage, from: string, to: string) {
    const body = media.pass(edits, message, from, to);
    if (body.passed !== "none") this.#passed(body.passed).inc();
    return body;
  }

  /** Our own branch on top of it names the callee, and its tag does from then on. */
  #keyOfAnswer(media: CallMedia, { cseq, toTag, via }: SipMessage): string | null {
    const isFirst = !(cseq instanceof ParseError) && cseq.method === "INVITE";
    const branch = via === null || via instanceof ParseError ? null : via.branch;
    if (isFirst && branch !== null && media.has(branch)) {
      if (toTag !== null) media.name(branch, toTag);
      return branch;
    }
    return media.keyOf(toTag);
  }

  #leg(key: string, flow: Flow, is_nat: boolean): MediaLeg {
    const { local, remoteAddress } = flow;
    return {
      key,
      local_address: local.address,
      told_address: this.#told(flow),
      signalling_address: remoteAddress,
      is_nat,
      is_anywhere: this.#isAnywhere,
    };
  }

  /** Inside our own networks the bound address, outside the advertised one, where it is an address. */
  #told({ local, remoteAddress }: Flow): string {
    const isInside = local.inside?.networks.has(remoteAddress) ?? false;
    if (!isInside && this.#advertise !== null && ipFamily(local.address) === 4) return this.#advertise;
    const host = hostOf(sentByFor(local, remoteAddress));
    return ipFamily(host) === ipFamily(local.address) ? host : local.address;
  }
}

/** `host:port` without its port and brackets. */
function hostOf(sentBy: string): string {
  if (sentBy.startsWith("[")) return sentBy.slice(1, sentBy.indexOf("]"));
  return sentBy.split(":", 1)[0]!;
}
