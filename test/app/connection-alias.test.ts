/** Which requests lend the connection that they came on (RFC 5923 §8.2). */
import { describe, expect, test } from "bun:test";
import { noteAlias } from "../../src/app/connection-alias.ts";
import type { ChainRooms, Passage } from "../../src/app/request-chain.ts";
import type { Flow } from "../../src/base/flow.ts";
import { Scanner } from "../../src/message/scan.ts";

const ADDRESS = "203.0.113.9";

/** The port that is noted for a request with this topmost Via, over TLS with a certificate of those names. */
function noted(via: string, names: readonly string[] | null | undefined): number | null {
  const text = `OPTIONS sip:example.test SIP/2.0\r\nVia: ${via}\r\nVia: SIP/2.0/TLS x.test;alias;branch=z9hG4bK2\r\n\r\n`;
  const request = new Scanner().scan(Buffer.from(text, "latin1"))!;
  const source = { transport: "tls", names, remoteAddress: ADDRESS, remotePort: 40_000 } as unknown as Flow;
  let port: number | null = null;
  const alias = (flow: Flow, at: number): void => {
    expect(flow).toBe(source);
    port = at;
  };
  const rooms = { transports: { alias } } as unknown as ChainRooms;
  expect(noteAlias(rooms, { request, source } as Passage)).toBe("next");
  return port;
}

const PROVED = ["pbx.example.net", "*.wild.test"];

describe("B-05, RFC 5923", () => {
  test.each([
    ["SIP/2.0/TLS pbx.example.net:5999;branch=z9hG4bK1;alias", 5999],
    ["SIP/2.0/TLS pbx.example.net;alias;branch=z9hG4bK1", 5061],
    ["SIP/2.0/TLS PBX.example.net ; ALIAS ; branch=z9hG4bK1", 5061],
    ["SIP/2.0/TLS a.wild.test:1;branch=z9hG4bK1;rport;alias, SIP/2.0/TLS b.test;branch=z", 1],
    [`SIP/2.0/TLS ${ADDRESS}:5070;branch=z9hG4bK1;alias`, 5070],
  ])("lent: %s", (via, port) => expect(noted(via, PROVED)).toBe(port));

  test.each([
    ["who does not ask", "SIP/2.0/TLS pbx.example.net;branch=z9hG4bK1", PROVED],
    ["another word", "SIP/2.0/TLS pbx.example.net;branch=z9hG4bK1;aliased;x-alias", PROVED],
    ["another's name", "SIP/2.0/TLS bank.example.net;branch=z9hG4bK1;alias", PROVED],
    ["another's address", "SIP/2.0/TLS 203.0.113.10;branch=z9hG4bK1;alias", PROVED],
    ["a hop further on", "SIP/2.0/TLS pbx.example.net;branch=z9hG4bK1, SIP/2.0/TLS b.test;alias", PROVED],
    ["without a certificate", `SIP/2.0/TLS ${ADDRESS};branch=z9hG4bK1;alias`, null],
    ["over UDP", `SIP/2.0/UDP ${ADDRESS};branch=z9hG4bK1;alias`, undefined],
    ["a Via that cannot be read", "SIP/2.0/TLS ;alias", PROVED],
  ])("not lent: %s", (_name, via, names) => expect(noted(via, names)).toBeNull());
});
