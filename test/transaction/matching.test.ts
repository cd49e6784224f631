/** Which message belongs to which transaction (RFC 3261 §9.2, §17.1.3, §17.2.3), and where answers go (§18.2.2). */
import { describe, expect, test } from "bun:test";
import { NOTHING_LEFT, Rig, request, response } from "./rig.ts";

describe("RFC 3261 §17.2.3 matching by branch, sent-by and method", () => {
  test("the same request again: absorbed, the last answer repeated", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 180);
    rig.receive(request("INVITE"), rig.flow());
    expect(rig.take()).toEqual(["request INVITE", "send 180", "send 180"]);
    expect(rig.counter("sipedge_requests_repeated_total")).toBe(1);
  });

  test("the same branch from two hosts: two transactions", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS", "z9hG4bKsame", "198.51.100.7:5060"), rig.flow());
    rig.receive(request("OPTIONS", "z9hG4bKsame", "198.51.100.8:5060"), rig.flow());
    rig.receive(request("OPTIONS", "z9hG4bKsame", "198.51.100.7:5070"), rig.flow());
    expect(rig.requests).toHaveLength(3);
  });

  test("the same branch with another method: another transaction", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.receive(request("OPTIONS"), rig.flow());
    expect(rig.requests.map((each) => each.method)).toEqual(["INVITE", "OPTIONS"]);
  });

  test("host names are compared without regard to case", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS", "z9hG4bKx", "Phone.Example.TEST"), rig.flow());
    rig.receive(request("OPTIONS", "z9hG4bKx", "phone.example.test"), rig.flow());
    expect(rig.requests).toHaveLength(1);
  });

  test("white space around the sent-by colon changes nothing", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS", "z9hG4bKx", "phone.example.test:5060"), rig.flow());
    rig.receive(request("OPTIONS", "z9hG4bKx", "phone.example.test : 5060"), rig.flow());
    expect(rig.requests).toHaveLength(1);
  });

  test("an ACK with the INVITE's branch ends Completed", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 486);
    rig.receive(request("ACK"), rig.flow());
    expect(rig.requests[0]!.state).toBe("Confirmed");
  });

  test("an ACK with a branch of its own goes to the user: the ACK of a 2xx", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 200);
    rig.receive(request("ACK", "z9hG4bKother"), rig.flow());
    expect(rig.take()).toEqual(["request INVITE", "send 200", "stray ACK"]);
  });

  test("RFC 6026 §8.5: an ACK that matches in Accepted goes to the user too", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.respond(rig.requests[0]!, 200);
    rig.receive(request("ACK"), rig.flow());
    expect(rig.take()).toEqual(["request INVITE", "send 200", "acknowledged"]);
  });

  test("an ACK makes no transaction", () => {
    const rig = new Rig();
    rig.receive(request("ACK"), rig.flow());
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});

describe("RFC 3261 §17.2.3 matching of RFC 2543 requests", () => {
  for (const branch of ["", "1", "z9hG4bK"])
    test(`branch "${branch}": the same again is absorbed, another CSeq, Call-ID or From tag is new`, () => {
      const rig = new Rig();
      rig.receive(request("OPTIONS", branch), rig.flow());
      rig.receive(request("OPTIONS", branch), rig.flow());
      expect(rig.requests).toHaveLength(1);
      rig.receive(request("OPTIONS", branch, undefined, { CSeq: "8 OPTIONS" }), rig.flow());
      rig.receive(request("OPTIONS", branch, undefined, { "Call-ID": "call-2" }), rig.flow());
      rig.receive(
        request("OPTIONS", branch, undefined, { From: "<sip:alice@example.test>;tag=a2" }),
        rig.flow(),
      );
      rig.receive(request("OPTIONS", branch, "198.51.100.9:5060"), rig.flow());
      expect(rig.requests).toHaveLength(5);
    });

  test("the ACK of a refusal, which has a To tag, finds its INVITE", () => {
    const rig = new Rig();
    rig.receive(request("INVITE", ""), rig.flow());
    rig.respond(rig.requests[0]!, 486, request("INVITE", ""));
    rig.receive(request("ACK", "", undefined, { To: "<sip:bob@example.test>;tag=us" }), rig.flow());
    expect(rig.requests[0]!.state).toBe("Confirmed");
  });

  test("a CANCEL finds its INVITE", () => {
    const rig = new Rig();
    rig.receive(request("INVITE", ""), rig.flow());
    rig.receive(request("CANCEL", ""), rig.flow());
    expect(rig.cancels[0]!.invite).toBe(rig.requests[0]!);
  });
});

