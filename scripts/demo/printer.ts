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
  twitch: 'yellow',
  relay: 'blue',
};
const sourceWidth = 10;
const typeWidth = 21;
/** Cursors are opaque; their ends differ. */
const cursorTail = 8;

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
    const room = columns === undefined ? undefined : Math.max(12, columns - plainWidth);
    const summary = fit(
      summarise(event, (id) => this.interestNames.get(id)),
      room,
    );
    const body = isGap ? this.paint('red', `${type} ${summary}`) : `${this.paint('bold', type)} ${summary}`;
    const mark =
      how.attempt > 1 || how.receipt === 'duplicate' ? this.paint('yellow', notes) : this.paint('dim', notes);
    this.line(`${this.#start(Date.now(), source)}${body} ${mark}`);
  }

  tally(parts: readonly (readonly [string, number | string])[]): void {
    const text = parts
      .map(([name, value]) => `${name} ${this.paint('bold', String(value))}`)
      .join(this.paint('dim', ' · '));
    this.line(`${this.paint('dim', '──')} ${text}`);
  }

  #start(at: number, source: string): string {
    const style = sourceStyles[source] ?? 'dim';
    return `${this.paint('dim', clockTime(at))}  ${this.paint(style, source.padEnd(sourceWidth))}`;
  }
}

/** Cut by code points, never through one. Wide characters may take a column more than is counted. */
function fit(text: string, room: number | undefined): string {
  if (room === undefined) return text;
  const points = [...text];
  if (points.length <= room) return text.padEnd(text.length + room - points.length);
  return `${points.slice(0, room - 1).join('')}…`;
}
