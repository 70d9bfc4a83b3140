// What a person sees: a small model of a terminal that is fed a program's output. It knows what prompts use: moving, erasing,
// the cursor's visibility, and the alternate screen. Colours are ignored. An escape sequence that it does not know throws.

// oxlint-disable-next-line no-control-regex -- these are what is looked for
const ansi = /\u001b\[(?<private>\??)(?<params>[\d;]*)(?<final>[A-Za-z])/y;

interface Page {
  /** Everything that was ever drawn; the last `rows` of them are on the screen. */
  readonly lines: string[][];
  row: number;
  col: number;
}

const emptyPage = (): Page => ({ lines: [[]], row: 0, col: 0 });

export class TerminalScreen {
  readonly #rows: number;
  readonly #columns: number;
  #main = emptyPage();
  #alternate: Page | undefined;
  #rest = '';
  /** False while the program hides it. */
  cursorShown = true;
  /** Rows that were drawn by wrapping at the right edge. */
  wrapped = 0;

  constructor({ rows, columns }: { readonly rows: number; readonly columns: number }) {
    this.#rows = rows;
    this.#columns = columns;
  }

  get alternate(): boolean {
    return this.#alternate !== undefined;
  }

  /** What is on the screen now. */
  get text(): string {
    const page = this.#page;
    return textOf(page.lines.slice(this.#top(page)));
  }

  /** The ordinary screen with all that has scrolled off it. */
  get history(): string {
    return textOf(this.#main.lines);
  }

  feed(chunk: string): void {
    const text = this.#rest + chunk;
    this.#rest = '';
    for (let at = 0; at < text.length;) {
      if (text[at] !== '\u001b') {
        const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
        this.#put(character);
        at += character.length;
        continue;
      }
      ansi.lastIndex = at;
      const found = ansi.exec(text);
      if (!found) {
        if (text.length - at > 16)
          throw new Error(`unknown escape: ${JSON.stringify(text.slice(at, at + 16))}`);
        this.#rest = text.slice(at);
        return;
      }
      this.#control(
        found.groups?.['private'] === '?',
        found.groups?.['params'] ?? '',
        found.groups?.['final'] ?? '',
      );
      at += found[0].length;
    }
  }

  get #page(): Page {
    return this.#alternate ?? this.#main;
  }

  #top(page: Page): number {
    return Math.max(0, page.lines.length - this.#rows);
  }

  #line(): string[] {
    const page = this.#page;
    while (page.lines.length <= page.row) page.lines.push([]);
    return page.lines[page.row] ?? [];
  }

  #put(character: string): void {
    const page = this.#page;
    if (character === '\n') page.row += 1;
    else if (character === '\r') page.col = 0;
    else if (character === '\b') page.col = Math.max(0, page.col - 1);
    else if (character >= ' ') {
      if (page.col >= this.#columns) {
        this.wrapped += 1;
        page.row += 1;
        page.col = 0;
      }
      const line = this.#line();
      while (line.length < page.col) line.push(' ');
      line[page.col] = character;
      page.col += 1;
    }
    this.#line();
  }

  #control(isPrivate: boolean, params: string, final: string): void {
    if (isPrivate) return this.#mode(params, final === 'h');
    const page = this.#page;
    const [first = 0, second = 0] = params.split(';').map(Number);
    const n = Math.max(1, first);
    const top = this.#top(page);
    const moves: Readonly<Record<string, () => void>> = {
      A: () => (page.row = Math.max(top, page.row - n)),
      B: () => (page.row = Math.min(top + this.#rows - 1, page.row + n)),
      C: () => (page.col = Math.min(this.#columns - 1, page.col + n)),
      D: () => (page.col = Math.max(0, page.col - n)),
      G: () => (page.col = n - 1),
      H: () => {
        page.row = top + n - 1;
        page.col = Math.max(1, second) - 1;
      },
      J: () => this.#eraseDown(page, first, top),
      K: () => this.#eraseLine(page, first),
      m: () => undefined,
    };
    const move = moves[final];
    if (!move) throw new Error(`unknown control: ESC [ ${params} ${final}`);
    move();
    this.#line();
  }

  #mode(params: string, on: boolean): void {
    if (params === '25') this.cursorShown = on;
    else if (params === '1049') this.#alternate = on ? emptyPage() : undefined;
  }

  #eraseDown(page: Page, kind: number, top: number): void {
    if (kind === 2) for (let row = top; row < page.lines.length; row += 1) page.lines[row] = [];
    else {
      this.#line().splice(page.col);
      page.lines.splice(page.row + 1);
    }
  }

  #eraseLine(page: Page, kind: number): void {
    if (kind === 0) this.#line().splice(page.col);
    else if (kind === 2) page.lines[page.row] = [];
    else for (let col = 0; col <= page.col; col += 1) this.#line()[col] = ' ';
  }
}

const textOf = (lines: readonly string[][]): string =>
  lines
    .map((line) =>
      line
        .map((cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    )
    .join('\n');
