// The console's dealings with a terminal, without one: waits and who may leave them, the screen of a secret, and every way
// in which the whole of it ends.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runConsole } from '../../src/cli/console/index.ts';
import { Keyboard } from '../../src/cli/console/keyboard.ts';
import { Back, Leave } from '../../src/cli/console/leave.ts';
import { Ui } from '../../src/cli/console/ui.ts';
import type { CliIo, Output } from '../../src/cli/io.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { TerminalScreen } from '../support/terminal-screen.ts';
import { until } from '../support/until.ts';

const esc = '\u001b';
const ctrlC = '\u0003';

class Rig implements Disposable {
  readonly clock = new ShiftClock();
  readonly modes: boolean[] = [];
  readonly input = Object.assign(new PassThrough(), {
    setRawMode: (on: boolean) => void this.modes.push(on),
  });
  readonly screen = new TerminalScreen({ rows: 30, columns: 70 });
  readonly leaving = new AbortController();
  readonly fetched: string[] = [];
  raw = '';
  readonly stdout: Output = {
    isTTY: true,
    columns: 70,
    write: (text) => {
      this.raw += text;
      // A terminal turns a newline into both.
      this.screen.feed(text.replaceAll('\n', '\r\n'));
      return Promise.resolve();
    },
    stream: new PassThrough(),
  };
  #keyboard: Keyboard | undefined;

  get io(): CliIo {
    return {
      stdout: this.stdout,
      stderr: this.stdout,
      stdin: { isTTY: true, text: () => Promise.resolve(''), stream: this.input },
      env: {},
      cwd: '/',
      fetch: (input) => {
        this.fetched.push(input instanceof Request ? input.url : input.toString());
        return Promise.reject(new TypeError('fetch failed'));
      },
      clock: this.clock,
      signal: this.leaving.signal,
      version: '0',
      serve: () => Promise.resolve(0),
      console: runConsole,
    };
  }

  ui(): Ui {
    this.#keyboard = new Keyboard(this.input, this.clock);
    return new Ui(this.io, this.#keyboard, this.leaving.signal);
  }

  /** The whole console, against a relay that is not there. */
  run(): Promise<number> {
    const connection = { url: 'http://relay.invalid', adminKey: 'key', service: undefined };
    return runConsole({ io: this.io, connection });
  }

  sees(text: string): Promise<unknown> {
    return until(() => this.screen.text.includes(text), { what: `"${text}" on\n${this.screen.text}` });
  }

  [Symbol.dispose](): void {
    this.#keyboard?.[Symbol.dispose]();
  }
}

/** Settles only when the signal does. */
const forever = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

describe('waiting', () => {
  it('shows progress after a second, and clears it', async () => {
    using rig = new Rig();
    const ui = rig.ui();
    const { promise, resolve } = deferred<string>();
    const waiting = ui.look('Looking', () => promise);
    await rig.clock.advance(900);
    expect(rig.screen.text).toBe('');
    await rig.clock.advance(1_300);
    await rig.sees('Looking · Esc: back (2 s)');
    resolve('found');
    expect(await waiting).toBe('found');
    expect(rig.screen.text).toBe('');
    expect(rig.clock.pending).toBe(0);
  });

  it.each([
    ['Esc', esc, 'escape'],
    ['Ctrl-C', ctrlC, 'interrupt'],
  ])('for something is left with %s, whatever the work makes of it', async (_name, pressed, key) => {
    using rig = new Rig();
    let heard = false;
    const ended = rig.ui().look('Looking', (signal) => {
      signal.addEventListener('abort', () => (heard = true));
      return new Promise(() => undefined);
    });
    rig.input.write(pressed);
    const error: unknown = await ended.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Back);
    expect(error).toMatchObject({ key });
    expect(heard).toBe(true);
  });

  it('for a change is not left by a key, but by the end of the process', async () => {
    using rig = new Rig();
    const ended = rig.ui().change('Changing', forever);
    let settled = false;
    const outcome = ended.catch((reason: unknown) => reason).finally(() => (settled = true));
    rig.input.write(ctrlC);
    await until(() => rig.input.readableLength === 0);
    await rig.clock.advance(2_000);
    expect(settled).toBe(false);
    rig.leaving.abort(new Leave());
    expect(await outcome).toBeInstanceOf(Leave);
  });

  it('for a key ends with any of them', async () => {
    using rig = new Rig();
    const ui = rig.ui();
    const ended = ui.untilKey(forever);
    rig.input.write('x');
    await ended;
    await expect(ui.untilKey(() => Promise.reject(new Error('its own')))).rejects.toThrow('its own');
  });
});

