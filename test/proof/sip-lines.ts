/** SIP text for phones of a few lines: no more than what a proof has to send and to read. */

/** One message; the body's length is added to the lines. */
export function message(lines: readonly string[], body = ""): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\nContent-Length: ${body.length}\r\n\r\n${body}`, "latin1");
}

/** The value of the first line of that name; empty without one. */
export function headerOf(text: string, name: string): string {
  return new RegExp(`^${name}: *(.*?)\r$`, "im").exec(text)?.[1] ?? "";
}

/** The status of a response; 0: it is a request. */
export function statusOf(text: string): number {
  return Number(/^SIP\/2\.0 (\d{3}) /.exec(text)?.[1] ?? 0);
}

/** An answer to a request. */
export function answerTo(request: string, status: string, more: readonly string[] = [], body = ""): Buffer {
  const kept = request.split("\r\n").filter((line) => /^(Via|Record-Route|From|Call-ID|CSeq):/i.test(line));
  const to = headerOf(request, "To");
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  const head = [`SIP/2.0 ${status}`, ...kept, `To: ${/;tag=/.test(to) ? to : `${to};tag=p`}`];
  return message([...head, ...more, ...type], body);
}

/** A session description with one stream of G.711. */
export function audio(address: string, port: number): string {
  return `v=0\r\no=- 1 1 IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0 8\r\n`;
}
