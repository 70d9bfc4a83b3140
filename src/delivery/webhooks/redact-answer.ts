// A receiver's answer as text that may be stored and shown: valid, bounded, without secrets. Pure.
import { StringDecoder } from 'node:string_decoder';
import { secretPrefix } from '../../protocol/webhook-signature.ts';

/** What stands where a secret was. */
const removed = '[secret removed]';

/** Anything that looks like a secret, whole or cut off, also as JSON or a URL writes its characters. */
const secretText = new RegExp(`${secretPrefix}(?:[\\w+/=-]|\\\\/|%2[bf]|%3d)*`, 'gi');

/** A piece of a key this long, cut off by the end of the text, is taken for one. */
const tellingChars = 8;

/**
 * The bytes as text of at most `maxBytes` as UTF-8. What is not UTF-8, and NUL, which PostgreSQL cannot store, becomes
 * U+FFFD. `cut`: there was more, so the last character and the last secret may be incomplete.
 */
export function storableText(
  bytes: Buffer,
  { cut, secrets, maxBytes }: { cut: boolean; secrets: readonly string[]; maxBytes: number },
): string {
  if (bytes.length === 0) return '';
  const text = cut ? wholeCharacters(bytes) : bytes.toString('utf8');
  return bounded(withoutSecrets(text.replaceAll('\0', '\uFFFD'), secrets, cut), maxBytes);
}

function withoutSecrets(text: string, secrets: readonly string[], cut: boolean): string {
  let safe = text.replaceAll(secretText, removed);
  for (const secret of secrets) {
    const key = secret.slice(secretPrefix.length);
    if (key.length >= tellingChars) safe = safe.replaceAll(key, removed);
    if (cut) safe = withoutTail(safe, key);
  }
  return safe;
}

/** Without the start of `key` that the text ends with. */
function withoutTail(text: string, key: string): string {
  for (let length = key.length - 1; length >= tellingChars; length--)
    if (text.endsWith(key.slice(0, length))) return text.slice(0, -length) + removed;
  return text;
}

function bounded(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  return wholeCharacters(Buffer.from(text).subarray(0, maxBytes));
}

/** Without the character that the end cuts apart, if one is. */
const wholeCharacters = (bytes: Buffer): string => new StringDecoder('utf8').write(bytes);
