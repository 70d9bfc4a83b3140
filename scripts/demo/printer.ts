// What the terminal shows: one line per delivery, happenings, and a tally. It decides nothing but the looks.
import type { RelayEvent } from '../../src/client/index.ts';
import type { Receipt } from './ledger.ts';
import { clockTime, summarise } from './summary.ts';

export interface Terminal {
  write(text: string): void;
  readonly colour: boolean;
  /** Columns; undefined when it is no terminal, and then nothing is cut. */
  readonly columns: () => number | undefined;
}

const codes = { dim: 2, bold: 1, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
type Style = keyof typeof codes;

const sourceStyles: Readonly<Record<string, Style>> = {
  'relay.v1': 'cyan',
  plain: 'magenta',
  webhook: 'green',
  twitch: 'yellow',
  relay: 'blue',
};
const sourceWidth = 10;
const typeWidth = 21;
/** Cursors are opaque; their ends differ. */
const cursorTail = 6;
const tallySeparator = ' · ';
const tallyStart = '── ';
const tallyIndent = '   ';
/** What is left of 80 columns beside a raised attempt. In a narrower terminal the line wraps. */
const leastSummaryWidth = 16;

export class Printer {
  readonly #terminal: Terminal;

  /** What each interest listens to, for its events, which carry only its id. */
  readonly interestNames = new Map<string, string>();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  paint(style: Style, text: string): string {
    return this.#terminal.colour ? `\u001B[${codes[style]}m${text}\u001B[0m` : text;
  }

  line(text = ''): void {
    this.#terminal.write(`${text}\n`);
  }

  /** Something that is no delivery: a connection, a fault, a decision. */
  happening(source: string, text: string, style: Style = 'yellow'): void {
    this.line(`${this.#start(Date.now(), source)}${this.paint(style, text)}`);
  }

  delivery(source: string, event: RelayEvent, how: { attempt: number; receipt: Receipt }): void {
    const notes = [
      `…${event.cursor.slice(-cursorTail)}`,
      ...(how.attempt > 1 ? [`attempt ${how.attempt}`] : []),
      ...(how.receipt === 'duplicate' ? ['DUPLICATE'] : []),
    ].join(' ');
    const isGap = event.type === 'relay.gap';
    const type = event.type.padEnd(typeWidth);
    const plainWidth = 14 + sourceWidth + typeWidth + 1 + notes.length + 1;
    const columns = this.#terminal.columns();
    const room = columns === undefined ? undefined : Math.max(leastSummaryWidth, columns - plainWidth);
    const summary = fit(
      summarise(event, (id) => this.interestNames.get(id)),
      room,
    );
    const body = isGap ? this.paint('red', `${type} ${summary}`) : `${this.paint('bold', type)} ${summary}`;
    const mark =
      how.attempt > 1 || how.receipt === 'duplicate' ? this.paint('yellow', notes) : this.paint('dim', notes);
    this.line(`${this.#start(Date.now(), source)}${body} ${mark}`);
  }

  /** Names and numbers in a row, in as many lines as the terminal needs. */
  tally(parts: readonly (readonly [string, number | string])[]): void {
    const columns = this.#terminal.columns() ?? Number.POSITIVE_INFINITY;
    let text = '';
    let used = 0;
    for (const [name, value] of parts) {
      const width = `${name} ${value}`.length;
      const fits = used > 0 && used + tallySeparator.length + width <= columns;
      if (!fits && used > 0) text += '\n';
      text += this.paint('dim', fits ? tallySeparator : used === 0 ? tallyStart : tallyIndent);
      text += `${name} ${this.paint('bold', String(value))}`;
      used = width + (fits ? used + tallySeparator.length : tallyIndent.length);
    }
    this.line(text);
  }

  #start(at: number, source: string): string {
    const style = sourceStyles[source] ?? 'dim';
    return `${this.paint('dim', clockTime(at))}  ${this.paint(style, source.padEnd(sourceWidth))}`;
  }
}

/** Two columns wide in a terminal, near enough: pictographs and the East Asian wide blocks. */
const wide =
  /\p{Extended_Pictographic}|[\u{1100}-\u{115F}\u{2E80}-\u{A4CF}\u{AC00}-\u{D7A3}\u{F900}-\u{FAFF}\u{FF00}-\u{FF60}]/u;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Cut or padded to that many columns, never through a character. */
function fit(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  const characters = [...graphemes.segment(text)].map(({ segment }) => segment);
  let used = 0;
  let kept = '';
  for (const [index, character] of characters.entries()) {
    const width = wide.test(character) ? 2 : 1;
    const isLast = index === characters.length - 1;
    // Room for the ellipsis, unless this is all.
    if (used + width > columns - (isLast ? 0 : 1)) return `${kept}…`.padEnd(kept.length + columns - used);
    kept += character;
    used += width;
  }
  return kept.padEnd(kept.length + columns - used);
}
