/** Session descriptions in the manner of what phones, PBXs, browsers and gateways send, and what is in each. */
import { readSdp, type Sdp } from "../../src/message/sdp.ts";

export const crlf = (...lines: readonly string[]): string => `${lines.join("\r\n")}\r\n`;

/** The description of this text; it must be readable. */
export function sdpOf(text: string): Sdp {
  const bytes = Buffer.from(text, "latin1");
  const sdp = readSdp(bytes, 0, bytes.length);
  if (!("media" in sdp)) throw new Error(`${sdp.code} at ${sdp.offset}: ${text}`);
  return sdp;
}

export interface Sample {
  readonly name: string;
  readonly text: string;
  /** Each stream: kind, address:port, rtcp port, direction, names of the codecs. */
  readonly streams: readonly string[];
}

export const CISCO = crlf(
  "v=0",
  "o=Cisco-SIPUA 13384 0 IN IP4 10.1.1.5",
  "s=SIP Call",
  "b=AS:4064",
  "t=0 0",
  "m=audio 24576 RTP/AVP 114 9 0 8 116 18 101",
  "c=IN IP4 10.1.1.5",
  "b=TIAS:64000",
  "a=rtpmap:114 opus/48000/2",
  "a=fmtp:114 maxplaybackrate=16000;sprop-maxcapturerate=16000;maxaveragebitrate=64000;stereo=0;usedtx=0",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:116 iLBC/8000",
  "a=fmtp:116 mode=20",
  "a=rtpmap:18 G729/8000",
  "a=fmtp:18 annexb=no",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-15",
  "a=sendrecv",
);

export const CHROME = crlf(
  "v=0",
  "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "a=extmap-allow-mixed",
  "a=msid-semantic: WMS stream",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
  "c=IN IP4 0.0.0.0",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=candidate:1467250027 1 udp 2122260223 192.168.1.4 46243 typ host generation 0 network-id 1",
  "a=candidate:435653019 1 tcp 1518280447 192.168.1.4 9 typ host tcptype active generation 0",
  "a=ice-ufrag:Oyef",
  "a=ice-pwd:7uYGaSZcCmxyPNdZzvTFwYbm",
  "a=ice-options:trickle",
  "a=fingerprint:sha-256 49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E",
  "a=setup:actpass",
  "a=mid:0",
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "a=rtcp-fb:111 transport-cc",
  "a=fmtp:111 minptime=10;useinbandfec=1",
  "a=rtpmap:63 red/48000/2",
  "a=fmtp:63 111/111",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:13 CN/8000",
  "a=rtpmap:110 telephone-event/48000",
  "a=rtpmap:126 telephone-event/8000",
  "a=ssrc:1732693572 cname:4TOk42mSjXCkVIa6",
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103",
  "c=IN IP4 0.0.0.0",
  "a=rtcp:9 IN IP4 0.0.0.0",
  "a=ice-ufrag:Oyef",
  "a=ice-pwd:7uYGaSZcCmxyPNdZzvTFwYbm",
  "a=mid:1",
  "a=recvonly",
  "a=rtcp-mux",
  "a=rtcp-rsize",
  "a=rtpmap:96 VP8/90000",
  "a=rtcp-fb:96 goog-remb",
  "a=rtcp-fb:96 nack pli",
  "a=rtcp-fb:* ccm fir",
  "a=rtpmap:97 rtx/90000",
  "a=fmtp:97 apt=96",
  "a=rtpmap:102 H264/90000",
  "a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
  "a=rtpmap:103 rtx/90000",
  "a=fmtp:103 apt=102",
);

export const YEALINK = crlf(
  "v=0",
  "o=- 20012 20012 IN IP4 192.168.0.22",
  "s=SDP data",
  "c=IN IP4 192.168.0.22",
  "t=0 0",
  "m=audio 11780 RTP/AVP 9 0 8 18 101",
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:8 PCMA/8000",
  "a=rtpmap:18 G729/8000",
  "a=fmtp:18 annexb=no",
  "a=fmtp:101 0-15",
  "a=rtpmap:101 telephone-event/8000",
  "a=ptime:20",
  "a=sendrecv",
);

