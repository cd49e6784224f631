/** A registrar behind the appliance ([[peer]] serves), and a phone of it behind a NAT. */
import { expect } from "bun:test";
import { H } from "../../src/message/header-names.ts";
import type { Natted } from "../support/natted-phones.ts";
import { behindNat, registerFlow } from "../support/natted-phones.ts";
import { EDGE, World } from "../support/world.ts";
import type { RequestOptions } from "./kit.ts";
import { entries, Phone } from "./kit.ts";

export const PBX = "203.0.113.50";
export const DOMAIN = "pbx.example.test";
export const SERVES = `
[[peer]]
name = "pbx"
uris = ["sip:${PBX}"]
serves = ["${DOMAIN}"]
networks = ["${PBX}"]
probe_s = 0
`;
export const EDGES = [`${EDGE}:5060`, "[2001:db8::1]:5060"];

/** A registrar that takes every REGISTER, and a phone behind a NAT that belongs to it; nobody is trusted. */
export function rig(toml = "", transport: "udp" | "tcp" = "udp") {
  const world = new World({ toml: `${SERVES}${toml}` });
  const pbx = new Phone(world, "pbx", PBX);
  pbx.on = (message) => {
    if (message.method === "REGISTER")
      pbx.reply(message, 200, {
        headers: [
          ...message.texts(H.Contact).map((value) => `Contact: ${value};expires=3600`),
          ...message.texts(H.Path).map((value) => `Path: ${value}`),
        ],
      });
  };
  const dave = behindNat(world, "198.51.100.20", "dave", { transport });
  return { world, pbx, dave };
}

/** Registers at the PBX; the Path that it got. */
export function pathOf(pbx: Phone, { phone }: Natted, headers: readonly string[] = []): string[] {
  const answer = registerFlow(phone, { domain: DOMAIN, headers });
  expect(answer.status).toBe(200);
  return entries(pbx.incoming("REGISTER"), H.Path);
}

/** A request of the PBX to the phone, along this Path. */
export function over(pbx: Phone, path: readonly string[], target: string, options: RequestOptions = {}) {
  const headers = [
    ...path.map((entry) => `Route: ${entry}`),
    ...(options.headers ?? [`Contact: <${pbx.contact}>`]),
  ];
  return pbx.request("INVITE", target, { from: `<sip:eve@${DOMAIN}>`, ...options, headers });
}

export const tokenOf = (path: string) => /sip:([^@]+)@/.exec(path)![1]!;
