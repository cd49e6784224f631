/**
 * Any valid request that a proxy would forward to 198.51.100.7: header order, case, compact forms,
 * white space, folding, non-ASCII and binary bytes, unknown headers and methods (RFC 3261 §7, §25.1).
 */
import fc from "fast-check";

export interface AnyLine {
  readonly name: string;
  /** Without the white space around it. */
  readonly value: string;
  /** The whole line without its CRLF. */
  readonly text: string;
}

export interface AnyMessage {
  readonly bytes: Buffer;
  readonly lines: readonly AnyLine[];
  readonly method: string;
  /** Octets of the body that belong to the message; more may follow in the datagram. */
  readonly bodyLength: number;
}

const TOKEN_CHARS = "ABCXYZabcxyz0129-.!%*_+`'~";
const METHODS = [
  "INVITE",
  "OPTIONS",
  "MESSAGE",
  "SUBSCRIBE",
  "REFER",
  "NOTIFY",
  "BYE",
  "INFO",
  "PUBLISH",
  "UPDATE",
  "PRACK",
];

const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARS), minLength: 1, maxLength: 10 });
/** An extension method that is none of ours: INVITE in other letters is one (§7.1). */
const method = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...METHODS) },
  { weight: 1, arbitrary: token.map((text) => `X${text}`) },
);

/** LWS = [*WSP CRLF] 1*WSP */
const lws = fc.constantFrom(" ", "\t", "  ", "\r\n ", "\r\n\t", " \t\r\n \t");
/** HCOLON = *( SP / HTAB ) ":" SWS */
const colon = fc.tuple(
  fc.constantFrom("", " ", "\t ", "  "),
  fc.oneof(fc.constant(""), fc.constant(" "), lws),
);

/** Any byte that a TEXT-UTF8 value may hold, without the white space at which it may be folded. */
const textChar = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0x21, max: 0x7e }) },
  { weight: 2, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
);
const word = fc.string({ unit: textChar.map((c) => String.fromCharCode(c)), minLength: 1, maxLength: 12 });
/** Words with LWS between, so that folding stands anywhere a value may have it. */
const freeText = fc
  .tuple(fc.array(fc.tuple(word, lws), { maxLength: 4 }), word)
  .map(([parts, last]) => parts.map(([text, gap]) => text + gap).join("") + last);

const spelling = (...names: string[]) =>
  fc
    .tuple(fc.constantFrom(...names), fc.infiniteStream(fc.boolean()))
    .map(([name, upper]) =>
      [...name].map((c) => (upper.next().value ? c.toUpperCase() : c.toLowerCase())).join(""),
    );

