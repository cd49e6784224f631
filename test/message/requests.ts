/** Small messages for the tests of this folder. */
import { Scanner } from "../../src/message/scan.ts";
import type { SipMessage } from "../../src/message/sip-message.ts";

const scanner = new Scanner();

/** The message of these lines, read; it must be readable. */
export function read(lines: readonly string[] | string, body = ""): SipMessage {
  const text = typeof lines === "string" ? lines : `${lines.join("\r\n")}\r\n\r\n${body}`;
  const message = scanner.scan(Buffer.from(text, "latin1"));
  if (message === null) throw new Error(`no SIP message: ${text}`);
  return message;
}

export const textOf = (bytes: Buffer) => bytes.toString("latin1");
