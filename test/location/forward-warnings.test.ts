import { expect, test } from "bun:test";
import { forwardWarnings } from "../../src/location/forward-warnings.ts";
import { rules } from "./forwards-contract.ts";

const SITE = { knows: (name: string) => ["alice", "bob", "sales"].includes(name), domains: ["example.test"] };

test.each([
  ["a user", "bob"],
  ["a group", "sales"],
  ["an escaped name", "%62ob"],
  ["a user under our domain", "sip:bob@example.test"],
  ["somebody elsewhere", "sip:nobody@elsewhere.test"],
  ["a host alone", "sip:example.test"],
])("%s: nothing to say", (_, busy) => {
  expect(forwardWarnings("alice", rules({ busy }), SITE)).toEqual([]);
});

test.each([
  ["nobody here", { busy: "carol" }, "busy: carol is no user or group here now"],
  [
    "nobody under our domain",
    { no_answer: "sip:carol@EXAMPLE.test" },
    "no_answer: sip:carol@EXAMPLE.test is no user or group here now",
  ],
  ["the user itself", { always: "alice" }, "always: alice is the user itself, so nothing is gained"],
  [
    "the user itself as a URI",
    { busy: "sip:alice@example.test" },
    "busy: sip:alice@example.test is the user itself, so nothing is gained",
  ],
  ["a time for nothing", { no_answer_after_s: 5 }, "no_answer_after_s: without no_answer it changes nothing"],
  [
    "rules that never come to pass",
    { always: "bob", busy: "sales" },
    "always: all calls go there, so the other rules wait until it is gone",
  ],
])("%s is said", (_, given, warning) => {
  expect(forwardWarnings("alice", rules(given), SITE)).toEqual([warning]);
});
