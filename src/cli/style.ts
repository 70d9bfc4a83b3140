// Colours, and making text safe and measurable for a terminal. Pure.

export type Paint = (text: string) => string;

export interface Style {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly red: Paint;
  readonly cyan: Paint;
}

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  yellow: [33, 39],
  red: [31, 39],
  cyan: [36, 39],
};

/** Colours only for a person's terminal, and not against their will (https://no-color.org). */
export function styleFor(
  output: { readonly isTTY: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Style {
  const on = output.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  const paint = ([open, close]: readonly number[]): Paint =>
    on ? (text: string) => `\u001b[${open}m${text}\u001b[${close}m` : (text: string) => text;
  return {
    bold: paint(codes.bold),
    dim: paint(codes.dim),
    green: paint(codes.green),
    yellow: paint(codes.yellow),
    red: paint(codes.red),
    cyan: paint(codes.cyan),
  };
}

/** Control characters and marks that turn the direction around could redraw the screen: they are shown, not sent. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (mark) =>
    mark === '\n' || mark === '\t' ? ' ' : `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** What a terminal gives two cells: East Asian wide forms and pictures. */
const wide =
  /^(?:[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f)/u;

const cellsOf = (grapheme: string) => (wide.test(grapheme) ? 2 : 1);

/** Cells that the text takes; it must hold no escape sequences. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += cellsOf(segment);
  return width;
}

/** At most `width` cells, the cut marked with an ellipsis. */
export function fit(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let used = 1;
  let kept = '';
  for (const { segment } of segmenter.segment(text)) {
    used += cellsOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - widthOf(text)));
