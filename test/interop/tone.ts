/**
 * Tones as WAV files: made by sox, and found again by the Goertzel algorithm.
 */
import { readFileSync } from "node:fs";
import { Program } from "../support/process.ts";

const RATE_HZ = 8000;
const SECONDS = 60;
/** What is looked at: half a second. */
const WINDOW = RATE_HZ / 2;
const LOWEST_HZ = 200;
const HIGHEST_HZ = 3000;
const STEP_HZ = 20;

/** Writes a minute of one tone, mono, 16 bits, 8000 samples a second. */
export async function makeTone(file: string, hz: number): Promise<void> {
  const format = ["-r", String(RATE_HZ), "-c", "1", "-b", "16"];
  const sox = new Program([
    "sox",
    "-n",
    ...format,
    file,
    "synth",
    String(SECONDS),
    "sine",
    String(hz),
    "vol",
    "0.5",
  ]);
  if ((await sox.ended()) !== 0) throw new Error(`sox: ${sox.output}`);
}

export interface Heard {
  readonly seconds: number;
  /** The strongest tone; null when it is silent or no tone stands out. */
  readonly hz: number | null;
}

/** Measures the middle of a recording of 8000 samples a second, mono, 16 bits. */
export function measureTone(file: string): Heard {
  const samples = samplesOf(readFileSync(file));
  return measure(samples, Math.max(0, Math.floor((samples.length - WINDOW) / 2)));
}

/** Measures its end, while it still grows. */
export function measureLatest(file: string): Heard {
  const samples = samplesOf(readFileSync(file));
  return measure(samples, Math.max(0, samples.length - WINDOW));
}

function measure(samples: Int16Array, from: number): Heard {
  const seconds = samples.length / RATE_HZ;
  const window = samples.subarray(from, from + WINDOW);
  let best = { hz: 0, power: 0 };
  for (let hz = LOWEST_HZ; hz <= HIGHEST_HZ; hz += STEP_HZ) {
    const power = goertzel(window, hz);
    if (power > best.power) best = { hz, power };
  }
  const total = window.reduce((sum, sample) => sum + sample * sample, 0);
  // A pure tone has all its power in one bin: |X|² = N/2 · Σx².
  const share = total === 0 ? 0 : best.power / ((window.length / 2) * total);
  return { seconds, hz: share > 0.8 ? best.hz : null };
}

/** |X(hz)|² of the window. */
function goertzel(window: Int16Array, hz: number): number {
  const factor = 2 * Math.cos((2 * Math.PI * hz) / RATE_HZ);
  let [before, last] = [0, 0];
  for (const sample of window) [before, last] = [last, sample + factor * last - before];
  return last * last + before * before - factor * last * before;
}

/** The samples of a WAV file's data chunk; its length field may be wrong when it was not closed. */
function samplesOf(wav: Buffer): Int16Array {
  const start = wav.indexOf("data", 12, "latin1") + 8;
  if (start < 8) throw new Error("no data chunk");
  const count = Math.floor((wav.length - start) / 2);
  return Int16Array.from({ length: count }, (_, i) => wav.readInt16LE(start + 2 * i));
}