describe("RFC 3261 §9.2 CANCEL", () => {
  test("has a transaction of its own and names its INVITE", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.receive(request("CANCEL"), rig.flow());
    const { cancel, invite } = rig.cancels[0]!;
    expect(invite).toBe(rig.requests[0]!);
    expect(cancel).not.toBe(invite!);
    rig.respond(cancel, 200, request("CANCEL"));
    expect(rig.sent.at(-1)!.text).toContain("CSeq: 7 CANCEL");
    expect(invite!.state).toBe("Proceeding");
  });

  test("sent twice: one transaction, the answer repeated", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.receive(request("CANCEL"), rig.flow());
    rig.respond(rig.cancels[0]!.cancel, 200, request("CANCEL"));
    rig.receive(request("CANCEL"), rig.flow());
    expect(rig.cancels).toHaveLength(1);
    expect(rig.times("200")).toHaveLength(2);
  });

  test("of another host or branch: no INVITE", () => {
    const rig = new Rig();
    rig.receive(request("INVITE"), rig.flow());
    rig.receive(request("CANCEL", "z9hG4bKpeer", "203.0.113.66:5060"), rig.flow());
    rig.receive(request("CANCEL", "z9hG4bKguess"), rig.flow());
    expect(rig.cancels.map((each) => each.invite)).toEqual([null, null]);
  });

  test("of a non-INVITE: no INVITE", () => {
    const rig = new Rig();
    rig.receive(request("OPTIONS"), rig.flow());
    rig.receive(request("CANCEL"), rig.flow());
    expect(rig.cancels[0]!.invite).toBeNull();
  });
});

describe("RFC 3261 §17.1.3 matching responses", () => {
  test("branch and method must both fit", () => {
    const rig = new Rig();
    rig.send("INVITE", rig.flow());
    rig.receive(response(180, "INVITE", "z9hG4bKother"), rig.flow());
    rig.receive(response(200, "OPTIONS"), rig.flow());
    rig.receive(response(180, "INVITE"), rig.flow());
    expect(rig.take()).toEqual(["send INVITE", "stray 180", "stray 200", "answered 180"]);
  });

  test("a CANCEL shares its INVITE's branch, and each gets its own answer", () => {
    const rig = new Rig();
    const invite = rig.send("INVITE", rig.flow());
    rig.receive(response(180, "INVITE"), rig.flow());
    const cancel = rig.send("CANCEL", rig.flow());
    rig.receive(response(200, "CANCEL"), rig.flow());
    expect([invite.state, cancel.state]).toEqual(["Proceeding", "Completed"]);
    rig.receive(response(487, "INVITE"), rig.flow());
    expect(invite.state).toBe("Completed");
  });

  test("§18.1.2: a response whose topmost Via names another host than ours is discarded", () => {
    const rig = new Rig();
    const invite = rig.send("INVITE", rig.flow());
    rig.receive(response(200, "INVITE").replace("UDP 192.0.2.1:5060", "UDP 203.0.113.66:5060"), rig.flow());
    expect(invite.state).toBe("Calling");
  });
});

describe("RFC 3261 §17.1.1.3 the ACK of a refusal", () => {
  test("Request-URI, topmost Via, Route, From, Call-ID and CSeq number of the INVITE, To of the answer", () => {
    const rig = new Rig();
    const bytes = request("INVITE", "z9hG4bKmine", "192.0.2.1:5060", {
      Route: "<sip:next.example.test;lr>",
      Contact: "<sip:alice@198.51.100.7>",
    }).replace("Max-Forwards: 70", "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKbelow\r\nMax-Forwards: 12");
    rig.layer.send(
      Buffer.from(bytes),
      "INVITE",
      "z9hG4bKmine",
      "call-1@198.51.100.7",
      rig.flow(),
      rig.clientUser,
    );
    rig.receive(response(486, "INVITE"), rig.flow());
    expect(rig.sent[1]!.text.split("\r\n")).toEqual([
      "ACK sip:bob@example.test SIP/2.0",
      "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKmine",
      "Max-Forwards: 70",
      "From: <sip:alice@example.test>;tag=a1",
      "To: <sip:bob@example.test>;tag=b1",
      "Call-ID: call-1@198.51.100.7",
      "CSeq: 7 ACK",
      "Route: <sip:next.example.test;lr>",
      "Content-Length: 0",
      "",
      "",
    ]);
  });
});

