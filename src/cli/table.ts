// Rows as a table that fits the terminal, or one below the other where no table would. Pure.
import { fit, pad, printable, widthOf, type Style } from './style.ts';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** How a cell is painted, after it was cut and padded. */
  readonly paint?: (text: string, row: T, style: Style) => string;
  /** Never cut: ids and whatever else is copied from here. */
  readonly whole?: boolean;
}

const gap = '  ';
/** A column that is narrower says nothing any more. */
const minCells = 6;

/** `width`: cells of a line; undefined when nothing has to fit. Ends with a newline. */
export function renderTable<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  { width, style }: { readonly width: number | undefined; readonly style: Style },
): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const natural = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...cells.map((row) => widthOf(row[at] ?? ''))),
  );
  const widths =
    width === undefined ? natural : shrink(columns, natural, width - gap.length * (columns.length - 1));
  if (!widths) return renderBlocks(columns, rows, style);
  const line = (texts: readonly string[]) => texts.join(gap).trimEnd();
  const sized = (text: string, at: number) => pad(fit(text, widths[at] ?? 0), widths[at] ?? 0);
  const head = style.bold(line(columns.map((column, at) => sized(column.title, at))));
  const body = rows.map((row, index) =>
    line(
      columns.map((column, at) => {
        const text = sized(cells[index]?.[at] ?? '', at);
        return column.paint ? column.paint(text, row, style) : text;
      }),
    ),
  );
  return `${[head, ...body].join('\n')}\n`;
}

/** Takes from the widest column that may be cut until the line fits; undefined when it cannot. */
function shrink<T>(
  columns: readonly Column<T>[],
  natural: readonly number[],
  room: number,
): readonly number[] | undefined {
  const widths = [...natural];
  for (let over = sum(widths) - room; over > 0; over -= 1) {
    let widest = -1;
    for (const [at, column] of columns.entries()) {
      const size = widths[at] ?? 0;
      if (column.whole !== true && size > minCells && size > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) return undefined;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

/** One thing below the other, a line per member; nothing is cut. */
export function renderBlocks<T>(columns: readonly Column<T>[], rows: readonly T[], style: Style): string {
  const label = Math.max(...columns.map((column) => widthOf(column.title)));
  const block = (row: T) =>
    columns
      .map((column) => {
        const text = printable(column.value(row));
        const painted = column.paint ? column.paint(text, row, style) : text;
        return `${style.bold(pad(column.title, label))}${gap}${painted}`.trimEnd();
      })
      .join('\n');
  return `${rows.map(block).join('\n\n')}\n`;
}
