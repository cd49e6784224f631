/**
 * What every ForwardStore must do. Each implementation's test runs it with its own way of making one.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type ForwardRules, NO_FORWARDS } from "../../src/location/forwards.ts";
import type { LayeredForwards } from "../../src/location/layered-forwards.ts";

export const CONTRACT_FORWARDS_MAX = 3;

export interface MadeForwards {
  readonly store: LayeredForwards;
  /** Closes the store if need be and removes what it left. */
  dispose(): void;
}

export function rules(changes: Partial<ForwardRules> = {}): ForwardRules {
  return { ...NO_FORWARDS, ...changes };
}

const EVERY: ForwardRules = {
  always: "alice",
  busy: "sip:+4930123456@carrier.example.test;user=phone",
  no_answer: "voicemail",
  not_registered: "sips:[2001:db8::7]:5071",
  unreachable: "300",
  no_answer_after_s: 15,
};

export function forwardsContract(name: string, make: () => MadeForwards): void {
  let made: MadeForwards;
  let store: LayeredForwards;
  beforeEach(() => {
    made = make();
    store = made.store;
  });
  afterEach(() => made.dispose());

  describe(`${name}: RFC 5359 §2.7 to §2.9 rules of a user`, () => {
    test("nobody has any at first", () => {
      expect(store.rulesOf("alice")).toBeNull();
      expect(store.list()).toEqual([]);
      expect(store.remove("alice")).toEqual({
        code: "unknown_user",
        message: "forwarding of alice is not stored",
      });
    });

    test("every rule is kept, replaced as a whole, and removed", () => {
      expect(store.set("alice", EVERY)).toBeNull();
      expect(store.rulesOf("alice")).toEqual(EVERY);
      expect(store.rulesOf("Alice")).toBeNull();
      expect(store.set("alice", rules({ busy: "bob" }))).toBeNull();
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "bob" }));
      expect(store.remove("alice")).toBeNull();
      expect(store.rulesOf("alice")).toBeNull();
      expect(store.list()).toEqual([]);
    });

    test("what the caller does to its object afterwards changes nothing", () => {
      const mine = { ...EVERY };
      store.set("alice", mine);
      mine.always = "mallory";
      expect(store.rulesOf("alice")).toEqual(EVERY);
    });

    test("the list is by name, and follows every change", () => {
      store.set("carol", rules({ always: "x" }));
      store.set("bob", rules({ always: "x" }));
      store.setConfigForwards(new Map([["alice", rules({ busy: "x" })]]));
      expect(store.list().map(({ user, source }) => [user, source])).toEqual([
        ["alice", "config"],
        ["bob", "store"],
        ["carol", "store"],
      ]);
      store.remove("bob");
      store.set("carol", rules({ always: "y" }));
      expect(store.list().map(({ user, rules: each }) => [user, each.always])).toEqual([
        ["alice", null],
        ["carol", "y"],
      ]);
    });
  });

  describe(`${name}: rules of the config`, () => {
    test("hold until some are stored, and again when those are removed", () => {
      store.setConfigForwards(new Map([["alice", rules({ busy: "bob", always: "carol" })]]));
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "bob", always: "carol" }));
      expect(store.remove("alice")).toMatchObject({
        code: "unknown_user",
        message: "forwarding of alice is in the config file",
      });
      store.set("alice", rules({ busy: "dave" }));
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "dave" }));
      expect(store.configRulesOf("alice")).toEqual(rules({ busy: "bob", always: "carol" }));
      expect(store.list()).toEqual([{ user: "alice", rules: rules({ busy: "dave" }), source: "store" }]);
      store.remove("alice");
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "bob", always: "carol" }));
    });

    test("NO_FORWARDS stored: none, whatever the config says", () => {
      store.setConfigForwards(new Map([["alice", rules({ busy: "bob" })]]));
      expect(store.set("alice", { ...NO_FORWARDS })).toBeNull();
      expect(store.rulesOf("alice")).toBeNull();
      expect(store.list()).toEqual([{ user: "alice", rules: NO_FORWARDS, source: "store" }]);
    });

    test("are replaced by the next ones, and users without any are not listed", () => {
      store.setConfigForwards(new Map([["alice", rules({ busy: "bob" })]]));
      store.setConfigForwards(new Map([["bob", { ...NO_FORWARDS }]]));
      expect(store.rulesOf("alice")).toBeNull();
      expect(store.list()).toEqual([]);
    });
  });

  describe(`${name}: changing one rule`, () => {
    test("starts from what holds now", () => {
      store.setConfigForwards(new Map([["alice", rules({ busy: "bob" })]]));
      expect(store.change("alice", (now) => ({ ...now, always: "carol" }))).toBeNull();
      expect(store.change("alice", (now) => ({ ...now, no_answer_after_s: 9 }))).toBeNull();
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "bob", always: "carol", no_answer_after_s: 9 }));
      expect(store.change("alice", () => null)).toBeNull();
      expect(store.rulesOf("alice")).toEqual(rules({ busy: "bob" }));
    });

    test("a bad result is refused and leaves all as it was", () => {
      store.set("alice", EVERY);
      expect(store.change("alice", (now) => ({ ...now, busy: "a b" }))).toMatchObject({
        code: "bad_forward",
      });
      expect(store.rulesOf("alice")).toEqual(EVERY);
    });
  });

  describe(`${name}: bounds`, () => {
    test("forwards_max: no more users, but those that are there can change", () => {
      for (const user of ["a", "b", "c"]) expect(store.set(user, EVERY)).toBeNull();
      expect(store.set("d", EVERY)).toEqual({
        code: "full_table",
        message: "the store holds forwards_max = 3 forwards",
      });
      expect(store.rulesOf("d")).toBeNull();
      expect(store.set("c", rules({ busy: "x" }))).toBeNull();
      store.remove("a");
      expect(store.set("d", EVERY)).toBeNull();
    });

    test.each<[string, string, Partial<ForwardRules>, string]>([
      ["no user", "", {}, "a user name is"],
      ["a line break in the user", "a\nb", {}, "a user name is"],
      ["a destination of nothing", "alice", { always: "" }, "always: neither"],
      ["a space", "alice", { busy: "bob carol" }, "busy: neither"],
      ["a line break", "alice", { busy: "bob\r\nVia: x" }, "busy: neither"],
      ["a line break in a URI", "alice", { busy: "sip:bob@x\r\nVia: x" }, "busy: not a valid sip: URI"],
      ["an address without sip:", "alice", { busy: "bob@example.test" }, "busy: an address needs sip:"],
      ["a URI without host", "alice", { no_answer: "sip:" }, "no_answer: not a valid sip: URI (uri_host)"],
      ["another scheme", "alice", { unreachable: "tel:+4930" }, "unreachable: only sip: and sips:"],
      ["headers in a URI", "alice", { busy: "sip:bob@x?Replaces=1" }, "busy: a destination takes no headers"],
      ["a method in a URI", "alice", { busy: "sip:bob@x;method=BYE" }, "busy: a destination takes no method"],
      ["a long one", "alice", { busy: `sip:${"b".repeat(300)}@x` }, "busy: longer than 256 characters"],
      ["bytes above 0x7F", "alice", { busy: "jürgen" }, "busy: neither"],
      [
        "no time at all",
        "alice",
        { no_answer_after_s: 0 },
        "no_answer_after_s: a whole number from 1 to 600",
      ],
      ["too long a time", "alice", { no_answer_after_s: 601 }, "no_answer_after_s: a whole number"],
      ["half a second", "alice", { no_answer_after_s: 1.5 }, "no_answer_after_s: a whole number"],
      ["no number", "alice", { no_answer_after_s: Number.NaN }, "no_answer_after_s: a whole number"],
    ])("%s: bad_forward, nothing stored", (_, user, changes, message) => {
      const failure = store.set(user, rules(changes));
      expect(failure?.code).toBe("bad_forward");
      expect(failure?.message).toStartWith(message);
      expect(store.list()).toEqual([]);
    });

    test("every mistake is said at once", () => {
      const failure = store.set("alice", rules({ always: "", busy: "tel:1", no_answer_after_s: -1 }));
      expect(failure?.message.match(/always: |busy: |no_answer_after_s: /g)).toHaveLength(3);
    });
  });
}