export const SAMPLES: readonly Sample[] = [
  {
    name: "Cisco phone: c= of the stream only",
    text: CISCO,
    streams: ["audio 10.1.1.5:24576 rtcp 24577 sendrecv opus,G722,PCMU,PCMA,iLBC,G729,telephone-event"],
  },
  {
    name: "Yealink phone: c= of the session, a=fmtp in front of its a=rtpmap",
    text: YEALINK,
    streams: ["audio 192.168.0.22:11780 rtcp 11781 sendrecv G722,PCMU,PCMA,G729,telephone-event"],
  },
  {
    name: "Polycom phone: audio and video on hold, static payload types alone",
    text: crlf(
      "v=0",
      "o=- 1422968390 1422968391 IN IP4 172.16.4.9",
      "s=Polycom IP Phone",
      "c=IN IP4 172.16.4.9",
      "t=0 0",
      "a=sendonly",
      "m=audio 2226 RTP/AVP 9 0 8 18",
      "a=fmtp:18 annexb=no",
      "m=video 2228 RTP/AVP 34",
      "a=inactive",
    ),
    streams: [
      "audio 172.16.4.9:2226 rtcp 2227 sendonly held G722,PCMU,PCMA,G729",
      "video 172.16.4.9:2228 rtcp 2229 inactive held H263",
    ],
  },
  {
    name: "Asterisk: session c= over IPv6, a=maxptime",
    text: crlf(
      "v=0",
      "o=- 728415 728416 IN IP6 2001:db8::5",
      "s=Asterisk",
      "c=IN IP6 2001:db8::5",
      "t=0 0",
      "m=audio 17324 RTP/AVP 107 0 8 101",
      "a=rtpmap:107 opus/48000/2",
      "a=fmtp:107 useinbandfec=1",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:101 telephone-event/8000",
      "a=fmtp:101 0-16",
      "a=ptime:20",
      "a=maxptime:60",
      "a=sendrecv",
    ),
    streams: ["audio 2001:db8::5:17324 rtcp 17325 sendrecv opus,PCMU,PCMA,telephone-event"],
  },
  {
    name: "FreeSWITCH: a=rtcp with address, a rejected video stream",
    text: crlf(
      "v=0",
      "o=FreeSWITCH 1609459200 1609459201 IN IP4 203.0.113.44",
      "s=FreeSWITCH",
      "c=IN IP4 203.0.113.44",
      "t=0 0",
      "m=audio 30204 RTP/AVP 0 101",
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:101 telephone-event/8000",
      "a=rtcp:30205 IN IP4 203.0.113.44",
      "a=silenceSupp:off - - - -",
      "a=ptime:20",
      "m=video 0 RTP/AVP 19",
    ),
    streams: [
      "audio 203.0.113.44:30204 rtcp 30205 sendrecv PCMU,telephone-event",
      "video 203.0.113.44:0 rtcp 0 sendrecv ",
    ],
  },
  {
    name: "Chrome: bundle, mux, trickled candidates, DTLS-SRTP with feedback",
    text: CHROME,
    streams: [
      "audio 0.0.0.0:9 rtcp 9 mux sendrecv opus,red,G722,PCMU,PCMA,CN,telephone-event,telephone-event",
      "video 0.0.0.0:9 rtcp 9 mux recvonly VP8,rtx,H264,rtx",
    ],
  },
  {
    name: "Linphone: AVPF, RTCP-XR, a=rtcp without address",
    text: crlf(
      "v=0",
      "o=alice 1231 2114 IN IP4 192.168.1.66",
      "s=Talk",
      "c=IN IP4 192.168.1.66",
      "t=0 0",
      "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
      "m=audio 7078 RTP/AVPF 96 97 0",
      "a=rtpmap:96 opus/48000/2",
      "a=fmtp:96 useinbandfec=1",
      "a=rtpmap:97 speex/16000",
      "a=rtcp:50123",
      "a=rtcp-fb:* trr-int 5000",
    ),
    streams: ["audio 192.168.1.66:7078 rtcp 50123 sendrecv opus,speex,PCMU"],
  },
  {
    name: "baresip: ICE with host and reflexive candidates",
    text: crlf(
      "v=0",
      "o=- 3877158513 1234567 IN IP4 10.0.0.7",
      "s=-",
      "c=IN IP4 10.0.0.7",
      "t=0 0",
      "a=tool:baresip 1.0.0",
      "a=ice-ufrag:Ab3d",
      "a=ice-pwd:0123456789abcdef012345",
      "m=audio 16000 RTP/AVP 8 101",
      "a=rtpmap:8 PCMA/8000",
      "a=rtpmap:101 telephone-event/8000",
      "a=fmtp:101 0-15",
      "a=rtcp:16001",
      "a=sendrecv",
      "a=candidate:9f 1 UDP 2113929471 10.0.0.7 16000 typ host",
      "a=candidate:9f 2 UDP 2113929470 10.0.0.7 16001 typ host",
      "a=candidate:a0 1 UDP 1677721855 198.51.100.3 40112 typ srflx raddr 10.0.0.7 rport 16000",
      "a=remote-candidates:1 192.0.2.8 5004",
      "a=end-of-candidates",
      "a=ptime:20",
    ),
    streams: ["audio 10.0.0.7:16000 rtcp 16001 sendrecv PCMA,telephone-event"],
  },
  {
    name: "T.38 gateway: image over udptl beside a closed audio stream",
    text: crlf(
      "v=0",
      "o=gw 1 3 IN IP4 198.51.100.77",
      "s=-",
      "c=IN IP4 198.51.100.77",
      "t=0 0",
      "m=audio 0 RTP/AVP 8",
      "m=image 41322 udptl t38",
      "a=T38FaxVersion:0",
      "a=T38MaxBitRate:14400",
      "a=T38FaxRateManagement:transferredTCF",
      "a=T38FaxUdpEC:t38UDPRedundancy",
    ),
    streams: ["audio 198.51.100.77:0 rtcp 0 sendrecv PCMA", "image 198.51.100.77:41322 rtcp 0 sendrecv "],
  },
  {
    name: "PBX with late SDES-SRTP: SAVP and AVP lines of one call",
    text: crlf(
      "v=0",
      "o=pbx 10 10 IN IP4 192.0.2.60",
      "s=call",
      "c=IN IP4 192.0.2.60",
      "t=0 0",
      "m=audio 12000 RTP/SAVP 0 8",
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32",
      "m=audio 12002 RTP/AVP 0 8",
    ),
    streams: [
      "audio 192.0.2.60:12000 rtcp 12001 sendrecv PCMU,PCMA",
      "audio 192.0.2.60:12002 rtcp 12003 sendrecv PCMU,PCMA",
    ],
  },
  {
    name: "data channel and chat: streams that are no RTP",
    text: crlf(
      "v=0",
      "o=- 1 1 IN IP4 192.0.2.1",
      "s=-",
      "t=0 0",
      "m=application 54111 UDP/DTLS/SCTP webrtc-datachannel",
      "c=IN IP4 192.0.2.1",
      "a=sctp-port:5000",
      "m=message 7654 TCP/MSRP *",
      "c=IN IP4 192.0.2.2",
      "a=path:msrp://192.0.2.2:7654/jshA7weztas;tcp",
    ),
    streams: ["application 192.0.2.1:54111 rtcp 0 sendrecv ", "message 192.0.2.2:7654 rtcp 0 sendrecv "],
  },
  {
    name: "careless gateway: LF alone, blanks everywhere, no last line end",
    text: [
      "v=0",
      "o=Cheap Gateway 1 2 IN IP4 10.9.8.7",
      "s=",
      "c = IN  IP4   10.9.8.7 ",
      "t=0 0",
      "",
      "this is no line of an SDP",
      "m=audio  5004/2  RTP/AVP   0  8 101\t",
      "a=rtcp : 6000",
      "a=rtpmap: 101  telephone-event/8000",
      " a=sendrecv",
      "a=ptime:20.0",
    ].join("\n"),
    streams: ["audio 10.9.8.7:5004 rtcp 6000 sendrecv PCMU,PCMA,telephone-event"],
  },
];

export function streamsOf(sdp: Sdp): string[] {
  return sdp.media.map((media) =>
    [
      `${media.kind} ${media.connection?.address}:${media.port} rtcp ${media.rtcpPort}`,
      ...(media.isMux ? ["mux"] : []),
      media.direction,
      ...(media.isHeld ? ["held"] : []),
      media.payloads
        .map(({ name }) => name)
        .filter((name) => name !== "")
        .join(","),
    ].join(" "),
  );
}
