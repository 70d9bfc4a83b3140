// A program in a real pseudo-terminal, with real key presses. util-linux's `script` holds the terminal: its standard input
// is the keyboard, so no native module is needed. What the program drew is read from a model of the screen.
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { TerminalScreen } from './terminal-screen.ts';
import { until } from './until.ts';

export const key = {
  enter: '\r',
  escape: '\u001b',
  ctrlC: '\u0003',
  up: '\u001b[A',
  down: '\u001b[B',
  space: ' ',
  backspace: '\u007f',
} as const;

export interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly rows?: number;
  readonly columns?: number;
}

const quoted = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Why no terminal can be had here; undefined when one can. With REQUIRE_TERMINAL=1 that is a failure and not a reason. */
export function noTerminal(): string | undefined {
  const found = ['script', 'stty'].filter((name) => spawnSync(name, ['--version']).error === undefined);
  if (found.length === 2) return undefined;
  const reason = 'there is no "script" of util-linux on this machine: install bsdutils';
  if (process.env['REQUIRE_TERMINAL'] === '1') throw new Error(reason);
  return reason;
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`);
const listed = (above: string, choice: string) =>
  (above.split(/^\? /mu).at(-1) ?? '')
    .split('\n')
    .slice(1)
    .some((line) => line.includes(choice));
/** The program takes the place of the shell that says its id. */
const withPid = `sh -c 'echo "pid $$"; exec "$0" "$@"'`;
const gone = Symbol('gone');

/** Where the program's cursor stands in a list. */
const pointer = /^❯.*$/mu;
/** Longer lists would be walked in circles. */
const maxSteps = 60;
const readMs = 10_000;

export class Terminal implements AsyncDisposable {
  readonly screen: TerminalScreen;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<number>;
  #raw = '';
  #exit: number | undefined;
  #settings: string[] = [];

  constructor(command: readonly string[], { env = {}, cwd, rows = 40, columns = 100 }: TerminalOptions = {}) {
    this.screen = new TerminalScreen({ rows, columns });
    // The settings of the terminal before and after say whether it was left as it was found.
    const line = `stty rows ${rows} cols ${columns}; stty -g; ${withPid} ${command.map(quoted).join(' ')}; code=$?; stty -g; exit $code`;
    this.#child = spawn('script', ['-qfec', line, '/dev/null'], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
      stdio: 'pipe',
    });
    this.#child.stdout.setEncoding('utf8').on('data', (chunk: string) => this.#read(chunk));
    this.#child.stdin.on('error', () => undefined);
    this.#ended = once(this.#child, 'close').then(([code]) => (this.#exit = Number(code)));
  }

  /** Everything that was ever written, sequences and all. */
  get raw(): string {
    return this.#raw;
  }

  press(...keys: readonly string[]): void {
    this.#child.stdin.write(keys.join(''));
  }

  /** Waits until the screen shows it. */
  async sees(text: string | RegExp, timeoutMs = readMs): Promise<string> {
    const shows = () =>
      typeof text === 'string' ? this.screen.text.includes(text) : text.test(this.screen.text);
    return this.#until(() => shows() && this.screen.text, `the screen to show ${String(text)}`, timeoutMs);
  }

  async seesNot(text: string | RegExp): Promise<void> {
    const shows = () =>
      typeof text === 'string' ? this.screen.text.includes(text) : text.test(this.screen.text);
    await this.#until(() => !shows(), `the screen to show no ${String(text)}`, readMs);
  }

  /** Waits until this question is being asked: the beginning of its words. */
  async asks(question: string): Promise<void> {
    await this.sees(new RegExp(String.raw`^\? ${escaped(question)}`, 'mu'));
  }

  /** Walks with the arrow keys to the choice that has this text, without taking it. */
  async pointTo(choice: string): Promise<void> {
    for (let step = 0; step < maxSteps; step += 1) {
      const at = await this.#until(() => this.#pointed(), `a list with "${choice}"`, readMs);
      if (at.includes(choice)) return;
      const [above = ''] = this.screen.text.split(at);
      this.press(listed(above, choice) ? key.up : key.down);
      await this.#until(
        () => this.#pointed() !== at,
        `the cursor to move from "${at}" to "${choice}"`,
        readMs,
      );
    }
    throw new Error(`no choice "${choice}" on\n${this.screen.text}`);
  }

  /** Answers a list with one of its choices. */
  async choose(question: string, choice: string): Promise<void> {
    await this.asks(question);
    await this.pointTo(choice);
    await this.#answer(key.enter);
  }

  /** Answers a question by typing. */
  async answer(question: string, text: string): Promise<void> {
    await this.asks(question);
    await this.#answer(text + key.enter);
  }

  /** Presses, and waits until the question that was asked is over. */
  async leave(question: string, keys: string): Promise<void> {
    await this.asks(question);
    await this.#answer(keys);
  }

  /** The exit code. */
  async ended(): Promise<number> {
    return this.#until(
      () => this.#exit !== undefined && { code: this.#exit },
      'the program to end',
      readMs,
    ).then(({ code }) => code);
  }

  /** Of the program. */
  get pid(): number {
    return Number(/^pid (?<pid>\d+)/mu.exec(this.#raw)?.groups?.['pid']);
  }

  /** `stty -g` before and after the program. */
  get settings(): readonly string[] {
    return this.#settings;
  }

  /** Takes the terminal away, as a closed window does. */
  hangUp(): void {
    this.#child.kill('SIGHUP');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#exit === undefined) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** A question that is over shows the cursor again. */
  async #answer(keys: string): Promise<void> {
    const before = this.#over();
    this.press(keys);
    await this.#until(() => this.#over() > before, 'the question to be over', readMs);
  }

  #over(): number {
    return this.#raw.split('\u001b[?25h').length;
  }

  /** The line where the cursor of a list stands. */
  #pointed(): string | undefined {
    return pointer.exec(this.screen.text)?.[0];
  }

  /** As `until`, and fails at once when the program is gone; either failure shows the screen. */
  async #until<T>(probe: () => T, what: string, timeoutMs: number) {
    try {
      return await until(() => probe() || (this.#exit === undefined ? undefined : gone), {
        what,
        timeoutMs,
      }).then((found) => {
        if (found === gone) throw new Error(`the program ended before ${what}`);
        return found;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${this.screen.text}`);
    }
  }

  #read(chunk: string): void {
    this.#raw += chunk;
    this.screen.feed(chunk);
    this.#settings = [...this.#raw.matchAll(/[\da-f]+(?::[\da-f]+){10,}/gu)].map(([text]) => text);
  }
}