describe("RFC 3261 §18.2.2 and RFC 3581 §4 where answers go", () => {
  const answeredTo = (via: string, port: number) => {
    const rig = new Rig();
    const text = request("OPTIONS", "z9hG4bKx", undefined, { Via: via });
    rig.receive(text, rig.flow("udp", "203.0.113.9", port));
    rig.respond(rig.requests[0]!, 200, text);
    return rig.sent[0]!.to;
  };
  test("with rport: to the source port", () =>
    expect(answeredTo("SIP/2.0/UDP 10.0.0.1:5999;rport;branch=z9hG4bKx", 41_000)).toBe("203.0.113.9:41000"));
  test("without rport: to the sent-by port at the source address", () =>
    expect(answeredTo("SIP/2.0/UDP 203.0.113.9:5999;branch=z9hG4bKx", 41_000)).toBe("203.0.113.9:5999"));
  test("without rport and port: to 5060", () =>
    expect(answeredTo("SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKx", 41_000)).toBe("203.0.113.9:5060"));
  test("a name in the sent-by tells of no NAT: to its port", () =>
    expect(answeredTo("SIP/2.0/UDP pc33.example.test:5999;branch=z9hG4bKx", 41_000)).toBe(
      "203.0.113.9:5999",
    ));
  test("NAT-15 from another address than the sent-by, a NAT being between: to the source port", () =>
    expect(answeredTo("SIP/2.0/UDP 10.0.0.1:5999;branch=z9hG4bKx", 41_000)).toBe("203.0.113.9:41000"));

  test("TCP: back on the connection; once that is gone, a new one to the sent-by port", () => {
    const rig = new Rig();
    const text = request("INVITE", "z9hG4bKx", undefined, {
      Via: "SIP/2.0/TCP 198.51.100.7:5072;branch=z9hG4bKx",
    });
    const connection = rig.flow("tcp", "198.51.100.7", 40_001);
    rig.receive(text, connection);
    rig.respond(rig.requests[0]!, 180, text);
    connection.close();
    rig.respond(rig.requests[0]!, 200, text);
    expect(rig.sent.map((each) => each.to)).toEqual(["198.51.100.7:40001", "198.51.100.7:5072"]);
  });
});

describe("RFC 3261 §17.1.4 and §17.2.4 transport errors", () => {
  test("a connection that closes ends a waiting client transaction and tells its user", () => {
    const rig = new Rig();
    const connection = rig.flow("tcp");
    rig.send("INVITE", connection);
    rig.receive(response(180, "INVITE"), connection);
    connection.close();
    expect(rig.take()).toEqual(["send INVITE", "answered 180", "transportFailed"]);
    expect(connection.observers.size).toBe(0);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });

  test("a connection that refuses the request: told once, nothing is left", () => {
    const rig = new Rig();
    const connection = rig.flow("tcp");
    connection.accepts = false;
    const transaction = rig.send("OPTIONS", connection);
    expect([transaction.terminated, ...rig.take()]).toEqual([true, "transportFailed"]);
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
    expect(connection.observers.size).toBe(0);
  });

  test("a datagram that could not be sent counts as lost: the next one follows", () => {
    const rig = new Rig();
    const flow = rig.flow();
    flow.accepts = false;
    const transaction = rig.send("OPTIONS", flow);
    expect(transaction.state).toBe("Trying");
    flow.accepts = true;
    rig.clock.advance(600);
    expect(rig.take()).toEqual(["send OPTIONS"]);
  });

  test("an answer to a non-INVITE that a connection refuses: the transaction ends with it", () => {
    const rig = new Rig();
    const connection = rig.flow("tcp");
    rig.receive(request("OPTIONS"), connection);
    connection.accepts = false;
    rig.respond(rig.requests[0]!, 486);
    expect(rig.take()).toEqual(["request OPTIONS"]); // Timer J is zero on a stream: over before the error
    expect(rig.leftovers()).toEqual(NOTHING_LEFT);
  });
});