describe('a secret', () => {
  const secret = { title: 'New secret', fields: [['client_secret', 'hunter2']] as const, note: 'Once.' };

  it('is off the screen and out of its history after Enter, and no other key leaves it', async () => {
    using rig = new Rig();
    const shown = rig.ui().secret(secret);
    await rig.sees('hunter2');
    expect(rig.screen.alternate).toBe(true);
    rig.input.write(`q${ctrlC}`);
    await rig.sees('Only Enter leaves this screen');
    expect(rig.screen.text).toContain('hunter2');
    rig.input.write('\r');
    await shown;
    expect(rig.screen.alternate).toBe(false);
    expect(rig.screen.history).not.toContain('hunter2');
  });

  it('is wiped on a terminal that has no other screen, and when the process ends', async () => {
    using rig = new Rig();
    const shown = rig.ui().secret(secret);
    await rig.sees('hunter2');
    const drawn = rig.raw;
    rig.leaving.abort(new Leave());
    await expect(shown).rejects.toBeInstanceOf(Leave);
    const old = new TerminalScreen({ rows: 30, columns: 70 });
    const noSwitch = (text: string) => text.replaceAll(`${esc}[?1049h`, '').replaceAll(`${esc}[?1049l`, '');
    old.feed(noSwitch(drawn).replaceAll('\n', '\r\n'));
    expect(old.history).toContain('hunter2');
    old.feed(noSwitch(rig.raw.slice(drawn.length)));
    expect(old.history).not.toContain('hunter2');
  });
});

describe('the whole of it', () => {
  const endings = [
    ['Ctrl-C at the top', (rig: Rig) => rig.input.write(ctrlC)],
    ['a signal to the process', (rig: Rig) => rig.leaving.abort(new Error('SIGTERM'))],
    ['a terminal that is closed', (rig: Rig) => rig.input.end()],
  ] as const;

  it.each(endings)('is ended by %s with 130, the terminal as it was', async (_name, end) => {
    using rig = new Rig();
    const code = rig.run();
    await rig.sees('What now?');
    expect(rig.fetched).toHaveLength(1);
    expect(rig.screen.text).toContain('cannot be reached');
    expect(rig.screen.cursorShown).toBe(false);
    end(rig);
    expect(await code).toBe(130);
    expect(rig.modes).toEqual([true, false]);
    expect(rig.screen.cursorShown).toBe(true);
    expect(rig.clock.pending).toBe(0);
  });

  it('is not ended by Esc at the top', async () => {
    using rig = new Rig();
    const code = rig.run();
    await rig.sees('What now?');
    rig.input.write(esc);
    await rig.clock.advance(50);
    await until(() => rig.fetched.length === 2);
    await until(() => rig.raw.split('navigate').length >= 3);
    rig.input.write(ctrlC);
    expect(await code).toBe(130);
  });

  it('wants a terminal', async () => {
    using rig = new Rig();
    const io = { ...rig.io, stdin: { ...rig.io.stdin, isTTY: false } };
    const deps = { io, connection: { url: 'http://x', adminKey: undefined, service: undefined } };
    expect(await runConsole(deps)).toBe(2);
    expect(rig.raw).toContain('needs a terminal');
    expect(rig.modes).toEqual([]);
  });
});
