/**
 * What a forwarded call tells of its way: History-Info (RFC 7044) and Diversion (RFC 5806).
 * Departs from RFC 7044 §9: an entry is written for each forward, not for the step from an
 * address-of-record to its contacts, so that calls that are not forwarded leave as they came.
 */
import { H } from "../message/header-names.ts";
import type { SipMessage } from "../message/sip-message.ts";

/** Why a call goes on. */
export type ForwardCause = "always" | "busy" | "no_answer" | "not_registered" | "unreachable" | "redirect";

/** One forward: from an address here to another destination, both as URIs. */
export interface Forwarded {
  readonly from: string;
  readonly to: string;
  readonly cause: ForwardCause;
}

/** Header lines with CRLF; empty: none of that kind. */
export interface Retarget {
  /** How the call came here, the first forward first. */
  readonly forwards: readonly Forwarded[];
  /** Whether what the request says of earlier forwards may go on. */
  readonly keepsEarlier: boolean;
  /** Behind what is there already. */
  readonly history: string;
  /** Before what is there already: the last diversion stands first (RFC 5806 §4). */
  readonly diversion: string;
}

/** RFC 4458 §3 and RFC 5806 §5: the cause as number and as word. */
const CAUSES: Readonly<Record<ForwardCause, readonly [cause: number, reason: string]>> = {
  always: [302, "unconditional"],
  busy: [486, "user-busy"],
  no_answer: [408, "no-answer"],
  not_registered: [404, "unavailable"],
  unreachable: [503, "unavailable"],
  redirect: [302, "deflection"],
};

/**
 * The lines for a request that has been forwarded once or more, the first forward first. What a stranger
 * says of forwards before (`isVouched` false) is not believed: it would open somebody else's mailbox.
 */
export function retargetLines(
  request: SipMessage,
  forwards: readonly Forwarded[],
  { history_info, diversion }: { readonly history_info: boolean; readonly diversion: boolean },
  isVouched: boolean,
): Retarget {
  const first = isVouched ? firstIndex(request) : "1";
  return {
    forwards,
    keepsEarlier: isVouched,
    history: history_info ? historyLine(first, forwards) : "",
    diversion: diversion ? diversionLines(forwards) : "",
  };
}

/** How often the request says it was forwarded before it came here. */
export function forwardsSaid(request: SipMessage): number {
  if (request.find(H.Diversion) < 0) return 0;
  let count = 0;
  for (const value of request.texts(H.Diversion)) count += value.split("<").length - 1;
  return count;
}

/** RFC 7044 §9.1, §10: what was dialled with the Reason it failed for, then where it went, `mp` naming the parent. */
function historyLine(first: string, forwards: readonly Forwarded[]): string {
  let index = first;
  let parent = index;
  const entries: string[] = [];
  forwards.forEach(({ from, to, cause }, i) => {
    const [code] = CAUSES[cause];
    const why = cause === "always" ? "" : `?Reason=SIP%3Bcause%3D${code}`;
    if (i === 0) entries.push(`<${from}${why}>;index=${index}`);
    else if (why !== "") entries[i] = entries[i]!.replace(">", `${why}>`);
    parent = index;
    index = `${index}.1`;
    entries.push(`<${to};cause=${code}>;index=${index};mp=${parent}`);
  });
  return `History-Info: ${entries.join(", ")}\r\n`;
}

/** A branch of the last entry that came with the request; without one the tree begins here. */
function firstIndex(request: SipMessage): string {
  if (request.find(H.HistoryInfo) < 0) return "1";
  const last = request
    .texts(H.HistoryInfo)
    .join(",")
    .match(/;\s*index\s*=\s*[0-9.]{1,64}/gi)
    ?.at(-1);
  const index = last?.replace(/^.*=\s*/, "");
  return index === undefined ? "1" : `${index}.1`;
}

function diversionLines(forwards: readonly Forwarded[]): string {
  let lines = "";
  for (const { from, cause } of forwards.toReversed())
    lines += `Diversion: <${from}>;reason=${CAUSES[cause][1]};counter=1\r\n`;
  return lines;
}
