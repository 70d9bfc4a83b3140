// Inputs that know their grammar: a value that is right, written as JSON by hand, with up to three things wrong with it, each
// of a kind that parsers are known to stumble over; and bytes of something right with a few of them wrong.
import fc from 'fast-check';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };

/** Texts that break what takes text for words. */
export const oddText = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 24 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 24 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '0',
      '-1',
      '1e999',
      'NaN',
      'null',
      'undefined',
      '\u0000',
      'a\u0000b',
      '\ud800',
      '\udfff\ud800',
      '\ufeff',
      '\u202e',
      '__proto__',
      'constructor',
      'toString',
      'hasOwnProperty',
      '%00',
      '../..',
      '2026-02-30T25:61:61Z',
      '9'.repeat(400),
    ),
  },
  { weight: 1, arbitrary: fc.nat({ max: 5_000 }).map((length) => 'x'.repeat(length)) },
);

const oddNumbers = ['0', '-0', '-1', '0.1', '1e999', '-1e999', '1e300', '9007199254740993', '2147483648'];
const oddNames = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'length', '', '\u0000'];

/** The text of a JSON value, of any type and size. */
const oddJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: oddText.map((text) => JSON.stringify(text)) },
  // What JSON.stringify would never write: the broken character itself, and the escapes of both.
  { weight: 1, arbitrary: fc.constantFrom('"\ud800"', '"\\ud800"', '"\\u0000"', '"\u0000"', '"\\x"') },
  { weight: 3, arbitrary: fc.constantFrom(...oddNumbers) },
  { weight: 4, arbitrary: fc.constantFrom('null', 'true', 'false', '{}', '[]', '[null]', '""') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '{"__proto__":{"id":"x"}}',
      '{"toString":null}',
      '{"toString":1,"valueOf":2}',
      '{"constructor":{"prototype":{"a":1}}}',
      '{"length":1e9}',
      '{"then":{}}',
      '{"a":1,"a":2}',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 12_000 }).map((deep) => '['.repeat(deep) + ']'.repeat(deep)),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 3_000 })
      .map((deep) => '{"a":'.repeat(deep) + '1' + '}'.repeat(deep)),
  },
  { weight: 2, arbitrary: fc.json({ maxDepth: 3 }) },
);

/** A JSON text while it is being spoilt: members are a list, so that a name can be there twice. */
type Node =
  | { readonly kind: 'object'; readonly members: [name: string, value: Node][] }
  | { readonly kind: 'array'; readonly items: Node[] }
  | { readonly kind: 'text'; readonly text: string };

function nodeOf(value: Json): Node {
  if (Array.isArray(value)) return { kind: 'array', items: value.map((item: Json) => nodeOf(item)) };
  if (typeof value === 'object' && value !== null)
    return { kind: 'object', members: Object.entries(value).map(([name, member]) => [name, nodeOf(member)]) };
  return { kind: 'text', text: JSON.stringify(value) };
}

function textOf(node: Node): string {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'array') return `[${node.items.map(textOf).join(',')}]`;
  return `{${node.members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join(',')}}`;
}

/** Every place that can be spoilt. */
interface Place {
  readonly node: Node;
  replace(node: Node): void;
  remove(): void;
  /** With another value under the same name, or beside it in the list. */
  double(node: Node): void;
  rename(name: string): void;
}

function placesOf(root: Node): Place[] {
  const found: Place[] = [];
  const walk = (node: Node) => {
    if (node.kind === 'object') {
      const { members } = node;
      for (const member of members) {
        found.push({
          node: member[1],
          replace: (other) => void (member[1] = other),
          remove: () => void members.splice(members.indexOf(member), 1),
          double: (other) => void members.push([member[0], other]),
          rename: (name) => void (member[0] = name),
        });
        walk(member[1]);
      }
    }
    if (node.kind === 'array') {
      const { items } = node;
      for (const item of items) {
        const at = () => items.indexOf(item);
        found.push({
          node: item,
          replace: (other) => void (items[at()] = other),
          remove: () => void items.splice(at(), 1),
          double: (other) => void items.push(other),
          rename: () => undefined,
        });
        walk(item);
      }
    }
  };
  walk(root);
  return found;
}

