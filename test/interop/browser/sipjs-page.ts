/** The page of a SIP.js phone: it registers and takes calls. */
import { Registerer, RegistererState, SessionState, UserAgent } from "sip.js";
import { asked, report } from "./page-report.ts";

const { ws, user, password, domain } = asked();
const agent = new UserAgent({
  uri: UserAgent.makeURI(`sip:${user}@${domain}`)!,
  authorizationUsername: user,
  authorizationPassword: password,
  transportOptions: { server: ws },
  logLevel: "error",
  delegate: {
    onInvite(invitation) {
      invitation.stateChange.addListener((state) => {
        if (state === SessionState.Established) report(user, { what: "up" });
        if (state === SessionState.Terminated) report(user, { what: "ended" });
      });
      void invitation.accept({
        sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } },
      });
    },
  },
});
await agent.start();
const registerer = new Registerer(agent);
registerer.stateChange.addListener((state) => {
  if (state === RegistererState.Registered) report(user, { what: "registered" });
});
await registerer.register();
