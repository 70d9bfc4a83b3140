// Text becomes HTML here and nowhere else: whatever is interpolated is escaped unless it was made by `html` itself. Pure.

/** Markup that is safe to send: made by `html` only. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | Html | readonly Html[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/**
 * Controls, and the marks by which foreign text could turn around what stands beside it on the page
 * (unicode.org/reports/tr9, explicit directional formatting).
 */
// oxlint-disable-next-line no-control-regex -- controls are what it looks for
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

export const escapeHtml = (text: string): string =>
  text.replace(unprintable, '\ufffd').replace(/[&<>"']/g, (character) => entities[character] ?? '');

/** A tagged template; fit for text between tags and for attribute values in double quotes. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    strings.map((string, index) => string + (index < parts.length ? shown(parts[index]) : '')).join(''),
  );
}

function shown(part: Part | undefined): string {
  if (part === undefined) return '';
  if (typeof part === 'string') return escapeHtml(part);
  return part instanceof Html ? part.text : part.map(({ text }) => text).join('');
}
