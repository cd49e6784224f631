/** A registration and a whole call of two UDP phones that the appliance does not challenge. */
import { expect } from "bun:test";
import type { UdpPhone } from "./udp-phone.ts";

/** Registers without a password; gives the answer. */
export function registerOpenly(phone: UdpPhone, user: string, hostPort: string): Promise<string> {
  const aor = `sip:${user}@${hostPort}`;
  const contact = [`Contact: <sip:${user}@${phone.address}:${phone.port}>`, "Expires: 600"];
  return phone.ask(phone.request("REGISTER", aor, aor, contact));
}

/** A call from INVITE to BYE; `during` runs while it is up. */
export async function wholeCall(
  caller: UdpPhone,
  callee: UdpPhone,
  user: string,
  hostPort: string,
  during: () => Promise<void> = async () => {},
) {
  caller.forget();
  callee.forget();
  const contact = [`Contact: <sip:caller@${caller.address}:${caller.port}>`];
  const invite = caller.request("INVITE", `sip:${user}@${hostPort}`, `sip:caller@${hostPort}`, contact);
  caller.send(...invite);
  const rung = await callee.got(/^INVITE /);
  callee.answer(rung, "200 OK", [`Contact: <sip:${user}@${callee.address}:${callee.port}>`]);
  const answer = await caller.got(/^SIP\/2\.0 200 /);
  const inside = (method: string, cseq: number) => [
    `${method} sip:${user}@${callee.address}:${callee.port} SIP/2.0`,
    invite[1]!.replace("z9hG4bK", `z9hG4bK${method}`),
    `Route: ${/^Record-Route: (.*)\r$/im.exec(answer)![1]}`,
    ...invite.filter((line) => /^(Max-Forwards|From|Call-ID|Content-Length):/.test(line)),
    /^To: .*$/im.exec(answer)![0].trim(),
    `CSeq: ${cseq} ${method}`,
  ];
  caller.send(...inside("ACK", 1));
  await callee.got(/^ACK /);
  await during();
  const bye = caller.ask(inside("BYE", 2));
  callee.answer(await callee.got(/^BYE /), "200 OK");
  expect(await bye).toStartWith("SIP/2.0 200 ");
}
