/**
 * Counters and gauges by Prometheus name. A counter is a plain object with a number, so the hot path
 * pays one addition; reading them all is the status API's business.
 */

export type Labels = Readonly<Record<string, string>>;

export class Counter {
  value = 0;
  readonly labels: Labels;
  constructor(labels: Labels) {
    this.labels = labels;
  }
  inc(by = 1): void {
    this.value += by;
  }
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly samples: readonly Sample[];
}

interface Entry {
  help: string;
  type: "counter" | "gauge";
  counters: Map<string, Counter>;
  read?: () => Iterable<Sample>;
}

/** Label sets per name; a caller that would make more gets the series `{other="true"}`. */
const SERIES_MAX = 200;
const NO_LABELS: Labels = Object.freeze({});

export class Metrics {
  readonly #entries = new Map<string, Entry>();

  /** The counter of that name and those labels, made at first use. Names end in `_total`. */
  counter(name: string, help: string, labels: Labels = NO_LABELS): Counter {
    const entry = this.#entry(name, help, "counter");
    const key = JSON.stringify(labels);
    let counter = entry.counters.get(key);
    if (!counter) {
      if (entry.counters.size >= SERIES_MAX) return this.#other(entry);
      counter = new Counter(labels);
      entry.counters.set(key, counter);
    }
    return counter;
  }

  /** A value read when somebody asks. */
  gauge(name: string, help: string, read: () => number): void {
    this.gauges(name, help, () => [{ labels: NO_LABELS, value: read() }]);
  }

  /** Several values of one name, read when somebody asks. */
  gauges(name: string, help: string, read: () => Iterable<Sample>): void {
    this.#entry(name, help, "gauge").read = read;
  }

  /** Every family in order of its name. */
  collect(): Family[] {
    return [...this.#entries]
      .map(([name, entry]) => ({
        name,
        help: entry.help,
        type: entry.type,
        samples: entry.read ? [...entry.read()] : [...entry.counters.values()],
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #entry(name: string, help: string, type: "counter" | "gauge"): Entry {
    let entry = this.#entries.get(name);
    if (!entry) {
      entry = { help, type, counters: new Map() };
      this.#entries.set(name, entry);
    }
    return entry;
  }

  #other(entry: Entry): Counter {
    const key = '{"other":"true"}';
    let counter = entry.counters.get(key);
    if (!counter) {
      counter = new Counter({ other: "true" });
      entry.counters.set(key, counter);
    }
    return counter;
  }
}
