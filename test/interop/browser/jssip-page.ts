/** The page of a JsSIP phone: it registers and then does what its address asks for. */
import JsSIP from "jssip";
import type { Report } from "./page-report.ts";
import { asked, report } from "./page-report.ts";

const { ws, user, password, calls, domain } = asked();
const socket = new JsSIP.WebSocketInterface(ws);
const phone = new JsSIP.UA({
  sockets: [socket],
  uri: `sip:${user}@${domain}`,
  password,
  register: true,
  session_timers: false,
});
const media = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };

// biome-ignore lint/suspicious/noExplicitAny: the library's session has no types of its own
function follow(session: any): void {
  const tell = (what: Report["what"]) => () => report(user, { what });
  session.on("ended", tell("ended"));
  session.on("failed", ({ cause }: { cause: string }) => report(user, { what: "failed", cause }));
  session.on("confirmed", () => {
    report(user, { what: "up" });
    const look = setInterval(async () => {
      const stats = await session.connection.getStats();
      for (const each of stats.values())
        if (each.type === "inbound-rtp" && each.packetsReceived > 25) {
          clearInterval(look);
          report(user, { what: "hears", packets: each.packetsReceived });
          if (calls !== null) setTimeout(() => session.terminate(), 300);
        }
    }, 100);
  });
}

phone.on("newRTCSession", ({ session, originator }: { session: unknown; originator: string }) => {
  follow(session);
  if (originator === "remote") (session as { answer(options: unknown): void }).answer(media);
});
phone.on("registered", () => {
  report(user, { what: "registered" });
  if (calls !== null) phone.call(`sip:${calls}@${domain}`, media);
});
phone.on("registrationFailed", ({ cause }: { cause?: string }) =>
  report(user, { what: "failed", cause: cause ?? "" }),
);
phone.on("disconnected", () => report(user, { what: "disconnected" }));
phone.start();
