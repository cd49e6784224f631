/** OPTIONS probing: thresholds, its own timeout, spread, and that nothing is left running. */
import { describe, expect, test } from "bun:test";
import type { PeerUri } from "../../src/peers/peer.ts";
import { Prober } from "../../src/peers/prober.ts";
import { BookLab, peersOf } from "./kit.ts";

const A = "sip:192.0.2.1";

/** A book whose peers answer as the test says; null: silence. */
class ProbeLab extends BookLab {
  answer: number | null = 200;
  after_ms = 20;
  readonly sent: { uri: string; at: number }[] = [];
  readonly prober: Prober;

  constructor(tables: readonly Record<string, unknown>[], seed = 1) {
    super(tables, seed);
    const { clock, dice, book } = this;
    const sendProbe = (at: PeerUri, done: (status: number | null) => void) => {
      this.sent.push({ uri: at.uri.text, at: clock.now() });
      const { answer } = this;
      if (answer !== null) clock.after(this.after_ms, () => done(answer));
    };
    this.prober = new Prober({ clock, dice, book, sendProbe });
    this.prober.configure();
  }

  /** Until one more probe has been sent and, when it is answered, its answer is there. */
  untilProbe(): void {
    const before = this.sent.length;
    for (let ms = 0; ms < 40_000 && this.sent.length === before; ms++) this.clock.advance(1);
    if (this.answer !== null) this.clock.advance(this.after_ms);
    expect(this.sent.length).toBe(before + 1);
  }

  get state(): string | undefined {
    return this.book.snapshot(1)[0]?.uris[0]?.state;
  }
}

const one = (rules = {}) => new ProbeLab([{ name: "p", uris: [A], ...rules }]);

describe("B-25 OPTIONS probing", () => {
  test("down after probe_down misses in a row: an interval and two timeouts, not Timer F", () => {
    const lab = one();
    lab.untilProbe();
    lab.answer = null;
    lab.untilProbe(); // one interval later
    lab.clock.advance(4000);
    expect([lab.state, lab.sent.length]).toEqual(["up", 2]);
    lab.clock.advance(500 + 3999);
    expect([lab.state, lab.sent.length]).toEqual(["up", 3]);
    lab.clock.advance(1);
    expect(lab.state).toBe("down");
    expect(lab.pick("p")).toBe("down");
    expect(lab.log.events).toEqual(["peer_down"]);
  });

  test("up after probe_up answers in a row; one between misses does not count", () => {
    const lab = one({ probe_up: 2, probe_down: 1 });
    lab.answer = null;
    lab.clock.advance(10_000);
    expect(lab.state).toBe("down");
    const round = (answer: number | null) => {
      lab.answer = answer;
      lab.untilProbe();
      lab.clock.advance(5000);
    };
    round(200);
    round(null);
    round(200);
    expect(lab.state).toBe("down");
    round(200);
    expect(lab.state).toBe("up");
    expect(lab.log.events).toEqual(["peer_down", "peer_up"]);
  });

  test.each([200, 302, 404, 405, 483, 500, 603])("any answer counts: %i", (status) => {
    const lab = one({ probe_down: 1 });
    lab.answer = status;
    lab.clock.advance(10_000);
    expect(lab.state).toBe("up");
    expect(lab.count("sipedge_peer_probes_total", { found: "true" })).toBe(1);
  });

  test("503 counts as none, unless probe_503_is_down = false", () => {
    const strict = one({ probe_down: 1 });
    const lax = one({ probe_down: 1, probe_503_is_down: false });
    for (const lab of [strict, lax]) {
      lab.answer = 503;
      lab.clock.advance(10_000);
    }
    expect([strict.state, lax.state]).toEqual(["down", "up"]);
  });

  test("an answer ends the time aside for silence, not the one the peer asked for", () => {
    const lab = one();
    lab.book.failed(lab.at("p"));
    expect(lab.state).toBe("aside");
    lab.clock.advance(10_000);
    expect(lab.state).toBe("up");
    lab.book.answered(lab.at("p"), 503, 300);
    lab.clock.advance(60_000);
    expect(lab.state).toBe("aside");
  });

  test("an answer after the timeout counts for nothing", () => {
    const lab = one({ probe_down: 1 });
    lab.after_ms = 4100;
    lab.clock.advance(9600);
    expect(lab.state).toBe("down");
    expect(lab.book.snapshot(1)[0]?.uris[0]?.latency_ms).toBeNull();
  });

  test("latency is measured and smoothed", () => {
    const lab = one({ probe_s: 10 });
    lab.clock.advance(5100);
    expect(lab.book.snapshot(1)[0]?.uris[0]?.latency_ms).toBe(20);
    lab.after_ms = 100;
    lab.clock.advance(11_200);
    expect(lab.book.snapshot(1)[0]?.uris[0]?.latency_ms).toBe(30);
  });

  test("what could not be sent is a miss; done in the same call, or twice, is taken once", () => {
    const lab = new BookLab([{ name: "p", uris: [A], probe_down: 3 }]);
    let probes = 0;
    const { clock, dice, book } = lab;
    const prober = new Prober({
      clock,
      dice,
      book,
      sendProbe(_, done) {
        probes++;
        done(null);
        done(null);
        done(200);
      },
    });
    prober.configure();
    for (let i = 0; i < 70 && lab.pick("p") !== "down"; i++) clock.advance(100);
    expect(probes).toBe(3);
    expect(lab.count("sipedge_peer_probes_total", { found: "false" })).toBe(3);
    prober.stop();
  });
});

describe("probes are spread", () => {
  test("first ones over five seconds, later ones with jitter, none faster than the interval allows", () => {
    const uris = Array.from({ length: 16 }, (_, i) => `sip:192.0.2.${i + 1}`);
    const lab = new ProbeLab([{ name: "p", uris }], 5);
    lab.clock.advance(5000);
    expect(lab.sent.length).toBe(16);
    const firsts = lab.sent.map(({ at }) => at);
    expect(Math.max(...firsts) - Math.min(...firsts)).toBeGreaterThan(2500);
    lab.clock.advance(600_000);
    const gaps = uris.flatMap((uri) => {
      const times = lab.sent.filter((probe) => probe.uri === uri).map(({ at }) => at);
      return times.slice(1).map((at, i) => at - times[i]!);
    });
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(27_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(33_020);
    expect(new Set(gaps.map((gap) => Math.round(gap / 100))).size).toBeGreaterThan(20);
  });
});

describe("nothing is left running", () => {
  test("no timer without a peer, or with probe_s = 0", () => {
    expect(new ProbeLab([]).clock.pending).toBe(0);
    expect(one({ probe_s: 0 }).clock.pending).toBe(0);
  });

  test("stop ends timers, also while a probe is under way; its answer counts for nothing", () => {
    const lab = one({ probe_down: 1 });
    lab.after_ms = 3000;
    lab.answer = 503;
    for (let ms = 0; ms < 5000 && lab.sent.length === 0; ms++) lab.clock.advance(1);
    lab.prober.stop();
    lab.clock.advance(60_000);
    expect([lab.clock.pending, lab.sent.length, lab.prober.size, lab.state]).toEqual([0, 1, 0, "up"]);
  });

  test("a changed configuration stops probes of what is gone and begins those of what is new", () => {
    const lab = one();
    lab.clock.advance(5000);
    lab.book.configure(peersOf({ name: "p", uris: ["sip:192.0.2.2", A] }));
    lab.prober.configure();
    expect(lab.prober.size).toBe(2);
    lab.book.configure([]);
    lab.prober.configure();
    expect([lab.prober.size, lab.clock.pending]).toEqual([0, 0]);
  });
});
