/**
 * What phones report of the quality they heard (RFC 6035): PUBLISH with Event: vq-rtcpxr, addressed to the appliance
 * itself. The last ones are kept in memory for the API; all are counted.
 */
import type { Dice } from "../base/dice.ts";
import type { Metrics } from "../base/metrics.ts";
import type { VqReport } from "../media/vq-report.ts";
import { readVqReport } from "../media/vq-report.ts";
import { H } from "../message/header-names.ts";
import { ParseError } from "../message/parse-error.ts";
import type { Refusal } from "../message/refusal.ts";
import type { SipMessage } from "../message/sip-message.ts";

/** Reports that are kept; the oldest go first. */
export const REPORTS_MAX = 1000;
const EVENT = "vq-rtcpxr";
const BODY_TYPE = "application/vq-rtcpxr";

export interface ReceivedReport {
  readonly at_ms: number;
  /** The account that sent it; null: a trusted source. */
  readonly user: string | null;
  /** The address it came from. */
  readonly source: string;
  readonly report: VqReport;
}

export class QualityReports {
  readonly #wall: () => number;
  readonly #dice: Dice;
  readonly #metrics: Metrics;
  /** The oldest first. */
  readonly #kept: ReceivedReport[] = [];

  constructor(wall: () => number, dice: Dice, metrics: Metrics) {
    this.#wall = wall;
    this.#dice = dice;
    this.#metrics = metrics;
  }

  /** The header fields of its 200 (RFC 3903 §6), or why it is refused. */
  take(request: SipMessage, source: string, user: string | null): Refusal | readonly string[] {
    const event = (request.text(H.Event) ?? "").split(";", 1)[0]!.trim().toLowerCase();
    if (event !== EVENT)
      return refusal(489, "Only vq-rtcpxr is collected here", "RFC 6665 §7.3.2", [`Allow-Events: ${EVENT}`]);
    const type = (request.text(H.ContentType) ?? "").split(";", 1)[0]!.trim().toLowerCase();
    if (type !== BODY_TYPE)
      return refusal(415, `The body is no ${BODY_TYPE}`, "RFC 3261 §21.4.13", [`Accept: ${BODY_TYPE}`]);
    const report = readVqReport(request.bytes.subarray(request.bodyStart, request.bodyEnd));
    if (report instanceof ParseError)
      return refusal(400, `The report cannot be read (${report.code})`, "RFC 6035 §4.6.1", []);
    this.#count(report.kind);
    this.#kept.push({ at_ms: this.#wall(), user, source, report });
    if (this.#kept.length > REPORTS_MAX) this.#kept.shift();
    return [`SIP-ETag: ${this.#dice.token()}`, "Expires: 0"];
  }

  /** At most `max`, the newest first. */
  newest(max: number): readonly ReceivedReport[] {
    return this.#kept.slice(-max).reverse();
  }

  #count(kind: VqReport["kind"]): void {
    this.#metrics
      .counter("sipedge_quality_reports_total", "Reports of phones about the quality they heard (RFC 6035)", {
        kind,
      })
      .inc();
  }
}

const refusal = (status: number, reason: string, section: string, headers: readonly string[]): Refusal => ({
  status,
  reason,
  section,
  headers,
});
