// What goes to the terminal: tables that fit, text that cannot redraw the screen, colours only where they are wanted.
import { describe, expect, it } from 'vitest';
import { duration, relative } from '../../src/cli/format.ts';
import { createOut } from '../../src/cli/output.ts';
import { withProgress } from '../../src/cli/progress.ts';
import { fit, printable, styleFor, widthOf } from '../../src/cli/style.ts';
import { renderTable, type Column } from '../../src/cli/table.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const plain = styleFor({ isTTY: false }, {});

interface Row {
  readonly id: string;
  readonly text: string;
}
const columns: readonly Column<Row>[] = [
  { title: 'ID', value: (row) => row.id, whole: true },
  { title: 'TEXT', value: (row) => row.text },
];
const rows: readonly Row[] = [
  { id: 'abc-1', text: 'short' },
  { id: 'abc-2', text: 'a rather long text that does not fit anywhere' },
];

describe('a table', () => {
  it('has every line within the width, and cuts no id', () => {
    for (const width of [200, 40, 20, 13]) {
      const lines = renderTable(columns, rows, { width, style: plain }).trimEnd().split('\n');
      expect(lines).toHaveLength(3);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
      expect(lines[2]).toContain('abc-2');
      expect(lines[2]?.endsWith('…')).toBe(width < 50);
    }
  });

  it('becomes blocks where it would say nothing', () => {
    const text = renderTable(columns, rows, { width: 8, style: plain });
    expect(text).toBe(
      `ID    abc-1\nTEXT  short\n\nID    abc-2\nTEXT  a rather long text that does not fit anywhere\n`,
    );
  });

  it('is not cut where nobody looks', () => {
    expect(renderTable(columns, rows, { width: undefined, style: plain })).toContain('fit anywhere');
  });
});

describe('text from elsewhere', () => {
  it('cannot move the cursor, colour or turn the line around', () => {
    const shown = printable('a\u001b[2Jb\u0007c\u009bd\u202ee\nf');
    expect(shown).toBe('a\\u001b[2Jb\\u0007c\\u009bd\\u202ee f');
  });

  it.each([
    ['abc', 3],
    ['äö', 2],
    ['日本', 4],
    ['👍', 2],
    ['👩‍👩‍👧', 2],
    ['e\u0301', 1],
  ])('%s takes %i cells', (text, cells) => expect(widthOf(text)).toBe(cells));

  it('is cut between characters', () => {
    expect(fit('日本語', 5)).toBe('日本…');
    expect(fit('日本語', 6)).toBe('日本語');
    expect(fit('abc', 2)).toBe('a…');
  });
});

it('paints for a terminal, and for nobody who does not want it', () => {
  expect(styleFor({ isTTY: true }, {}).red('x')).toBe('\u001b[31mx\u001b[39m');
  expect(styleFor({ isTTY: true }, { NO_COLOR: '1' }).red('x')).toBe('x');
  expect(styleFor({ isTTY: true }, { TERM: 'dumb' }).red('x')).toBe('x');
  expect(styleFor({ isTTY: false }, {}).red('x')).toBe('x');
});

it.each([
  [0, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [3_599_999, '59 min'],
  [7_200_000, '2 h'],
  [200_000_000, '2 d'],
])('%i ms is %s', (ms, text) => expect(duration(ms)).toBe(text));

it('says when something was or will be', () => {
  const now = Date.parse('2026-11-21T03:00:00Z');
  expect(relative('2026-11-21T02:00:00Z', now)).toBe('1 h ago');
  expect(relative('2026-11-21T03:05:00Z', now)).toBe('in 5 min');
  expect(relative('2026-11-21T03:00:00.400Z', now)).toBe('now');
  expect(relative(null, now)).toBe('–');
  expect(relative('soon', now)).toBe('soon');
});

const sink = (isTTY: boolean) => {
  const said: string[] = [];
  const write = (text: string) => {
    said.push(text);
    return Promise.resolve();
  };
  return { said, output: { isTTY, columns: isTTY ? 40 : undefined, write, stream: process.stdout } };
};

it('writes notes beside the answer, never into it', async () => {
  const stdout = sink(false);
  const stderr = sink(false);
  const out = createOut({ stdout: stdout.output, stderr: stderr.output, env: {} }, true);
  await out.note('a note');
  await out.warn('a warning');
  await out.document({ a: 1 });
  expect(stdout.said).toEqual(['{"a":1}\n']);
  expect(stderr.said.join('')).toBe('a note\n! a warning\n');
});

it('shows what could redraw the terminal instead of sending it', async () => {
  const stdout = sink(true);
  const stderr = sink(true);
  const out = createOut({ stdout: stdout.output, stderr: stderr.output, env: { NO_COLOR: '1' } }, false);
  const evil = 'bot\u001b]0;title\u0007';
  await out.line(`${evil} is removed.`);
  await out.note(`${evil} is there.`);
  await out.warn(`${evil} is ill.`);
  const safe = 'bot\\u001b]0;title\\u0007';
  expect(stdout.said).toEqual([`${safe} is removed.\n`]);
  expect(stderr.said).toEqual([`${safe} is there.\n`, `! ${safe} is ill.\n`]);
});

it('keeps a line of JSON one line, and free of what could redraw the terminal', async () => {
  const stdout = sink(true);
  const out = createOut({ stdout: stdout.output, stderr: sink(true).output, env: {} }, true);
  const event = { text: 'a\u2028b\u2029c\u009b2Jd\u202ee' };
  await out.record(event);
  await out.document(event);
  for (const text of stdout.said) {
    expect(text).not.toMatch(/[\u007f-\u009f\u2028-\u202e]/u);
    expect(JSON.parse(text)).toEqual(event);
  }
});

describe('progress', () => {
  it('shows a line with the time after a second, and takes it away', async () => {
    const clock = new ShiftClock();
    const stderr = sink(true);
    let finish: (value: string) => void = () => undefined;
    const work = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const done = withProgress({ stderr: stderr.output, env: {}, clock }, 'working', () => work);
    await clock.advance(900);
    expect(stderr.said).toEqual([]);
    await clock.advance(2_200);
    expect(stderr.said.at(-1)).toContain('working (3 s)');
    finish('result');
    expect(await done).toBe('result');
    expect(stderr.said.at(-1)).toBe('\r\u001b[K');
    expect(clock.pending).toBe(0);
  });

  it('is silent for what is quick, and where nobody looks', async () => {
    const clock = new ShiftClock();
    for (const isTTY of [true, false]) {
      const stderr = sink(isTTY);
      const io = { stderr: stderr.output, env: {}, clock };
      await withProgress(io, 'working', async () => {
        if (!isTTY) await clock.advance(5_000);
      });
      expect(stderr.said).toEqual([]);
    }
    expect(clock.pending).toBe(0);
  });
});
