// Text broken at words to the width of a terminal. Pure.
import { stripVTControlCharacters } from 'node:util';
import { widthOf } from '../style.ts';

const cells = (text: string) => widthOf(stripVTControlCharacters(text));

/** A word that is longer than a line stays whole, so that an address can still be copied. */
export function wrap(text: string, width: number, indent = ''): string[] {
  return text.split('\n').flatMap((paragraph) => wrapLine(paragraph, width, indent));
}

function wrapLine(text: string, width: number, indent: string): string[] {
  const lead = indent + (/^ */u.exec(text)?.[0] ?? '');
  const lines: string[] = [];
  let current = '';
  for (const word of text.trimStart().split(' ')) {
    const longer = current === '' ? lead + word : `${current} ${word}`;
    if (current !== '' && cells(longer) > width) {
      lines.push(current);
      current = lead + word;
    } else current = longer;
  }
  return [...lines, current];
}
