/** The API's own socket: HTTP on one address and port. */
import { hostPort } from "../base/flow.ts";
import type { Caller } from "./access.ts";
import { CHANGE_BYTES_MAX } from "./body.ts";
import { failureResponse } from "./failure.ts";

/** Answers requests: what `createApi` gives. */
export interface Answering {
  fetch(request: Request, caller: Caller): Response | Promise<Response>;
}

export interface ApiServer {
  readonly address: string;
  /** The bound port: the one asked for, or the one the system chose for 0. */
  readonly port: number;
  /** From now on `app` answers: after a reload with another token. */
  use(app: Answering): void;
  /** Closes the socket and every connection. */
  stop(): Promise<void>;
}

export interface ListenFailure {
  readonly code: "port_in_use" | "address_not_here" | "not_permitted" | "failed";
  /** One sentence for the operator. */
  readonly message: string;
}

/** A connection on which nothing moves for so long is closed. */
const IDLE_S = 30;

/** Listens and answers with `app`, or says why it cannot. */
export function serveApi(app: Answering, address: string, port: number): ApiServer | ListenFailure {
  let answering = app;
  try {
    const server = Bun.serve({
      hostname: address,
      port,
      development: false, // its error pages would show source code
      reusePort: false, // without development it is on, and two processes would share the port unseen
      idleTimeout: IDLE_S,
      maxRequestBodySize: CHANGE_BYTES_MAX, // the API itself allows less where no body is wanted
      fetch: (request, socket) =>
        answering.fetch(withHost(request), { address: socket.requestIP(request)?.address ?? null }),
      error: () =>
        failureResponse({ status: 500, error: "internal", message: "This is a mistake in sipedge" }),
    });
    return {
      address,
      port: server.port ?? port,
      use(next) {
        answering = next;
      },
      stop: () => server.stop(true),
    };
  } catch (error) {
    return listenFailure(error, hostPort(address, port));
  }
}

/** A request without Host (HTTP/1.0) comes with a bare path for its URL, which no router can read. */
function withHost(request: Request): Request {
  return request.url.startsWith("/") ? new Request(`http://localhost${request.url}`, request) : request;
}

const CAUSES: Readonly<Record<string, ListenFailure>> = {
  EADDRINUSE: {
    code: "port_in_use",
    message: "something else listens there; is another sipedge running? Else set http.port",
  },
  EADDRNOTAVAIL: {
    code: "address_not_here",
    message: "this machine has no such address; set http.address to one of its own",
  },
  EACCES: {
    code: "not_permitted",
    message: "the system does not allow it; ports below 1024 need a privilege, so set http.port",
  },
};

function listenFailure(error: unknown, where: string): ListenFailure {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const cause = CAUSES[String(code)] ?? { code: "failed", message: String(message ?? error) };
  return { code: cause.code, message: `HTTP cannot listen on ${where}: ${cause.message}` };
}
