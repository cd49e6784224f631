/**
 * RFC 4475 as one table: for each of its messages what our parser must read in it and what the
 * appliance must do with it. The verdict is the RFC's own; where it leaves the choice ("may reject"),
 * `why` says what we chose: reject what could be read in two ways, pass on what needs no touching.
 */

/** What the parser must find. */
export interface Reads {
  /** Method of a request, status of a response; null when the bytes are no SIP message at all. */
  readonly start: string | number | null;
  /** User and host of the Request-URI, or the parse error's code. */
  readonly uri?: readonly [user: string | null, host: string] | string;
  readonly cseq?: readonly [number: number, method: string] | string;
  /** Transport, host, port and branch of the topmost Via, or the parse error's code. */
  readonly via?:
    | readonly [transport: string, host: string, port: number | null, branch: string | null]
    | string;
  /** Display name as written, user and host (or scheme) and tag, or the parse error's code; null when absent. */
  readonly from?: Address | string | null;
  readonly to?: Address | string | null;
  /** Octets of the body that belong to the message. */
  readonly body?: number;
  /** What is wrong with the message as a whole. */
  readonly fault?: string;
}
export type Address = readonly [display: string, user: string | null, host: string, tag: string | null];

/** The copy leaves: exactly the edits of a proxy, and nothing else. */
export interface Forwarded {
  readonly forwarded: true;
  /** The Request-URI of the copy, when a strict router comes next. */
  readonly requestUri?: string;
  /** Header lines that change: as they were, as they leave. */
  readonly lines?: readonly (readonly [was: string, is: string])[];
}
/** We answer; each of `headers` must stand in the answer as a whole line. */
export interface Answered {
  readonly status: number;
  readonly headers?: readonly string[];
}
/** Nobody hears of it but a counter. */
export interface Dropped {
  readonly dropped: string;
  readonly labels?: Readonly<Record<string, string>>;
}
/** The stream waits for more. */
export interface Waits {
  readonly waits: true;
}
export type Outcome = Forwarded | Answered | Dropped | Waits;

export interface Verdict {
  readonly section: string;
  readonly title: string;
  readonly reads: Reads;
  /** From a trusted source in one datagram, for a domain that is not ours but can be reached. */
  readonly proxy: Outcome;
  /** The same on a stream, where it makes a difference. One outcome for each message in the bytes. */
  readonly stream?: readonly Outcome[];
  /** For a domain that is ours, with nobody registered. */
  readonly home?: Outcome;
  /** A REGISTER to our own domain: the status, and the bindings it leaves, as a 200 shows them. */
  readonly registrar?: { readonly status: number; readonly contacts?: readonly string[] };
  /** Our choice, where the RFC leaves one. */
  readonly why?: string;
}

const FORWARDED: Forwarded = { forwarded: true };
const BAD_REQUEST: Answered = { status: 400 };
const NO_SUCH_USER: Answered = { status: 404 };
const STRAY: Dropped = { dropped: "sipedge_responses_stray_total" };
const dropped = (reason: string): Dropped => ({
  dropped: "sipedge_messages_dropped_total",
  labels: { reason },
});

const ODD_METHOD = "!interesting-Method0123456789_*+`.%indeed'~";
const CHOSEN_TO_FORWARD = "harmless to a proxy, which reads none of it: the byte-faithful copy is forwarded";
const CHOSEN_TO_REFUSE = "the RFC allows both; a request line that could be read in two ways is refused";

