// The kinds of metric that this relay counts with: cheap to count up (no object, no hash per event), turned into
// prom-client's form when somebody reads them, and never with a label value that was not foreseen.
import { Counter, Gauge, Histogram, type Registry as PromRegistry } from 'prom-client';
import type { OpenMetricsContentType, PrometheusContentType } from 'prom-client';

export type Registry = PromRegistry<OpenMetricsContentType> | PromRegistry<PrometheusContentType>;
/** Both formats show the same instruments. */
export type Registries = readonly Registry[];

export interface Named {
  readonly name: string;
  readonly help: string;
}

const prefix = 'relay_';
/** Whatever is none of the label's known values. */
export const otherValue = 'other';

const base = (registries: Registries, { name, help }: Named) => ({
  name: `${prefix}${name}`,
  help,
  registers: [...registries],
});

export interface Tally {
  add(count?: number): void;
}

/** prom-client renames a counter while it writes OpenMetrics, so each format has one of its own over the same counts. */
function counters(
  registries: Registries,
  named: Named,
  labelNames: readonly string[],
  collect: (inc: (labels: Record<string, string>, count: number) => void) => void,
): void {
  for (const registry of registries) {
    new Counter({
      ...base([registry], named),
      labelNames: [...labelNames],
      collect() {
        this.reset();
        collect((labels, count) => this.inc(labels, count));
      },
    });
  }
}

export interface Tally {
  add(count?: number): void;
}

/** A counter without a label. Reads 0 from the start. */
export function tally(registries: Registries, named: Named): Tally {
  let total = 0;
  counters(registries, named, [], (inc) => inc({}, total));
  return { add: (count = 1) => void (total += count) };
}

export interface LabelledTally {
  add(value: string, count?: number): void;
  /** These are known from now on. */
  foresee(values: Iterable<string>): void;
}

/**
 * A counter with one label whose values are `known`; every other one is counted as `other`. All known values read 0 from
 * the start, so that the first of a kind shows as an increase.
 */
export function labelledTally(
  registries: Registries,
  named: Named,
  label: string,
  known: Iterable<string>,
): LabelledTally {
  const counts = new Map<string, { count: number }>();
  const others = { count: 0 };
  counters(registries, named, [label], (inc) => {
    for (const [value, { count }] of counts) inc({ [label]: value }, count);
    if (others.count > 0) inc({ [label]: otherValue }, others.count);
  });
  const foresee = (values: Iterable<string>): void => {
    for (const value of values) if (!counts.has(value)) counts.set(value, { count: 0 });
  };
  foresee(known);
  return {
    foresee,
    add(value, count = 1) {
      (counts.get(value) ?? others).count += count;
    },
  };
}

/** A counter with two labels, for what is rare; the same promise for each of them. */
export function crossTally(
  registries: Registries,
  named: Named,
  labels: readonly [string, string],
  known: readonly [readonly string[], readonly string[]],
): { add(first: string, second: string): void } {
  const counts = new Map<string, number>();
  for (const first of known[0]) for (const second of known[1]) counts.set(`${first} ${second}`, 0);
  counters(registries, named, labels, (inc) => {
    for (const [key, count] of counts) {
      const [first = '', second = ''] = key.split(' ');
      inc({ [labels[0]]: first, [labels[1]]: second }, count);
    }
  });
  return {
    add(first, second) {
      const one = known[0].includes(first) ? first : otherValue;
      const key = `${one} ${known[1].includes(second) ? second : otherValue}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
  };
}

/** A counter that somebody else keeps; 0 while there is none. */
export const foreignCounter = (registries: Registries, named: Named, read: () => number | undefined): void =>
  counters(registries, named, [], (inc) => inc({}, read() ?? 0));

/** A gauge that asks when it is read. Series that are no longer there disappear. */
export function gauge(
  registries: Registries,
  named: Named,
  labelNames: readonly string[],
  collect: (set: (labels: Record<string, string>, value: number) => void) => void,
): Gauge {
  return new Gauge({
    ...base(registries, named),
    labelNames: [...labelNames],
    collect() {
      this.reset();
      collect((labels, value) => this.set(labels, value));
    },
  });
}

/** A histogram that is observed seldom enough (once per commit, per request) for prom-client's own way. */
export const histogram = (registries: Registries, named: Named, buckets: number[]): Histogram =>
  new Histogram({ ...base(registries, named), buckets });

interface Bins {
  /** One per bucket and one for what is above all of them; not cumulated. */
  readonly counts: Float64Array;
  sum: number;
}

/**
 * A histogram for hot paths: one label with known values, many observations in one call, a few additions each. It writes
 * its own text, which is the same in both formats.
 */
export class WeightedHistogram {
  readonly #name: string;
  readonly #help: string;
  readonly #label: string;
  readonly #buckets: readonly number[];
  readonly #bins: ReadonlyMap<string, Bins>;

  constructor(named: Named, label: string, known: readonly string[], buckets: readonly number[]) {
    this.#name = `${prefix}${named.name}`;
    this.#help = named.help;
    this.#label = label;
    this.#buckets = buckets;
    this.#bins = new Map(
      known.map((value) => [value, { counts: new Float64Array(buckets.length + 1), sum: 0 }]),
    );
  }

  /** `count` observations of the same number of seconds; a value of the label that is not known is passed over. */
  add(value: string, seconds: number, count: number): void {
    const bins = this.#bins.get(value);
    if (!bins) return;
    let at = 0;
    while (at < this.#buckets.length && seconds > (this.#buckets[at] ?? Infinity)) at++;
    bins.counts[at] = (bins.counts[at] ?? 0) + count;
    bins.sum += seconds * count;
  }

  /** Whole lines. */
  text(): string {
    const series = [...this.#bins].flatMap(([value, bins]) =>
      this.#series(`${this.#label}="${value}"`, bins),
    );
    return [`# HELP ${this.#name} ${this.#help}`, `# TYPE ${this.#name} histogram`, ...series, ''].join('\n');
  }

  #series(label: string, bins: Bins): string[] {
    let sum = 0;
    const buckets = [...bins.counts].map((count, at) => {
      sum += count;
      return `${this.#name}_bucket{le="${this.#buckets[at] ?? '+Inf'}",${label}} ${sum}`;
    });
    return [...buckets, `${this.#name}_sum{${label}} ${bins.sum}`, `${this.#name}_count{${label}} ${sum}`];
  }
}
