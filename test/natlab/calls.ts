/**
 * A call between two phones of the lab, to its end: every message of it must have found its way.
 */
import { expect } from "bun:test";
import type { LabPhone } from "./lab-phone.ts";
import { valuesOf } from "./sip-text.ts";

const OK = /^SIP\/2\.0 200/;

/** The caller dials, the callee takes the call, `ends` hangs up. */
export async function call(caller: LabPhone, callee: LabPhone, ends: LabPhone): Promise<void> {
  caller.forget();
  callee.forget();
  caller.dial(uriOf(callee, caller));
  try {
    await up(caller, callee);
    await hangUp(ends, ends === caller ? callee : caller);
  } catch (error) {
    caller.hangUp(); // or the next story finds them busy
    callee.hangUp();
    throw error;
  }
}

/** The URI at which the caller, whose registrar it is, finds the other. */
export function uriOf(callee: LabPhone, caller: LabPhone): string {
  return `sip:${callee.name}@${caller.options.registrar}`;
}

/** Waits until the call is answered on both sides, and acknowledged; nobody needed a second try. */
export async function up(caller: LabPhone, callee: LabPhone): Promise<void> {
  await caller.got(OK, "INVITE");
  await callee.got(/^ACK /, "ACK");
  const invites = callee.received(/^INVITE /, "INVITE");
  expect(new Set(invites.map((invite) => valuesOf(invite, "Call-ID")[0])).size).toBe(1);
  expect(callee.sent(OK, "INVITE")).toHaveLength(1);
}

/** One side hangs up: the other gets its BYE, once, and the 200 comes back. */
export async function hangUp(ends: LabPhone, hears: LabPhone): Promise<void> {
  ends.hangUp();
  await hears.got(/^BYE /, "BYE");
  await ends.got(OK, "BYE");
  expect(ends.sent(/^BYE /, "BYE")).toHaveLength(1);
}

/** All four ways a call can begin and end. */
export async function callBothWays(one: LabPhone, other: LabPhone): Promise<void> {
  await call(one, other, one);
  await call(one, other, other);
  await call(other, one, other);
  await call(other, one, one);
}
