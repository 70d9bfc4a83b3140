// What a command says: answers on stdout, everything else on stderr. With --json stdout holds JSON and nothing else.
import type { CliIo } from './io.ts';
import { printable, styleFor, type Style } from './style.ts';
import { renderBlocks, renderTable, type Column } from './table.ts';

export interface Out {
  readonly json: boolean;
  /** For stdout. */
  readonly style: Style;
  /** For stderr. */
  readonly noteStyle: Style;
  /** The one document of --json, or one of its lines. */
  document(value: unknown): Promise<void>;
  record(value: unknown): Promise<void>;
  /** Plain text: what could redraw a terminal is shown, not sent. */
  line(text?: string): Promise<void>;
  /** A line that holds paint; whoever made it has made the rest of it safe. */
  painted(text: string): Promise<void>;
  table<T>(columns: readonly Column<T>[], rows: readonly T[]): Promise<void>;
  /** A few things with all they have. */
  details<T>(columns: readonly Column<T>[], rows: readonly T[]): Promise<void>;
  /** On stderr: what is worth knowing and no part of the answer. */
  note(text: string): Promise<void>;
  /** On stderr, marked: what must not be overlooked. */
  warn(text: string): Promise<void>;
}

export function createOut(io: Pick<CliIo, 'stdout' | 'stderr' | 'env'>, json: boolean): Out {
  const { stdout, stderr } = io;
  const style = styleFor(stdout, io.env);
  const noteStyle = styleFor(stderr, io.env);
  const width = stdout.isTTY ? stdout.columns : undefined;
  return {
    json,
    style,
    noteStyle,
    document: (value) => stdout.write(`${jsonText(value, stdout.isTTY ? 2 : 0)}\n`),
    record: (value) => stdout.write(`${jsonText(value)}\n`),
    line: (text = '') => stdout.write(`${printable(text)}\n`),
    painted: (text) => stdout.write(`${text}\n`),
    table: (columns, rows) => stdout.write(renderTable(columns, rows, { width, style })),
    details: (columns, rows) => stdout.write(renderBlocks(columns, rows, style)),
    note: (text) => stderr.write(`${noteStyle.dim(printable(text))}\n`),
    warn: (text) => stderr.write(`${noteStyle.yellow('!')} ${printable(text)}\n`),
  };
}

/** JSON escapes by itself only what is below a space. The rest could redraw a terminal, and U+2028 ends a line for some. */
const jsonText = (value: unknown, indent = 0): string =>
  JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** One line about a failure and one about what to do. */
export async function tellFailure(
  io: Pick<CliIo, 'stderr' | 'env'>,
  failure: { readonly message: string; readonly fix: string | undefined },
): Promise<void> {
  const style = styleFor(io.stderr, io.env);
  const fix = failure.fix === undefined ? '' : `  ${printable(failure.fix)}\n`;
  await io.stderr.write(`${style.red('✗')} ${printable(failure.message)}\n${fix}`);
}
