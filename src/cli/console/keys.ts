// What arrives from a keyboard in raw mode, cut into what a prompt reads and the keys that lead back. Pure.
import type { BackKey } from './leave.ts';

export interface Keys {
  /** For the prompt, as it came. */
  readonly text: string;
  /** Pressed after that text. */
  readonly back: BackKey | undefined;
  /** An escape that may be the key, or the beginning of a sequence that is still under way. */
  readonly held: string;
}

const escape = '\u001b';
/** Ctrl-C; and Ctrl-D, which would close a prompt without an answer. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const leads = /[\u0003\u0004]/u;
/** Ctrl-Z and Ctrl-\: what they do outside raw mode would leave the terminal raw. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const dropped = /[\u001a\u001c]/gu;

/**
 * `held`: what the call before held back. What comes after a key that leads back is forgotten: it was typed for something
 * else than what is asked next.
 */
export function readKeys(held: string, chunk: string): Keys {
  // Two escapes in a row: the first one was the key. (Alt with an arrow looks like this too, and no prompt knows it.)
  if (held !== '' && chunk.startsWith(escape)) return { text: '', back: 'escape', held: '' };
  const all = (held + chunk).replace(dropped, '');
  const at = all.search(leads);
  if (at >= 0) return { text: all.slice(0, at), back: 'interrupt', held: '' };
  if (all.endsWith(escape)) return { text: all.slice(0, -1), back: undefined, held: escape };
  return { text: all, back: undefined, held: '' };
}
