/**
 * Whom to call in the place of a branch that ended: the next place of the same next hop, another flow of the
 * same phone, or whom a redirection names.
 */
import type { Binding } from "../location/binding.ts";
import type { Branch } from "./branch.ts";
import { redirectContacts } from "./redirect.ts";
import type { Final } from "./responses.ts";
import type { Search } from "./search.ts";
import type { Target } from "./targets.ts";
import { contactTarget, isSamePhone } from "./targets.ts";

/** The next place (RFC 3263 §4.3), or another flow of the phone (RFC 5626 §5.3); null: none, or none is needed. */
export function spareTargets({ target, ways }: Branch, final: Final): readonly Target[] | null {
  const [spare, ...spares] = target.spares;
  if (ways.length > 0 && leadsNowhere(final)) return [{ ...target, ways }];
  if (spare === undefined || !isFlowFailure(final)) return null;
  const next = contactTarget(spare, target.retarget, spares);
  return next === null ? null : [next];
}

/** §16.7 step 4: whom a redirection from a phone of ours names; null: it is none, or may not be followed. */
export function redirectedTargets(
  { target }: Branch,
  { status, response }: Final,
  search: Search | null,
  callerIsOurs: boolean,
): readonly Target[] | null {
  if (response === null || status < 300 || status > 302 || target.binding === null) return null; // 305, 380: another matter
  const contacts = redirectContacts(response);
  return contacts === null ? null : (search?.redirected(contacts, target, callerIsOurs) ?? null);
}

/** Nobody there, or a 503 (RFC 3263 §4.3): somebody else may be. */
function leadsNowhere(final: Final): boolean {
  return final.status === 503 || (final.response === null && final.outcome === "unreachable");
}

/** Whether that contact rings, or has answered: it is not called twice (§16.5). One that is silent may have moved. */
export function hasTried(branches: readonly Branch[], binding: Binding): boolean {
  return branches.some(
    ({ target, pending, rang, final }) =>
      target.binding !== null &&
      isSamePhone(target.binding, binding) &&
      (pending ? rang : final?.response !== null),
  );
}

/** Whether that contact is called, or was. */
export function isCalled(branches: readonly Branch[], { user, key }: Binding): boolean {
  return branches.some(({ target }) => target.binding?.key === key && target.binding.user === user);
}

/** RFC 5626 §7: what a phone itself answered is its answer, on whichever flow. */
function isFlowFailure({ outcome, response, status }: Final): boolean {
  return response === null ? outcome === "unreachable" : status === 430 || status === 408;
}
