/**
 * Proof: certificates are replaced under phones that talk, several times, and nothing is dropped: no connection is
 * closed, no call fails, and whoever connects sees the certificate that is in force.
 *
 *     bun test ./test/proof/certificate-swap.proof.ts
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { Authority } from "../support/authority.ts";
import { Edge, freePort } from "../support/edge.ts";
import { eventually, missing, Program } from "../support/process.ts";
import { inCall, StreamPhone } from "../support/stream-phone.ts";

setDefaultTimeout(180_000);

const EDGE = "127.0.0.53";
const CALLEE = "127.0.0.54";
const IDLE = 50;
const CALLERS = 10;
const NEWCOMERS = 4;
const SWAPS = 3;
/** Files are looked at every ten seconds. */
const SWAP_WITHIN_MS = 15_000;
const HOLD_MS = 200;
const STORIES = join(import.meta.dir, "../interop/sipp");

describe.skipIf(missing("certificates that change under load", "sipp", "openssl"))(
  "B-14 certificates whose files change",
  () => {
    test(`${SWAPS} times under ${CALLERS} phones that call and ${2 * IDLE} that wait: nothing is dropped`, async () => {
      using authority = new Authority();
      const names = { names: [`IP:${EDGE}`] };
      const { file, key } = authority.issue("live", names);
      const [tls, wss] = [await freePort(EDGE), await freePort(EDGE)];
      const listen = (transport: string, port: number): string =>
        `[[listen]]\ntransport = "${transport}"\naddress = "${EDGE}"\nport = ${port}\n`;
      const edge = await Edge.start({
        addresses: [EDGE],
        toml:
          `${listen("tls", tls)}${listen("wss", wss)}[[certificate]]\nfile = "${file}"\nkey = "${key}"\n` +
          `[auth]\ntrusted_networks = ["127.0.0.0/8"]\n[tcp]\nconnections_per_address_max = 1000\n` +
          `first_message_s = 600\n`,
      });
      const phones: StreamPhone[] = [];
      const add = async (phone: Promise<StreamPhone>): Promise<StreamPhone> => {
        phones.push(await phone);
        return phone;
      };
      const callee = await calleeAt(edge);
      const load = new Load(edge.hostPort, () => StreamPhone.tls({ host: EDGE, port: tls }));
      try {
        for (let index = 0; index < IDLE; index++) {
          await add(StreamPhone.tls({ host: EDGE, port: tls }));
          await add(StreamPhone.webSocket(`wss://${EDGE}:${wss}/`));
        }
        for (let index = 0; index < CALLERS; index++)
          load.calls(await add(StreamPhone.tls({ host: EDGE, port: tls })));
        for (let index = 0; index < NEWCOMERS; index++)
          load.newcomers(() => StreamPhone.webSocket(`wss://${EDGE}:${wss}/`));
        for (let swap = 1; swap <= SWAPS; swap++) {
          const fresh = authority.issue(`swap${swap}`, names);
          await Bun.write(key, Bun.file(fresh.key));
          await Bun.write(file, Bun.file(fresh.file));
          await eventually(
            `certificate ${swap} to be shown`,
            async () => {
              const shown = await Promise.all([tls, wss].map((port) => shownAt(port)));
              return shown.every((name) => name === `swap${swap}`);
            },
            SWAP_WITHIN_MS,
          );
          const calls = load.made;
          await eventually(
            () => `calls after it; ${load.made} were made; ${load.faults.join("; ")}`,
            () => load.made > calls + 2 * CALLERS,
          );
        }
        await load.stop();
        process.stdout.write(
          `${load.made} calls, ${load.connected} newcomers over wss, ${SWAPS} certificates; failed: ${load.faults.length}\n`,
        );
        expect(load.faults).toEqual([]);
        expect(phones.filter(({ closed }) => closed)).toEqual([]);
        const answers = await Promise.all(
          phones.map((phone) => phone.ask(phone.request("OPTIONS", `sip:${edge.hostPort}`, "sip:x@x"))),
        );
        for (const answer of answers) expect(answer).toMatch(/^SIP\/2\.0 200 /);
        const metrics = await (await fetch(`${edge.api}/metrics`)).text();
        expect(metrics).toMatch(new RegExp(`certificate_reloads_total ${SWAPS}$`, "m"));
      } finally {
        await load.stop();
        for (const phone of phones) phone.close();
        await callee.stop();
        expect(await edge.stop()).toBe(0);
      }
    });
  },
);

/** The name in the certificate that a newcomer sees. */
async function shownAt(port: number): Promise<string> {
  const phone = await StreamPhone.tls({ host: EDGE, port });
  phone.close();
  return phone.shown;
}

/** Phones that call all the time, and browsers that come and go. */
class Load {
  made = 0;
  connected = 0;
  readonly faults: string[] = [];
  readonly #hostPort: string;
  readonly #fresh: () => Promise<StreamPhone>;
  readonly #running: Promise<void>[] = [];
  #stopped = false;

  constructor(hostPort: string, fresh: () => Promise<StreamPhone>) {
    this.#hostPort = hostPort;
    this.#fresh = fresh;
  }

  /** Over the phone's connection, and over a new one each second time. */
  calls(phone: StreamPhone): void {
    this.#repeat(async () => {
      const other = this.made % 2 === 0 ? phone : await this.#fresh();
      await this.#call(other);
      if (other !== phone) other.close();
      this.made++;
    });
  }

  newcomers(open: () => Promise<StreamPhone>): void {
    this.#repeat(async () => {
      const phone = await open();
      if (!phone.opened) throw new Error("a WebSocket was not opened");
      await phone.ask(phone.request("OPTIONS", `sip:${this.#hostPort}`, "sip:x@x"));
      phone.close();
      this.connected++;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async #call(phone: StreamPhone): Promise<void> {
    const contact = [`Contact: <${phone.contact}>`];
    const invite = phone.request("INVITE", `sip:bob@${this.#hostPort}`, "sip:ann@x", contact);
    const answer = await phone.ask(invite);
    if (!answer.startsWith("SIP/2.0 200 ")) throw new Error(answer);
    phone.send(...inCall("ACK", 1, phone, invite, answer));
    await Bun.sleep(HOLD_MS);
    const ended = await phone.ask(inCall("BYE", 2, phone, invite, answer));
    if (!ended.startsWith("SIP/2.0 200 ")) throw new Error(ended);
    phone.forget();
  }

  #repeat(job: () => Promise<void>): void {
    const run = async (): Promise<void> => {
      while (!this.#stopped) {
        await job().catch((error: unknown) => {
          this.faults.push(String(error));
          this.#stopped = true;
        });
      }
    };
    this.#running.push(run());
  }
}

/** bob, who takes every call. */
async function calleeAt(edge: Edge): Promise<Program> {
  const port = await freePort(CALLEE);
  const sipp = (story: string, ...more: string[]): Program =>
    new Program([
      ...["sipp", "-sf", join(STORIES, `${story}.xml`), "-i", CALLEE, "-p", `${port}`, "-nostdin", ...more],
    ]);
  const keys = { user: "bob", contact: `<sip:bob@${CALLEE}:${port}>`, expires: "600" };
  const words = Object.entries(keys).flatMap(([name, value]) => ["-key", name, value]);
  const register = sipp("register-openly", "-m", "1", "-timeout", "20s", ...words, edge.hostPort);
  expect(await register.ended()).toBe(0);
  return sipp("callee-is-hung-up", "-timeout", "170s");
}
