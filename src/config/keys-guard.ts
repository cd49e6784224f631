/**
 * Keys about who is let in: [guard].
 */
import * as v from "valibot";
import { parseNetwork } from "../base/networks.ts";
import { integer, listOf, section, text, truth } from "./kinds.ts";

const isNetwork = (network: string): boolean => parseNetwork(network) !== null;
const NETWORKS = "IP addresses or networks like 192.0.2.0/24";
const SET_NAME = /^(ip|ip6|inet) [A-Za-z_][\w-]{0,63} [A-Za-z_][\w-]{0,63}$/;

export const guard = section(
  {
    does: "Who is let in. Registered phones, peers and auth.trusted_networks are never held up by what strangers do.",
  },
  {
    enabled: v.optional(
      truth({
        does: "Whether strangers' rates are bounded, scanners dropped, and guessers of passwords banned.",
        without: "false: somebody may try passwords for months",
      }),
      true,
    ),
    deny: v.optional(
      listOf(isNetwork, NETWORKS, {
        does: "Nothing that comes from there is looked at.",
        without: "nothing; for neighbours you do not like",
        example: ["203.0.113.0/24"],
      }),
      [],
    ),
    allow: v.optional(
      listOf(isNetwork, NETWORKS, {
        does: "Where there is any, nothing from elsewhere is looked at.",
        without: "the whole internet may knock",
        example: ["10.0.0.0/8", "192.0.2.0/24"],
      }),
      [],
    ),
    tries: v.optional(
      integer(1, 1000, "wrong passwords", {
        does: "So many within window_s, and the address they come from is banned.",
        without: "few: a person who mistypes is banned; many: guessing pays",
      }),
      8,
    ),
    window_s: v.optional(
      integer(10, 86_400, "seconds", {
        does: "The time in which tries count.",
        without: "short: slow guessers are never found",
      }),
      600,
    ),
    ban_s: v.optional(
      integer(10, 31_536_000, "seconds", {
        does: "How long the first ban lasts; each next one of the same address is twice as long.",
        without: "short: the guesser comes back at once",
      }),
      600,
    ),
    ban_max_s: v.optional(
      integer(10, 31_536_000, "seconds", {
        does: "The longest ban.",
        without: "long: whoever gets that address next year is still banned",
      }),
      86_400,
    ),
    account_tries: v.optional(
      integer(1, 100_000, "wrong passwords", {
        does: "So many for one account within window_s, from anywhere, and only known addresses may log in to it.",
        without: "many machines guess one password together",
      }),
      50,
    ),
    rate_per_s: v.optional(
      integer(1, 100_000, "messages per second", {
        does: "What one address without a registration may send.",
        without: "one machine keeps us busy with nothing",
      }),
      50,
    ),
    burst: v.optional(
      integer(1, 1_000_000, "messages", {
        does: "What it may send at once: a site whose phones all start after a power cut.",
        without: "small: some phones of a big site register late",
      }),
      500,
    ),
    scanners: v.optional(
      listOf((name) => name.length > 2 && name.length <= 100, "words in a User-Agent, 3..100 characters", {
        does: "Programs that are not answered, beside the known scanners.",
        without: "they find out that somebody is here",
        example: ["evil-dialer"],
      }),
      [],
    ),
    nft_set: v.optional(
      v.nullable(
        text((name) => SET_NAME.test(name), 'a set like "inet filter sipedge_bans"', {
          does: "Bans are added to this nftables set as well (flags timeout), so that the kernel drops what they send.",
          without: "each packet of a banned machine costs us a microsecond",
          example: "inet filter sipedge_bans",
          restart: true,
        }),
      ),
      null,
    ),
  },
);
