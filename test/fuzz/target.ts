// What a target of the fuzzing is, and how one is played: inputs one after another, each judged, the first that fails made
// small. Owns the counting; knows nothing of what is fuzzed.
import fc from 'fast-check';

/** How many of the pieces of one input were taken, and how many turned away in the documented way. */
export interface Taken {
  readonly accepted: number;
  readonly refused: number;
}
export const accepted: Taken = { accepted: 1, refused: 0 };
export const refused: Taken = { accepted: 0, refused: 1 };
export const takenIf = (isAccepted: boolean): Taken => (isAccepted ? accepted : refused);

/** The server's fault, not the caller's: a status above 499 that is not documented. */
export class ServerFault extends Error {}
/** No answer in time. */
export class Hang extends Error {}

export interface Opened<T> {
  readonly input: fc.Arbitrary<T>;
  /** Throws, or rejects, when the input does what none may do. */
  run(input: T): Taken | Promise<Taken>;
  /** Afterwards: what is fuzzed must still work. */
  stillWorks?(): Promise<void>;
  close?(): Promise<void>;
}

interface Definition<T> {
  readonly name: string;
  /** One line for the table in the documents. */
  readonly what: string;
  /** `live`: on real sockets, with its share of the inputs; `pure`: whatever is left, at thousands a second. */
  readonly kind: 'live' | 'pure';
  /** Pieces that one input is made of, on the average and rather too few. */
  readonly piecesPerInput?: number;
  /** An input that takes longer hangs. */
  readonly deadlineMs: number;
  open(): Promise<Opened<T>>;
}

export interface PlayOptions {
  /** So many pieces at least. */
  readonly pieces: number;
  readonly seed: number;
  /** Of a counterexample: play this one alone. */
  readonly path?: string | undefined;
  /** Told before each input: whoever watches from outside knows then where it stands. */
  readonly onInput?: ((n: number) => void) | undefined;
}

export interface Failure {
  readonly kind: 'crash' | 'hang' | 'server fault' | 'one-sided';
  readonly message: string;
  /** The smallest input found that fails; null when it was not one input. */
  readonly counterexample: string | null;
  readonly path: string | null;
}

export interface Played {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly crashes: number;
  readonly hangs: number;
  readonly serverFaults: number;
  readonly slowestMs: number;
  readonly tookMs: number;
  readonly failure: Failure | null;
}

export interface Target extends Omit<Definition<never>, 'open'> {
  play(options: PlayOptions): Promise<Played>;
}

export const defineTarget = <T>(definition: Definition<T>): Target => ({
  ...definition,
  play: (options) => play(definition, options),
});

/** Making it small is worth so much time; after that, what was found is reported as it is. */
const shrinkForMs = 30_000;
const maxShownChars = 4_000;

async function play<T>(definition: Definition<T>, options: PlayOptions): Promise<Played> {
  const { seed, path } = options;
  const startedAt = performance.now();
  const meter = new Meter(definition, options.onInput);
  const stray = strayErrors();
  let failure: Failure | null = null;
  try {
    const opened = await definition.open();
    try {
      const property = fc.asyncProperty(opened.input, (value) =>
        meter.measure(async () => {
          const taken = await opened.run(value);
          stray.check();
          return taken;
        }),
      );
      const numRuns = Math.ceil(options.pieces / (definition.piecesPerInput ?? 1));
      const details = await fc.check(property, { seed, numRuns, ...(path === undefined ? {} : { path }) });
      failure = failureOf(meter, details);
      if (!failure) {
        await opened.stillWorks?.();
        if (path === undefined) failure = oneSided(meter);
      }
    } finally {
      await opened.close?.();
    }
    stray.check();
  } catch (error) {
    failure ??= { kind: meter.note(error), message: told(error), counterexample: null, path: null };
  } finally {
    stray.stop();
  }
  return {
    target: definition.name,
    seed,
    ...meter.counts,
    tookMs: Math.round(performance.now() - startedAt),
    failure,
  };
}

type Limits = Pick<Definition<never>, 'deadlineMs'>;

class Meter {
  readonly counts = {
    inputs: 0,
    accepted: 0,
    refused: 0,
    crashes: 0,
    hangs: 0,
    serverFaults: 0,
    slowestMs: 0,
  };
  firstError: unknown;
  readonly #definition: Limits;
  readonly #onInput: ((n: number) => void) | undefined;
  #runs = 0;
  #failedAt: number | undefined;

  constructor(definition: Limits, onInput: ((n: number) => void) | undefined) {
    this.#definition = definition;
    this.#onInput = onInput;
  }

  async measure(run: () => Promise<Taken>): Promise<void> {
    const isShrinking = this.#failedAt !== undefined;
    const startedAt = performance.now();
    if (isShrinking && startedAt - (this.#failedAt ?? 0) > shrinkForMs) return;
    this.#onInput?.(this.#runs++);
    try {
      const { deadlineMs } = this.#definition;
      const taken = await within(deadlineMs, run());
      const tookMs = performance.now() - startedAt;
      if (tookMs > deadlineMs) throw new Hang(`took ${Math.round(tookMs)} ms`);
      if (isShrinking) return;
      this.counts.slowestMs = Math.max(this.counts.slowestMs, Math.round(tookMs * 10) / 10);
      this.counts.accepted += taken.accepted;
      this.counts.refused += taken.refused;
      this.counts.inputs += taken.accepted + taken.refused;
    } catch (error) {
      if (!isShrinking) {
        this.#failedAt = performance.now();
        this.counts.inputs += 1;
        this.note(error);
      }
      this.firstError ??= error;
      throw error;
    }
  }

  note(error: unknown): Failure['kind'] {
    if (error instanceof Hang) {
      this.counts.hangs += 1;
      return 'hang';
    }
    if (error instanceof ServerFault) {
      this.counts.serverFaults += 1;
      return 'server fault';
    }
    this.counts.crashes += 1;
    return 'crash';
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let cancel: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = setTimeout(() => reject(new Hang(`not done within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(cancel);
  }
}

/** What is thrown behind everybody's back would end the daemon: it counts against the input that was being played. */
function strayErrors() {
  const found: unknown[] = [];
  const take = (error: unknown) => void found.push(error);
  process.on('uncaughtException', take);
  process.on('unhandledRejection', take);
  return {
    check() {
      if (found.length > 0)
        throw new Error('an error that nobody caught', { cause: found.splice(0, found.length)[0] });
    },
    stop() {
      process.off('uncaughtException', take);
      process.off('unhandledRejection', take);
    },
  };
}

function failureOf<T>(meter: Meter, details: fc.RunDetails<[T]>): Failure | null {
  if (!details.failed) return null;
  const error = details.errorInstance ?? meter.firstError;
  const kind = error instanceof Hang ? 'hang' : error instanceof ServerFault ? 'server fault' : 'crash';
  const text = details.counterexample === null ? null : fc.stringify(details.counterexample[0]);
  const counterexample = text?.slice(0, maxShownChars) ?? null;
  return { kind, message: told(error), counterexample, path: details.counterexamplePath };
}

/** A generator whose inputs all fare alike tests nothing but the door. */
function oneSided({ counts }: Meter): Failure | null {
  if (counts.accepted > 0 && counts.refused > 0) return null;
  const message = counts.accepted === 0 ? 'nothing was accepted' : 'nothing was refused';
  return { kind: 'one-sided', message, counterexample: null, path: null };
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stack = error.message, cause } = error;
  const short = stack.split('\n').slice(0, 6).join('\n');
  return cause === undefined ? short : `${short}\ncaused by ${told(cause)}`;
}
