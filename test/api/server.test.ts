import { afterEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { createApi } from "../../src/api/api.ts";
import type { ApiServer } from "../../src/api/server.ts";
import { serveApi } from "../../src/api/server.ts";
import { FakeSources, GUARDED, LOOPBACK, openApi, TOKEN } from "./fixture.ts";

const running: ApiServer[] = [];

function served(rules = LOOPBACK): ApiServer {
  const server = serveApi(createApi(new FakeSources(), rules), "127.0.0.1", 0);
  if ("code" in server) throw new Error(server.message);
  running.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

const urlOf = (server: ApiServer, path: string) => `http://127.0.0.1:${server.port}${path}`;

/** What the server says to raw bytes, up to its end of the connection or the end of one answer. */
function raw(server: ApiServer, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(request));
    let answer = "";
    socket.on("data", (bytes) => {
      answer += bytes;
      if (/\r\n\r\n[\s\S]*\n$/.test(answer) || answer.includes("}")) socket.destroy();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

describe("over a real socket", () => {
  test("answers", async () => {
    const response = await fetch(urlOf(served(), "/v1/status"));
    expect(response.status).toBe(200);
    expect(((await response.json()) as { version: string }).version).toBe("1.2.3");
  });

  test("on IPv6 too", async () => {
    const server = serveApi(openApi(new FakeSources()), "::1", 0);
    if ("code" in server) throw new Error(server.message);
    running.push(server);
    expect((await fetch(`http://[::1]:${server.port}/readyz`)).status).toBe(200);
  });

  test("a rebound name is refused", async () => {
    const answer = await raw(served(), "GET /v1/users HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    expect(answer).toStartWith("HTTP/1.1 421");
  });

  test("two Host headers do not slip through", async () => {
    const hosts = "Host: evil.example\r\nHost: 127.0.0.1\r\n";
    const answer = await raw(served(), `GET /v1/users HTTP/1.1\r\n${hosts}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4(00|21)/);
  });

  test("HTTP/1.0 without Host, as old load balancers ask", async () => {
    const answer = await raw(served(), "GET /healthz HTTP/1.0\r\n\r\n");
    expect(answer).toStartWith("HTTP/1.1 200");
    expect(answer).toEndWith("ok\n");
  });

  test("a large body is refused", async () => {
    const response = await fetch(urlOf(served(), "/v1/status"), {
      method: "POST",
      body: "x".repeat(100_000),
    });
    expect(response.status).toBe(413);
  });

  test("after use() another token counts", async () => {
    const server = served();
    expect((await fetch(urlOf(server, "/v1/status"))).status).toBe(200);
    server.use(createApi(new FakeSources(), GUARDED));
    expect((await fetch(urlOf(server, "/v1/status"))).status).toBe(401);
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await fetch(urlOf(server, "/v1/status"), { headers })).status).toBe(200);
  });

  test("stop() closes the socket", async () => {
    const server = served();
    await fetch(urlOf(server, "/healthz"));
    await server.stop();
    await expect(fetch(urlOf(server, "/healthz"))).rejects.toThrow();
  });
});

describe("what cannot be listened on is told, not thrown", () => {
  const app = openApi(new FakeSources());

  test("a port in use", () => {
    const { port } = served();
    expect(serveApi(app, "127.0.0.1", port)).toEqual({
      code: "port_in_use",
      message: `HTTP cannot listen on 127.0.0.1:${port}: something else listens there; is another sipedge running? Else set http.port`,
    });
  });

  test("an address of another machine", () => {
    expect(serveApi(app, "192.0.2.1", 0)).toMatchObject({ code: "address_not_here" });
  });

  test("a port that is none", () => {
    expect(serveApi(app, "127.0.0.1", 70_000)).toMatchObject({ code: "failed" });
  });
});
