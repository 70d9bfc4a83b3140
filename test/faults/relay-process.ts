// The relay as a child process on one port over all its lives. A spare process that has everything loaded waits for the
// next start, so that a restart costs what the relay's own start costs. Owns every process it makes.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { RelayProcess, StartOptions } from './contract.ts';
import type { FromChild, Measured, ToChild } from './relay-messages.ts';

const entry = join(import.meta.dirname, 'relay-child.ts');
const tsx = import.meta.resolve('tsx');
const startWithinMs = 30_000;
const stopWithinMs = 25_000;

type LogLine = RelayProcess['log'][number];
type Ended = number | string | null;

interface Life {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

export interface SpecialRelay {
  /** A build of `relay-child.ts`; from the sources when left out, which takes several times as long to start. */
  readonly entry?: string;
  /** For the soak: what only a measurement wants. */
  readonly nodeFlags?: readonly string[];
  /** So that the window of message ids is full before the measuring begins. */
  readonly dedupeWindowMs?: number;
}

const isAnswer = <Is extends FromChild['is']>(
  message: FromChild,
  is: Is,
): message is Extract<FromChild, { is: Is }> => message.is === is;

export class RelayChild implements RelayProcess, AsyncDisposable {
  readonly url: string;
  readonly log: LogLine[] = [];
  /** What came on stderr and was no JSON: a crash of the process itself, most likely. */
  readonly noise: string[] = [];
  readonly #env: Readonly<Record<string, string>>;
  readonly #special: SpecialRelay;
  readonly #all = new Set<Life>();
  #offsetMs = 0;
  #spare: Life | undefined;
  #life: Life | undefined;
  #ended: Promise<Ended> = Promise.resolve(null);
  #disposed = false;

  constructor(env: Readonly<Record<string, string>>, port: number, special: SpecialRelay = {}) {
    this.#special = special;
    this.#env = { ...env, PORT: String(port) };
    this.url = `http://127.0.0.1:${port}`;
    this.#spare = this.#spawn();
  }

  get pid(): number | undefined {
    return this.#life?.child.pid;
  }

  get ended(): Promise<Ended> {
    return this.#ended;
  }

  async start(options: StartOptions = {}): Promise<void> {
    if (this.#life || this.#disposed) return;
    const life = this.#spare ?? this.#spawn();
    this.#spare = undefined;
    this.#life = life;
    this.#ended = life.ended;
    void life.ended.then(() => {
      if (this.#life === life) this.#life = undefined;
    });
    await this.#ask(
      life,
      {
        do: 'start',
        env: this.#env,
        crashAt: options.crashAt,
        offsetMs: this.#offsetMs,
        dedupeWindowMs: this.#special.dedupeWindowMs,
      },
      'started',
    );
    if (!this.#disposed) this.#spare ??= this.#spawn();
  }

  async stop(): Promise<number | null> {
    const life = this.#life;
    if (!life) return null;
    life.child.kill('SIGTERM');
    const late = setTimeout(() => life.child.kill('SIGKILL'), stopWithinMs);
    const how = await life.ended;
    clearTimeout(late);
    return typeof how === 'number' ? how : null;
  }

  async kill(): Promise<void> {
    const life = this.#life;
    life?.child.kill('SIGKILL');
    await life?.ended;
  }

  async shiftClock(ms: number): Promise<void> {
    await this.#ask(this.#running(), { do: 'shift', ms }, 'shifted');
    this.#offsetMs += ms;
  }

  /** As `crashAt`, for a process that runs: counted from now. */
  async crashAt(point: string, hits: number): Promise<void> {
    await this.#ask(this.#running(), { do: 'arm', point, hits }, 'armed');
  }

  async killDatabase(): Promise<number> {
    const { count } = await this.#ask(this.#running(), { do: 'kill_database' }, 'database_killed');
    return count;
  }

  async measure(): Promise<Measured> {
    return (await this.#ask(this.#running(), { do: 'measure' }, 'measured')).measured;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const { child } of this.#all) child.kill('SIGKILL');
    await Promise.all([...this.#all].map(({ ended }) => ended));
  }

  #running(): Life {
    if (!this.#life) throw new Error('the relay does not run');
    return this.#life;
  }

  #spawn(): Life {
    const built = this.#special.entry;
    const flags = [...(this.#special.nodeFlags ?? []), '--enable-source-maps'];
    const what = built === undefined ? ['--import', tsx, entry] : [built];
    const child = spawn(process.execPath, [...flags, ...what], {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const ended = once(child, 'exit').then(([code, signal]) => (signal ?? code) as Ended);
    const life = { child, ended };
    this.#all.add(life);
    void ended.then(() => this.#all.delete(life));
    child.on('error', () => undefined);
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line));
    return life;
  }

  #keep(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.noise.push(line);
    }
  }

  /** Rejects when the process ends first, says that it failed, or says nothing in time. */
  async #ask<Is extends FromChild['is']>(
    life: Life,
    message: ToChild,
    answer: Is,
  ): Promise<Extract<FromChild, { is: Is }>> {
    const { child } = life;
    let onMessage = (_message: FromChild) => {};
    let late: NodeJS.Timeout | undefined;
    const answered = new Promise<Extract<FromChild, { is: Is }>>((resolve, reject) => {
      onMessage = (got) => {
        if (isAnswer(got, answer)) resolve(got);
        else if (got.is === 'failed') reject(new Error(`the relay could not ${message.do}: ${got.why}`));
      };
      late = setTimeout(() => reject(new Error(`the relay did not ${message.do} in time`)), startWithinMs);
    });
    const over = life.ended.then((how) => {
      throw new Error(
        `the relay ended (${String(how)}) when told to ${message.do}: ${this.noise.slice(-5).join(' ')}`,
      );
    });
    over.catch(() => undefined);
    child.on('message', onMessage);
    try {
      // A full channel or one that is gone shows as the process's end.
      child.send(message, () => undefined);
      return await Promise.race([answered, over]);
    } finally {
      clearTimeout(late);
      child.off('message', onMessage);
    }
  }
}
