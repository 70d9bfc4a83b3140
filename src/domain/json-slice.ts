// Finds a member of a JSON object in its text, so that the value can be passed on byte for byte. Pure. The text must
// already be known to be valid JSON (somebody parsed it); on anything else the answer is merely useless, never a hang.

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

/** The text of the value of `key` in the object that `text` is; the last one if the key repeats, as JSON.parse has it. */
export function memberSlice(text: string, key: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== openBrace) return undefined;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) === quote) {
    const keyEnd = skipString(text, at);
    const name = text.slice(at + 1, keyEnd - 1);
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== colon) return undefined;
    const valueStart = skipSpace(text, at + 1);
    const valueEnd = skipValue(text, valueStart);
    if (name === key || (name.includes('\\') && unescaped(name) === key))
      found = text.slice(valueStart, valueEnd);
    at = skipSpace(text, valueEnd);
    if (text.charCodeAt(at) !== comma) break;
    at = skipSpace(text, at + 1);
  }
  return found;
}

function unescaped(name: string): unknown {
  try {
    return JSON.parse(`"${name}"`);
  } catch {
    return undefined;
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** From an opening quote to behind the closing one. */
function skipString(text: string, from: number): number {
  let at = from + 1;
  for (;;) {
    const end = text.indexOf('"', at);
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
    at = end + 1;
  }
}

/** From a value's first character to behind its last. */
export function skipValue(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === quote) return skipString(text, from);
  const nested = first === openBrace || first === openBracket;
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = skipString(text, at);
      continue;
    }
    if (char === openBrace || char === openBracket) depth++;
    else if (char === closeBrace || char === closeBracket) {
      if (!nested) return at;
      depth--;
      if (depth === 0) return at + 1;
    } else if (!nested && (char === comma || char <= 0x20)) return at;
    at++;
  }
  return at;
}
