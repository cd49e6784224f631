/** Keys of [[rtpengine]]: who relays the media where media.engine says so. */
import * as v from "valibot";
import { isAddress } from "./hosts.ts";
import { integer, sections, text } from "./kinds.ts";

const ENGINES_MAX = 16;

export const rtpengine = sections(
  [0, ENGINES_MAX],
  {
    does: 'An rtpengine that relays media, with media.engine = "rtpengine".',
    entries: [{ address: "127.0.0.1", port: 2223 }],
  },
  {
    address: text(isAddress, "an IP address without brackets", {
      does: "Where its ng protocol is spoken to. Whoever can reach that port can listen to calls: keep it inside.",
      without: "it cannot be asked",
      example: "127.0.0.1",
    }),
    port: v.optional(
      integer(1, 65_535, "UDP port", {
        does: "The port of its option listen-ng.",
        without: "nobody answers, and relayed calls get 503",
      }),
      2223,
    ),
    weight: v.optional(
      integer(0, 1000, "share, 0 for a stand-by", {
        does: "Its share of the calls, beside the others'. 0: it gets calls only when no other answers.",
        without: "a small machine gets as many calls as a big one",
      }),
      1,
    ),
  },
);