export const VERDICTS: Readonly<Record<string, Verdict>> = {
  wsinv: {
    section: "3.1.1.1",
    title: "A Short Tortuous INVITE",
    reads: {
      start: "INVITE",
      uri: ["vivekg", "chair-dnrc.example.com"],
      cseq: [9, "INVITE"],
      via: ["UDP", "192.0.2.2", null, "390skdjuw"],
      from: ['"J Rosenberg \\\\\\""', "jdrosen", "example.com", "98asjd8"],
      to: ["", "vivekg", "chair-dnrc.example.com", "1918181833n"],
      body: 150,
    },
    proxy: FORWARDED,
  },
  intmeth: {
    section: "3.1.1.2",
    title: "Wide Range of Valid Characters",
    reads: {
      start: ODD_METHOD,
      uri: ["1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com"],
      cseq: [139122385, ODD_METHOD],
      via: ["TCP", "host1.example.com", null, "z9hG4bK-.!%66*_+`'~"],
      from: ["token1~` token2'+_ token3*%!.-", "mundane", "example.com", "_token~1'+`*%!-."],
      to: [
        '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f"',
        "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        "example.com",
        null,
      ],
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  esc01: {
    section: "3.1.1.3",
    title: "Valid Use of the % Escaping Mechanism",
    reads: {
      start: "INVITE",
      uri: ["sips%3Auser%40example.com", "example.net"],
      cseq: [234234, "INVITE"],
      via: ["UDP", "host5.example.net", null, "z9hG4bKkdjuw"],
      from: ["", "I%20have%20spaces", "example.net", "938"],
      to: ["", "%75se%72", "example.com", null],
      body: 150,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  escnull: {
    section: "3.1.1.4",
    title: "Escaped Nulls in URIs",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [14398234, "REGISTER"],
      via: ["UDP", "host5.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "null-%00-null", "example.com", "839923423"],
      to: ["", "null-%00-null", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: {
      status: 200,
      contacts: ["<sip:%00@host5.example.com>;expires=3600", "<sip:%00%00@host5.example.com>;expires=3600"],
    },
  },
  esc02: {
    section: "3.1.1.5",
    title: "Use of % When It Is Not an Escape",
    reads: {
      start: "RE%47IST%45R",
      uri: [null, "registrar.example.com"],
      cseq: [29344, "RE%47IST%45R"],
      via: ["TCP", "host.example.com", null, "z9hG4bK209%fzsnel234"],
      from: ['"%Z%45"', "resource", "example.com", "f232jadfj23"],
      to: ['"%Z%45"', "resource", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    home: { status: 501 },
  },
  lwsdisp: {
    section: "3.1.1.6",
    title: "Message with No LWS between Display Name and <",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [60, "OPTIONS"],
      via: ["UDP", "funky.example.com", null, "z9hG4bKkdjuw"],
      from: ["caller", "caller", "example.com", "323"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  longreq: {
    section: "3.1.1.7",
    title: "Long Values in Header Fields",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [3882340, "INVITE"],
      via: ["TCP", "sip33.example.com", null, null],
      from: ["", "amazinglylongcallername".repeat(5), "example.net", `12${"982".repeat(50)}424`],
      to: [`"I have a user name of ${"extreme".repeat(10)} proportion"`, "user", "example.com", null],
      body: 150,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  dblreq: {
    section: "3.1.1.8",
    title: "Extra Trailing Octets in a UDP Datagram",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [8, "REGISTER"],
      via: ["UDP", "192.0.2.125", null, "z9hG4bKkdjuw23492"],
      from: ["", "j.user", "example.com", "43251j3j324"],
      to: ["", "j.user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    stream: [FORWARDED, FORWARDED],
    registrar: { status: 200, contacts: ["<sip:j.user@host.example.com>;expires=3600"] },
    why: "the octets behind the body are noise in a datagram, and the next message on a stream",
  },
  semiuri: {
    section: "3.1.1.9",
    title: "Semicolon-Separated Parameters in URI User Part",
    reads: {
      start: "OPTIONS",
      uri: ["user;par=u%40example.net", "example.com"],
      cseq: [8, "OPTIONS"],
      via: ["UDP", "192.0.2.1", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.org", "33242"],
      to: ["", "j_user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  transports: {
    section: "3.1.1.10",
    title: "Varied and Unknown Transport Types",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [60, "OPTIONS"],
      via: ["UDP", "t1.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.com", "323"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  mpart01: {
    section: "3.1.1.11",
    title: "Multipart MIME Message",
    reads: {
      start: "MESSAGE",
      uri: ["kumiko", "example.org"],
      cseq: [1, "MESSAGE"],
      via: ["UDP", "127.0.0.1", 5070, "z9hG4bK-d87543-4dade06d0bdb11ee-1--d87543-"],
      from: ["", "fluffy", "example.com", "2fb0dcc9"],
      to: ["", "kumiko", "example.org", null],
      body: 553,
    },
    proxy: {
      forwarded: true,
      requestUri: "sip:127.0.0.1:5080",
      lines: [["Route: <sip:127.0.0.1:5080>", "Route: <sip:kumiko@example.org>"]],
    },
    why: "its Route has no lr: a strict router, so RFC 3261 §16.6 step 6 swaps it with the Request-URI",
  },
  unreason: {
    section: "3.1.1.12",
    title: "Unusual Reason Phrase",
    reads: {
      start: 200,
      cseq: [35, "INVITE"],
      via: ["UDP", "192.0.2.198", null, "z9hG4bK1324923"],
      from: ["", "user", "example.com", "11141343"],
      to: ["", "user", "example.edu", "2229"],
      body: 154,
    },
    proxy: STRAY,
    why: "well formed, but nobody here asked: it matches no transaction and its Via is not ours",
  },
  noreason: {
    section: "3.1.1.13",
    title: "Empty Reason Phrase",
    reads: {
      start: 100,
      cseq: [35, "INVITE"],
      via: ["UDP", "192.0.2.105", null, "z9hG4bK2398ndaoe"],
      from: ["", "user", "example.com", "39ansfi3"],
      to: ["", "user", "example.edu", "902jndnke3"],
      body: 0,
    },
    proxy: STRAY,
    why: "well formed, but nobody here asked",
  },
  badinv01: {
    section: "3.1.2.1",
    title: "Extraneous Header Field Separators",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: "via_param",
      from: ["", "caller", "example.net", "134161461246"],
      to: ["", "j.user", "example.com", null],
      body: 152,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: "the sent-by is legible and the source is known, so there is somebody to tell",
  },
  clerr: {
    section: "3.1.2.2",
    title: "Content Length Larger Than Message",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: ["UDP", "host5.example.com", null, "z9hG4bK-39234-23523"],
      from: ["", "caller", "example.net", "93942939o2"],
      to: ["", "j.user", "example.com", null],
      fault: "body_short",
    },
    proxy: BAD_REQUEST,
    stream: [{ waits: true }],
    home: BAD_REQUEST,
  },
  ncl: {
    section: "3.1.2.3",
    title: "Negative Content-Length",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [0, "INVITE"],
      via: ["UDP", "192.0.2.53", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "32394234"],
      to: ["", "j.user", "example.com", null],
      fault: "content_length",
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  scalar02: {
    section: "3.1.2.4",
    title: "Request Scalar Fields with Overlarge Values",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: "cseq_number",
      via: ["TCP", "host129.example.com", null, "z9hG4bK342sdfoi3"],
      from: ["", "user", "example.com", "239232jh3"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: BAD_REQUEST,
    registrar: { status: 400, contacts: [] },
  },
  scalarlg: {
    section: "3.1.2.5",
    title: "Response Scalar Fields with Overlarge Values",
    reads: {
      start: 503,
      cseq: "cseq_number",
      via: ["TCP", "host129.example.com", null, "z9hG4bKzzxdiwo34sw"],
      from: ["", "other", "example.net", "2easdjfejw"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: dropped("response_without_cseq"),
  },
  quotbal: {
    section: "3.1.2.6",
    title: "Unterminated Quoted String in Display Name",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: ["UDP", "192.0.2.59", 5050, "z9hG4bKkdjuw39234"],
      from: ["", "caller", "example.net", "93334"],
      to: "quote_open",
      body: 152,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  ltgtruri: {
    section: "3.1.2.7",
    title: "<> Enclosing Request-URI",
    reads: {
      start: "INVITE",
      uri: "uri_scheme",
      cseq: [1, "INVITE"],
      via: ["UDP", "192.0.2.5", null, null],
      from: ["", "caller", "example.net", "39291"],
      to: ["", "user", "example.com", null],
      body: 159,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  lwsruri: {
    section: "3.1.2.8",
    title: "Malformed SIP Request-URI (embedded LWS)",
    reads: {
      start: "INVITE",
      cseq: [2130706432, "INVITE"],
      via: ["UDP", "192.0.2.1", 5060, "z9hG4bKkdjuw2395"],
      from: ["", "caller", "example.net", "231413434"],
      to: ["", "user", "example.com", "3xfe-9921883-z9f"],
      fault: "request_line",
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  lwsstart: {
    section: "3.1.2.9",
    title: "Multiple SP Separating Request-Line Elements",
    reads: {
      start: "INVITE",
      cseq: [1893884, "INVITE"],
      via: ["UDP", "host1.example.com", null, "z9hG4bKkdjuw3923"],
      from: ["", "caller", "example.net", "8814"],
      to: ["", "user", "example.com", null],
      fault: "request_line",
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: CHOSEN_TO_REFUSE,
  },
  trws: {
    section: "3.1.2.10",
    title: "SP Characters at End of Request-Line",
    reads: {
      start: "OPTIONS",
      uri: ["remote-target", "example.com"],
      cseq: [238923, "OPTIONS"],
      via: ["TCP", "host1.examle.com", null, "z9hG4bK299342093"], // so written in the archive
      from: ["", "local-resource", "example.com", "329429089"],
      to: ["", "remote-target", "example.com", null],
      fault: "request_line",
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: CHOSEN_TO_REFUSE,
  },
  escruri: {
    section: "3.1.2.11",
    title: "Escaped Headers in SIP Request-URI",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [149209342, "INVITE"],
      via: ["UDP", "host-of-the-hour.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "341518"],
      to: ["", "user", "example.com", null],
      body: 150,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: "headers must never travel on in a Request-URI; refusing says so, dropping them hides it",
  },
  baddate: {
    section: "3.1.2.12",
    title: "Invalid Time Zone in Date Header Field",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [1392934, "INVITE"],
      via: ["UDP", "host.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "2234923"],
      to: ["", "user", "example.com", null],
      body: 150,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
    why: "an element should not refuse for a Date it does not use",
  },
  regbadct: {
    section: "3.1.2.13",
    title: "Failure to Enclose name-addr URI in <>",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [1, "REGISTER"],
      via: ["UDP", "135.180.130.133", 5060, "z9hG4bKkdjuw"],
      from: ["", "user", "example.com", "998332"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: { status: 400, contacts: [] },
    why: CHOSEN_TO_FORWARD,
  },
  badaspec: {
    section: "3.1.2.14",
    title: "Spaces within addr-spec",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.org"],
      cseq: [3923239, "OPTIONS"],
      via: ["UDP", "host4.example.com", 5060, "z9hG4bKkdju43234"],
      from: ['"Bell, Alexander"', "a.g.bell", "example.com", "433423"],
      to: "uri_scheme",
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
    why: CHOSEN_TO_FORWARD,
  },
  baddn: {
    section: "3.1.2.15",
    title: "Non-token Characters in Display Name",
    reads: {
      start: "OPTIONS",
      uri: ["t.watson", "example.org"],
      cseq: [3923239, "OPTIONS"],
      via: ["UDP", "c.example.com", 5060, "z9hG4bKkdjuw"],
      from: "display_name",
      to: "display_name",
      fault: "headers_end_missing", // the archive leaves out the empty line
    },
    proxy: BAD_REQUEST,
    stream: [{ waits: true }],
    home: BAD_REQUEST,
    why: "a proxy must not pass this error on, and we never rewrite a From; with its empty line too",
  },
  badvers: {
    section: "3.1.2.16",
    title: "Unknown Protocol Version",
    reads: {
      start: "OPTIONS",
      uri: ["t.watson", "example.org"],
      cseq: [1, "OPTIONS"],
      via: "via_version",
      from: ["A. Bell", "a.g.bell", "example.com", "qweoiqpe"],
      to: ["T. Watson", "t.watson", "example.org", null],
      fault: "version",
    },
    proxy: { status: 505 },
    home: { status: 505 },
  },
  mismatch01: {
    section: "3.1.2.17",
    title: "Start Line and CSeq Method Mismatch",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: ["UDP", "host.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "34525"],
      to: ["", "j.user", "example.com", null],
      body: 0,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  mismatch02: {
    section: "3.1.2.18",
    title: "Unknown Method with CSeq Method Mismatch",
    reads: {
      start: "NEWMETHOD",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: ["UDP", "host.example.net", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "34525"],
      to: ["", "j.user", "example.com", null],
      body: 138,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: "501 would be untrue: this proxy forwards methods it does not know; 400 is acceptable too",
  },
  bigcode: {
    section: "3.1.2.19",
    title: "Overlarge Response Code",
    reads: {
      start: 429,
      cseq: [353494, "INVITE"],
      via: ["UDP", "192.0.2.105", null, "z9hG4bK2398ndaoe"],
      from: ["", "user", "example.com", "39ansfi3"],
      to: ["", "user", "example.edu", "902jndnke3"],
      fault: "status_code",
    },
    proxy: dropped("response_malformed"),
  },
  badbranch: {
    section: "3.2.1",
    title: "Missing Transaction Identifier",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [8, "OPTIONS"],
      via: ["UDP", "192.0.2.1", null, "z9hG4bK"],
      from: ["", "caller", "example.org", "33242"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
    why: "matched by the RFC 2543 rules, as the RFC allows",
  },
  insuf: {
    section: "3.3.1",
    title: "Missing Required Header Fields",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [193942, "INVITE"],
      via: ["UDP", "192.0.2.95", null, "z9hG4bKkdj.insuf"],
      from: null,
      to: null,
      body: 152,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
    why: "Via and CSeq are there: its sender finds its transaction by them and stops repeating",
  },
  unkscm: {
    section: "3.3.2",
    title: "Request-URI with Unknown Scheme",
    reads: {
      start: "OPTIONS",
      uri: [null, ""],
      cseq: [3923423, "OPTIONS"],
      via: ["TCP", "host9.example.com", null, "z9hG4bKkdjuw39234"],
      from: ["", "caller", "example.net", "384"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: { status: 416 },
  },
  novelsc: {
    section: "3.3.3",
    title: "Request-URI with Known but Atypical Scheme",
    reads: {
      start: "OPTIONS",
      uri: [null, ""],
      cseq: [3923423, "OPTIONS"],
      via: ["TCP", "host9.example.com", null, "z9hG4bKkdjuw39234"],
      from: ["", "caller", "example.net", "384"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: { status: 416 },
    why: "no soap.beep URI will ever mean anything here",
  },
  unksm2: {
    section: "3.3.4",
    title: "Unknown URI Schemes in Header Fields",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [234902, "REGISTER"],
      via: ["UDP", "192.0.2.21", 5060, "z9hG4bKkdjuw"],
      from: ["", null, "http:", "3234233"],
      to: ["", null, "isbn:", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: { status: 400, contacts: [] },
  },
  bext01: {
    section: "3.3.5",
    title: "Proxy-Require and Require",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [8, "OPTIONS"],
      via: ["TLS", "fold-and-staple.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "242etr"],
      to: ["", "j_user", "example.com", null],
      body: 0,
    },
    proxy: {
      status: 420,
      headers: ["Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis"],
    },
    home: {
      status: 420,
      headers: ["Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis"],
    },
  },
  invut: {
    section: "3.3.6",
    title: "Unknown Content-Type",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [235448, "INVITE"],
      via: ["UDP", "somehost.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "8392034"],
      to: ["", "j.user", "example.com", null],
      body: 40,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
  },
  regaut01: {
    section: "3.3.7",
    title: "Unknown Authorization Scheme",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [9338, "REGISTER"],
      via: ["TCP", "192.0.2.253", null, "z9hG4bKkdjuw"],
      from: ["", "j.user", "example.com", "87321hj23128"],
      to: ["", "j.user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: { status: 200, contacts: [] },
    why: "a trusted source is not challenged, so its credentials are ignored; others get a 401",
  },
  multi01: {
    section: "3.3.8",
    title: "Multiple Values in Single Value Required Fields",
    reads: {
      start: "INVITE",
      uri: ["user", "company.com"],
      cseq: [5, "INVITE"],
      via: ["UDP", "192.0.2.25", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.com", "3413415"],
      to: ["", "user", "example.com", null],
      body: 154,
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  mcl01: {
    section: "3.3.9",
    title: "Multiple Content-Length Values",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [15932, "OPTIONS"],
      via: ["UDP", "host5.example.net", null, "z9hG4bK293423"],
      from: ["", "other", "example.net", "3923942"],
      to: ["", "user", "example.com", null],
      fault: "content_length_twice",
    },
    proxy: BAD_REQUEST,
    home: BAD_REQUEST,
  },
  bcast: {
    section: "3.3.10",
    title: "200 OK Response with Broadcast Via Header Field Value",
    reads: {
      start: 200,
      cseq: [35, "INVITE"],
      via: ["UDP", "192.0.2.198", null, "z9hG4bK1324923"],
      from: ["", "user", "example.com", "11141343"],
      to: ["", "user", "example.edu", "2229"],
      body: 154,
    },
    proxy: STRAY,
    why: "nor when the topmost Via is ours: nobody may aim our answers at a broadcast address",
  },
  zeromf: {
    section: "3.3.11",
    title: "Max-Forwards of Zero",
    reads: {
      start: "OPTIONS",
      uri: ["user", "example.com"],
      cseq: [39234321, "OPTIONS"],
      via: ["UDP", "host1.example.com", null, "z9hG4bKkdjuw2349i"],
      from: ["", "caller", "example.net", "3ghsd41"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: { status: 483 },
    home: { status: 483 },
  },
  cparam01: {
    section: "3.3.12",
    title: "REGISTER with a Contact Header Parameter",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [2, "REGISTER"],
      via: ["UDP", "saturn.example.com", 5060, "z9hG4bKkdjuw"],
      from: ["", "watson", "example.com", "DkfVgjkrtMwaerKKpe"],
      to: ["", "watson", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: {
      status: 200,
      contacts: ["<sip:+19725552222@gw1.example.net>;expires=3600;unknownparam"],
    },
  },
  cparam02: {
    section: "3.3.13",
    title: "REGISTER with a url-parameter",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [3, "REGISTER"],
      via: ["UDP", "saturn.example.com", 5060, "z9hG4bKkdjuw"],
      from: ["", "watson", "example.com", "838293"],
      to: ["", "watson", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: {
      status: 200,
      contacts: ["<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600"],
    },
  },
  regescrt: {
    section: "3.3.14",
    title: "REGISTER with a URL Escaped Header",
    reads: {
      start: "REGISTER",
      uri: [null, "example.com"],
      cseq: [14398234, "REGISTER"],
      via: ["UDP", "host5.example.com", null, "z9hG4bKkdjuw"],
      from: ["", "user", "example.com", "8"],
      to: ["", "user", "example.com", null],
      body: 0,
    },
    proxy: FORWARDED,
    registrar: {
      status: 200,
      contacts: ["<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600"],
    },
  },
  sdp01: {
    section: "3.3.15",
    title: "Unacceptable Accept Offering",
    reads: {
      start: "INVITE",
      uri: ["user", "example.com"],
      cseq: [8, "INVITE"],
      via: ["UDP", "192.0.2.15", null, "z9hG4bKkdjuw"],
      from: ["", "caller", "example.net", "234"],
      to: ["", "j_user", "example.com", null],
      body: 150,
    },
    proxy: FORWARDED,
    home: NO_SUCH_USER,
    why: "what the answer may hold is between the two phones",
  },
  inv2543: {
    section: "3.4.1",
    title: "INVITE with RFC 2543 Syntax",
    reads: {
      start: "INVITE",
      uri: ["UserB", "example.com"],
      cseq: [56, "INVITE"],
      via: ["UDP", "iftgw.example.com", null, null],
      from: ["", "+13035551111", "ift.client.example.net", null],
      to: ["", "+16505552222", "ss1.example.net", null],
      body: 105,
    },
    proxy: FORWARDED,
    stream: [BAD_REQUEST],
    home: NO_SUCH_USER,
    why: "on a stream nobody can tell where a message without Content-Length ends",
  },
};
