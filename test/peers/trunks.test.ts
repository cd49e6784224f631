/** From a question to hops, and on to the next hop when one fails. */
import { describe, expect, test } from "bun:test";
import { goesOn, Trunks } from "../../src/peers/trunks.ts";
import { BookLab, peerKeys, routeKeys, uriOf } from "./kit.ts";

const ASKED = uriOf("sip:030123@example.test");

function trunksOf() {
  const lab = new BookLab([]);
  const trunks = new Trunks(lab.book);
  trunks.configure({
    peer: peerKeys(
      { name: "carrier", uris: ["sip:gw1.test priority=1", "sip:gw2.test priority=2"], calls_max: 1 },
      { name: "backup", uris: ["sip:backup.test"] },
    ),
    route: routeKeys({
      name: "out",
      numbers: ["0."],
      strip: 1,
      prefix: "+49",
      to: ["peer:carrier", "peer:backup"],
    }),
  });
  const hops = (peer: string, user: string | null = "+4930123") => {
    const found = trunks.hops(peer, user, "INVITE", ASKED);
    return "status" in found ? found.status : found.map(({ uri }) => uri.text);
  };
  return { lab, trunks, hops };
}

describe("ARC-12 failover between peers", () => {
  test("the ways of a call, and the hops of each", () => {
    const { trunks, hops } = trunksOf();
    const caller = { user: "alice", ours: true, peer: null };
    const { ways } = trunks.decide({ user: ASKED.user, host: ASKED.host, ours: true, caller, wall_ms: 0 });
    expect(ways.map(({ to, user }) => [to, user])).toEqual([
      [{ kind: "peer", peer: "carrier" }, "+4930123"],
      [{ kind: "peer", peer: "backup" }, "+4930123"],
    ]);
    expect(hops("carrier")).toEqual(["sip:+4930123@gw1.test", "sip:+4930123@gw2.test"]);
    expect(hops("backup")).toEqual(["sip:+4930123@backup.test"]);
  });

  test("what a failed hop taught counts for the next call", () => {
    const { lab, trunks, hops } = trunksOf();
    const first = trunks.hops("carrier", "1", "INVITE", ASKED);
    if ("status" in first) throw new Error("the carrier cannot be had");
    lab.book.silent(first[0]!.at, "INVITE");
    expect(hops("carrier", "1")).toEqual(["sip:1@gw2.test"]);
  });

  test("a peer that is full is passed by with its refusal", () => {
    const { lab, hops } = trunksOf();
    lab.book.callBegan(lab.at("carrier"));
    expect(hops("carrier")).toBe(480);
    expect(hops("backup")).toEqual(["sip:+4930123@backup.test"]);
    expect(hops("nobody")).toBe(500);
  });

  test("a user part of which no URI can be made is a refusal", () => {
    expect(trunksOf().hops("carrier", "a@b")).toBe(404);
  });

  test.each([
    [500, true, true],
    [502, true, true],
    [503, true, true],
    [504, true, true],
    [501, true, false],
    [505, true, false],
    [513, true, false],
    [302, true, false],
    [404, true, false],
    [408, true, false],
    [486, true, false],
    [603, true, false],
    [408, false, true],
    [503, false, true],
    [487, false, false],
    [403, false, false],
  ])("after %i (from the peer: %p) the next hop is tried: %p", (status, responded, expected) => {
    expect(goesOn(status, responded)).toBe(expected);
  });
});