const spoilings = ['replace', 'remove', 'double', 'rename', 'wrap', 'move'] as const;
interface Spoiling {
  readonly how: (typeof spoilings)[number];
  /** Which place, and which other one, counted around. */
  readonly at: number;
  readonly from: number;
  readonly with: string;
}

const spoiling: fc.Arbitrary<Spoiling> = fc.record({
  how: fc.constantFrom(...spoilings),
  at: fc.nat(10_000),
  from: fc.nat(10_000),
  with: oddJson,
});

function spoil(value: Json, how: readonly Spoiling[]): string {
  const root: Node = { kind: 'array', items: [nodeOf(value)] };
  for (const each of how) {
    const places = placesOf(root);
    const place = places[each.at % Math.max(1, places.length)];
    const other = places[each.from % Math.max(1, places.length)];
    if (!place || !other) break;
    const odd: Node = { kind: 'text', text: each.with };
    if (each.how === 'replace') place.replace(odd);
    else if (each.how === 'remove') place.remove();
    else if (each.how === 'double') place.double(odd);
    else if (each.how === 'rename') place.rename(oddNames[each.from % oddNames.length] ?? '');
    else if (each.how === 'wrap') place.replace({ kind: 'array', items: [place.node] });
    // As text: a node inside itself would have no end.
    else place.replace({ kind: 'text', text: textOf(other.node) });
  }
  return root.items.map(textOf).join(',');
}

/** JSON texts around what is right: as it is, with up to three things wrong, or nothing like it. */
export const jsonAround = (valid: fc.Arbitrary<Json>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: valid.map((value) => JSON.stringify(value)) },
    {
      weight: 8,
      arbitrary: fc
        .tuple(valid, fc.array(spoiling, { minLength: 1, maxLength: 3 }))
        .map(([value, how]) => spoil(value, how)),
    },
    { weight: 1, arbitrary: oddJson },
    { weight: 1, arbitrary: oddText },
  );

interface Cut {
  readonly how: 'flip' | 'insert' | 'remove' | 'repeat' | 'end';
  /** Share of the length, in ten-thousandths. */
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

const cut: fc.Arbitrary<Cut> = fc.record({
  how: fc.constantFrom<Cut['how'][]>('flip', 'insert', 'remove', 'repeat', 'end'),
  at: fc.nat(9_999),
  length: fc.integer({ min: 1, max: 40 }),
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 6 }),
    fc
      .constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '\0', '\r\n', '\u00ff', '-', 'e9')
      .map((text) => Buffer.from(text)),
  ),
});

function apply(bytes: Buffer, { how, at, length, bytes: odd }: Cut): Buffer {
  const from = Math.floor((bytes.length * at) / 10_000);
  const [before, behind] = [bytes.subarray(0, from), bytes.subarray(from)];
  if (how === 'insert') return Buffer.concat([before, odd, behind]);
  if (how === 'remove') return Buffer.concat([before, behind.subarray(length)]);
  if (how === 'repeat') return Buffer.concat([before, behind.subarray(0, length), behind]);
  if (how === 'end') return Buffer.from(before);
  return Buffer.concat([before, odd, behind.subarray(odd.length)]);
}

/** Bytes of one of the texts with one to four places spoilt. */
export const bytesAround = (recorded: fc.Arbitrary<string | Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(recorded, fc.array(cut, { minLength: 1, maxLength: 4 }))
    .map(([whole, cuts]) => cuts.reduce(apply, Buffer.from(whole)));

/** Either of the two kinds above, as bytes. */
export const bodyAround = (valid: fc.Arbitrary<Json>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 3, arbitrary: jsonAround(valid).map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: bytesAround(valid.map((value) => JSON.stringify(value))) },
  );

/** Text with a few characters wrong. */
export const textAround = (valid: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: valid },
    { weight: 4, arbitrary: bytesAround(valid).map((bytes) => bytes.toString('utf8')) },
    { weight: 2, arbitrary: fc.tuple(valid, oddText).map(([text, odd]) => text + odd) },
    { weight: 1, arbitrary: fc.tuple(oddText, valid).map(([odd, text]) => odd + text) },
    { weight: 2, arbitrary: oddText },
  );