const line = (name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<AnyLine> =>
  fc
    .tuple(name, colon, value, fc.constantFrom("", " ", "\t"))
    .map(([name, [before, after], value, behind]) => ({
      name,
      value,
      text: `${name}${before}:${after}${value}${behind}`,
    }));

const host = fc.constantFrom("192.0.2.7", "phone.example.net", "[2001:db8::7]", "203.0.113.9", "a");
const port = fc.constantFrom("", ":5060", ":65535", " : 5062");
const viaParam = fc.oneof(
  fc.constantFrom(";rport", "; RPORT", ";maddr=192.0.2.9", ";ttl=1", ";keep", ';x="a;b,c"'),
  token.map((value) => `;y=${value}`),
);
/** sent-protocol LWS sent-by *( SEMI via-params ), with a branch of RFC 3261. */
const viaParm = fc
  .tuple(
    fc.constantFrom("SIP/2.0/UDP", "sip/2.0/udp", "SIP / 2.0 / TCP", "SIP/2.0/X-NEW"),
    lws,
    host,
    port,
    fc.uniqueArray(viaParam, {
      maxLength: 2,
      selector: (param) => param.toLowerCase().replace(/[^a-z].*?([a-z]+).*/, "$1"),
    }),
    token,
  )
  .map(
    ([protocol, gap, host, port, params, branch]) =>
      `${protocol}${gap}${host}${port}${params.join("")};branch=z9hG4bK${branch}`,
  );
const via = line(
  spelling("Via", "v"),
  fc.array(viaParm, { minLength: 1, maxLength: 3 }).map((values) => values.join(" , ")),
);

const display = fc.constantFrom("", "Bob ", '"Bob" ', '"\\"B\xc3\xb6b\\\\, <x>;tag=no" ', "Two  Words\t");
const address = fc
  .tuple(
    display,
    fc.constantFrom("<sip:a@b.example>", "<sips:%61@b;x=y?h=v>", "<tel:+1212>"),
    token,
    fc.constantFrom("", ";z", " ; z = q"),
  )
  .map(([display, uri, tag, more]) => ({
    plain: `${display}${uri}${more}`,
    tagged: `${display}${uri}${more};tag=${tag}`,
  }));

const UNKNOWN =
  /^(via|v|from|f|to|t|call-id|i|cseq|max-forwards|route|content-length|l|max-breadth|proxy-require|require|record-route)$/i;
const extension = line(
  token.filter((name) => !UNKNOWN.test(name)),
  fc.oneof(freeText, fc.constant("")),
);
const known = fc.oneof(
  line(
    spelling("Contact", "m"),
    fc.constantFrom("<sip:a@192.0.2.7>", "*", "sip:a@b;q=0.1", '"x, y" <sip:a@b>'),
  ),
  line(spelling("Subject", "s"), freeText),
  line(spelling("Supported", "k"), fc.constantFrom("", "path", "100rel , timer")),
  line(
    spelling("Record-Route"),
    fc.constantFrom("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>,\r\n <sip:p3.example.com>"),
  ),
  line(spelling("Content-Type", "c"), fc.constantFrom("application/sdp", "text/plain;charset=utf-8")),
  line(spelling("Date"), fc.constantFrom("Fri, 01 Jan 2010 16:00:00 EST", "yesterday")),
  line(spelling("Authorization"), fc.constantFrom("NoOneKnowsThisScheme opaque-data=here")),
);

const uri = fc.constantFrom(
  "sip:198.51.100.7",
  "sip:bob@198.51.100.7",
  "sip:bob:secret@198.51.100.7:5060;user=phone;x",
  "SIP:b%6Fb;y=1&z?@198.51.100.7;Transport=UDP",
  "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@198.51.100.7",
);

/** Lines of the message in any order, but for the Vias, whose order means something. */
const fields = method.chain((method) =>
  fc.record({
    method: fc.constant(method),
    vias: fc.array(via, { minLength: 1, maxLength: 3 }),
    from: address.chain(({ tagged }) => line(spelling("From", "f"), fc.constant(tagged))),
    to: fc
      .tuple(address, fc.boolean())
      .chain(([{ plain, tagged }, inDialog]) =>
        line(spelling("To", "t"), fc.constant(inDialog ? tagged : plain)),
      ),
    callId: line(spelling("Call-ID", "i"), token),
    cseq: line(
      spelling("CSeq"),
      fc
        .tuple(fc.nat({ max: 2 ** 31 - 1 }), fc.constantFrom("", "0", "000"), lws)
        .map(([number, zeros, gap]) => `${zeros}${number}${gap}${method}`),
    ),
    maxForwards: fc.option(
      line(
        spelling("Max-Forwards"),
        fc
          .tuple(fc.constantFrom("", "0", "00"), fc.integer({ min: 1, max: 255 }))
          .map(([zeros, n]) => `${zeros}${n}`),
      ),
    ),
    others: fc.array(fc.oneof(extension, known), { maxLength: 8 }),
    order: fc.infiniteStream(fc.nat()),
  }),
);

const body = fc.oneof(
  fc.constant(new Uint8Array()),
  fc.uint8Array({ maxLength: 200 }),
  fc.constant(Buffer.from("v=0\r\n\r\nINVITE sip:x SIP/2.0\r\n\r\n")),
);

export const anyMessage: fc.Arbitrary<AnyMessage> = fc
  .record({
    fields,
    uri,
    body,
    length: fc.option(spelling("Content-Length", "l")),
    noise: fc.constantFrom("", "", "\r\n", "\0\0noise"),
  })
  .map(({ fields, uri, body, length, noise }) => {
    const { vias, from, to, callId, cseq, maxForwards, others, order, method } = fields;
    const movable = [from, to, callId, cseq, ...others, ...(maxForwards === null ? [] : [maxForwards])];
    if (length !== null)
      movable.push({ name: length, value: `${body.length}`, text: `${length}: ${body.length}` });
    const lines: AnyLine[] = [...vias];
    for (const each of movable) lines.splice(order.next().value % (lines.length + 1), 0, each);
    const head = `${method} ${uri} SIP/2.0\r\n${lines.map(({ text }) => `${text}\r\n`).join("")}\r\n`;
    const tail = length === null ? Buffer.alloc(0) : Buffer.from(noise, "latin1");
    const bytes = Buffer.concat([Buffer.from(head, "latin1"), body, tail]);
    // A counterexample prints as the message, not as numbers.
    const shown = { [fc.toStringMethod]: () => JSON.stringify(bytes.toString("latin1")) };
    return { bytes, lines, method, bodyLength: body.length, ...shown };
  });
