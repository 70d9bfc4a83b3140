// The keyboard of the console: what goes to a prompt, what leads back, and that the terminal is given back as it was.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Keyboard } from '../../src/cli/console/keyboard.ts';
import { readKeys } from '../../src/cli/console/keys.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

const nothing = { text: '', back: undefined, held: '' };

describe('keys', () => {
  it.each([
    ['text', '', 'abc', { ...nothing, text: 'abc' }],
    ['an arrow in one piece', '', '\u001b[B', { ...nothing, text: '\u001b[B' }],
    ['an arrow in two pieces', '\u001b', '[B', { ...nothing, text: '\u001b[B' }],
    ['an escape that may be the key', '', '\u001b', { ...nothing, held: '\u001b' }],
    ['text before an escape', '', 'ab\u001b', { ...nothing, text: 'ab', held: '\u001b' }],
    ['two escapes: the first was the key', '\u001b', '\u001b', { ...nothing, back: 'escape' }],
    ['Ctrl-C', '', '\u0003', { ...nothing, back: 'interrupt' }],
    ['Ctrl-D, which would close a prompt', '', '\u0004', { ...nothing, back: 'interrupt' }],
    [
      'what was typed before Ctrl-C, and not after',
      '',
      'ab\u0003cd',
      { ...nothing, text: 'ab', back: 'interrupt' },
    ],
    ['Ctrl-Z and Ctrl-\\, which are not for us', '', 'a\u001ab\u001cc', { ...nothing, text: 'abc' }],
    ['a pasted secret', '', 'oauth:x\r', { ...nothing, text: 'oauth:x\r' }],
  ] as const)('%s', (_name, held, chunk, keys) => {
    expect(readKeys(held, chunk)).toEqual(keys);
  });
});

function rig() {
  const clock = new ShiftClock();
  const modes: boolean[] = [];
  const stream = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => void modes.push(on) });
  const seen: string[] = [];
  const reader = {
    text: (text: string) => void seen.push(text),
    back: (key: string) => void seen.push(`<${key}>`),
  };
  return { clock, modes, stream, seen, reader };
}

describe('the keyboard', () => {
  it('is raw while it is open, and as before afterwards', () => {
    const { clock, modes, stream } = rig();
    {
      using keyboard = new Keyboard(stream, clock);
      expect(modes).toEqual([true]);
      expect(keyboard.gone.aborted).toBe(false);
    }
    expect(modes).toEqual([true, false]);
    expect(stream.listenerCount('data')).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it('takes an escape for the key when nothing follows it', async () => {
    const { clock, stream, seen, reader } = rig();
    using keyboard = new Keyboard(stream, clock);
    keyboard.give(reader);
    stream.write('\u001b');
    await until(() => clock.pending === 1);
    expect(seen).toEqual([]);
    await clock.advance(50);
    expect(seen).toEqual(['<escape>']);
    stream.write('\u001b');
    await until(() => clock.pending === 1);
    stream.write('[A');
    await until(() => seen.length === 2);
    expect(seen).toEqual(['<escape>', '\u001b[A']);
    expect(clock.pending).toBe(0);
  });

  it('drops what is typed while nobody reads, and what a reader that is gone would get', async () => {
    const { clock, stream, seen, reader } = rig();
    using keyboard = new Keyboard(stream, clock);
    stream.write('early');
    await until(() => stream.readableLength === 0);
    const release = keyboard.give(reader);
    stream.write('now');
    await until(() => seen.length === 1);
    release();
    stream.write('late');
    await until(() => stream.readableLength === 0);
    keyboard.give(reader);
    stream.write('!');
    await until(() => seen.length === 2);
    expect(seen).toEqual(['now', '!']);
  });

  it('keeps characters of several bytes whole, and says when the terminal has gone', async () => {
    const { clock, stream, seen, reader } = rig();
    using keyboard = new Keyboard(stream, clock);
    keyboard.give(reader);
    const bytes = Buffer.from('é');
    stream.write(bytes.subarray(0, 1));
    stream.write(bytes.subarray(1));
    await until(() => seen.join('') === 'é');
    stream.end();
    await until(() => keyboard.gone.aborted);
  });
});
