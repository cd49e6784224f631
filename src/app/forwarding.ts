/**
 * The proxy's parts, wired.
 */
import type { Dice } from "../base/dice.ts";
import type { Flow, Transports } from "../base/flow.ts";
import type { Metrics } from "../base/metrics.ts";
import type { MessageTap } from "../base/tap.ts";
import type { SessionTimers } from "../calls/session-timer.ts";
import type { DeadTargets } from "../dns/dead-targets.ts";
import type { Locator } from "../dns/locator.ts";
import type { Domains } from "../location/domains.ts";
import type { LocationStore } from "../location/store.ts";
import type { Edits } from "../message/edits.ts";
import type { SipMessage } from "../message/sip-message.ts";
import type { RouteTokens } from "../nat/route-token.ts";
import type { CallObserver } from "../proxy/call-observer.ts";
import type { Trust } from "../proxy/callee-identity.ts";
import { editCallee } from "../proxy/callee-identity.ts";
import type { Directory, Trunks } from "../proxy/directory.ts";
import type { FlowKeeper } from "../proxy/flow-keeper.ts";
import type { RequestEditor } from "../proxy/forward.ts";
import type { MediaGate } from "../proxy/media-gate.ts";
import type { OwnContacts } from "../proxy/own-contacts.ts";
import type { ResponseEditor } from "../proxy/own-routes.ts";
import { OwnRoutes } from "../proxy/own-routes.ts";
import type { ProxyRules } from "../proxy/proxy.ts";
import { StatefulProxy } from "../proxy/proxy.ts";
import { Sender } from "../proxy/sender.ts";
import { StatelessProxy } from "../proxy/stateless.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Answers } from "./answers.ts";

export interface MediaEditor {
  /** Returns the bytes of the body as it leaves. */
  editResponse(edits: Edits, response: SipMessage): number;
}

export interface ForwardingParts {
  readonly dice: Dice;
  readonly metrics: Metrics;
  readonly transports: Transports;
  readonly layer: TransactionLayer;
  readonly domains: Domains;
  readonly store: LocationStore;
  readonly edits: Edits;
  readonly tokens: RouteTokens;
  readonly answers: Answers;
  readonly trunks: Trunks;
  readonly deadTargets: DeadTargets;
  readonly locator: Locator;
  readonly directory: Directory;
  readonly keeper: FlowKeeper;
  readonly observers: readonly CallObserver[];
  /** Sees what is sent without a transaction. */
  readonly tap: MessageTap;
  readonly isTrusted: (address: string) => boolean;
  readonly isPeer: (flow: Flow) => boolean;
  /** The header lines that name an account as callee to the peer on this flow. */
  readonly peerLines: (flow: Flow, account: string) => readonly string[];
  /** Edits the session descriptions of calls whose media is relayed. */
  readonly relay: RequestEditor & MediaEditor;
  /** Asked before they leave, where that takes time; null: it takes none. */
  readonly gate: MediaGate | null;
  readonly sessionTimers: SessionTimers;
  readonly contacts: OwnContacts;
  readonly rules: ProxyRules;
}

export function makeForwarding(parts: ForwardingParts): {
  readonly proxy: StatefulProxy;
  readonly stateless: StatelessProxy;
} {
  const { transports, tokens, keeper, answers, relay, sessionTimers, contacts } = parts;
  const routes = new OwnRoutes(tokens, transports);
  const { isTrusted, isPeer, peerLines, domains } = parts;
  const trust: Trust = { isTrusted, isPeer, peerLines, domain: () => domains.canonical };
  const editor: ResponseEditor = {
    editResponse(edits, response, source, from) {
      routes.rename(edits, response, source);
      contacts.editResponse(edits, response, from);
      editCallee(edits, response, source, from, trust);
      sessionTimers.editResponse(edits, response);
      return relay.editResponse(edits, response);
    },
  };
  const requestEditor: RequestEditor = {
    editRequest(edits, forwarding, copy) {
      contacts.editRequest(edits, forwarding);
      sessionTimers.editRequest(edits, forwarding.request);
      return relay.editRequest(edits, forwarding, copy);
    },
  };
  const sender = new Sender({ ...parts, requestEditor, isLost: (flowId) => keeper.isLost(flowId) });
  const proxy = new StatefulProxy({
    ...parts,
    sender,
    editor,
    askPort: (address, port, refused) => transports.askPort(address, port, refused),
    refuse: (transaction, refusal) => answers.refuse(transaction, refusal),
  });
  return { proxy, stateless: new StatelessProxy({ ...parts, sender, editor }) };
}
