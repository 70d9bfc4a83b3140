// HTTP answers off a socket, in whatever pieces they come: what is read of them, what is not, and what is no answer at all.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerReader } from '../../src/delivery/webhooks/answer-reader.ts';

interface Read {
  statuses: number[];
  body: string;
  ended: boolean;
  behind: number;
  keepAlive: boolean;
  keepAliveMs: number | null;
  retryAfter: string | undefined;
  error: string | undefined;
}

/** Read in pieces of these sizes, the last one for the rest; then the other side ends. */
function read(text: string, sizes: readonly number[] = []): Read {
  const bytes = Buffer.from(text, 'latin1');
  const result: Read = {
    statuses: [],
    body: '',
    ended: false,
    behind: 0,
    keepAlive: false,
    keepAliveMs: null,
    retryAfter: undefined,
    error: undefined,
  };
  const reader = new AnswerReader({
    head: ({ status, keepAlive, keepAliveMs, retryAfter }) => {
      result.statuses.push(status);
      Object.assign(result, { keepAlive, keepAliveMs, retryAfter });
      return true;
    },
    body: (chunk) => {
      result.body += chunk.toString('latin1');
      return true;
    },
    end: () => {
      expect(result.ended).toBe(false);
      result.ended = true;
    },
  });
  try {
    let at = 0;
    for (const size of [...sizes, bytes.length]) {
      const piece = bytes.subarray(at, at + size);
      at += piece.length;
      if (piece.length > 0) result.behind += reader.read(piece);
    }
    reader.finish();
  } catch (error) {
    result.error = error instanceof Error ? error.constructor.name : String(error);
  }
  return result;
}

const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const answers: readonly [string, string, Partial<Read>][] = [
  [
    'without a body',
    'HTTP/1.1 204 No Content\r\n\r\n',
    { statuses: [204], body: '', ended: true, behind: 0 },
  ],
  ['without a reason', 'HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n', { statuses: [200], ended: true }],
  [
    'of a length',
    'HTTP/1.1 200 OK\r\ncontent-LENGTH:  3 \r\n\r\nabc',
    { body: 'abc', ended: true, behind: 0 },
  ],
  [
    'with more behind it',
    'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef',
    { body: 'abc', ended: true, behind: 3 },
  ],
  [
    'with a body that is none',
    'HTTP/1.1 204 No\r\ncontent-length: 3\r\n\r\nabc',
    { body: '', ended: true, behind: 3 },
  ],
  ['that has not changed', 'HTTP/1.1 304 Same\r\ncontent-length: 3\r\n\r\n', { body: '', ended: true }],
  ['cut short', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc', { body: 'abc', ended: false }],
  [
    'in chunks',
    `${chunked}3\r\nabc\r\nA;x="y"\r\n0123456789\r\n0\r\n\r\n`,
    { body: 'abc0123456789', ended: true, behind: 0 },
  ],
  [
    'in chunks with trailers',
    `${chunked}00\r\na: b\r\nc:d\r\n\r\nHTTP`,
    { body: '', ended: true, behind: 4 },
  ],
  ['in chunks, cut short', `${chunked}3\r\nabc\r\n`, { body: 'abc', ended: false }],
  [
    'up to the end of the connection',
    'HTTP/1.1 200 OK\r\n\r\nabc',
    { body: 'abc', ended: true, keepAlive: true },
  ],
  [
    'coded otherwise',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nabc',
    { body: 'abc', ended: true },
  ],
  [
    'coded, then in chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    { body: 'a', ended: true },
  ],
  [
    'after interim ones',
    `HTTP/1.1 103 Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Go\r\n\r\nHTTP/1.1 202 Ok\r\ncontent-length: 0\r\n\r\n`,
    { statuses: [103, 102, 202], ended: true },
  ],
  ['after empty lines', '\r\n\r\n\r\nHTTP/1.1 204 No\r\n\r\n', { statuses: [204], ended: true }],
  [
    'with letters of all kinds',
    'HTTP/1.1 204 D\xc3\x9c\r\nx: \xc3\xbc\x80\x9f\xff\t!\r\n\r\n',
    { statuses: [204], ended: true },
  ],
  ['that closes', 'HTTP/1.1 204 No\r\nConnection: Upgrade, CLOSE\r\n\r\n', { keepAlive: false, ended: true }],
  ['of an older kind', 'HTTP/1.0 204 No\r\n\r\n', { keepAlive: false, ended: true }],
  [
    'of an older kind that stays',
    'HTTP/1.0 204 No\r\nconnection: keep-alive\r\n\r\n',
    { keepAlive: true, ended: true },
  ],
  ['with a hint', 'HTTP/1.1 204 No\r\nKeep-Alive: timeout=7, max=3\r\n\r\n', { keepAliveMs: 7_000 }],
  [
    'that asks to wait',
    'HTTP/1.1 503 No\r\nretry-after: 5\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n',
    { retryAfter: '5' },
  ],
  [
    'with a length that nothing comes of',
    'HTTP/1.1 204 No\r\ncontent-length: 3\r\n\r\n',
    { keepAlive: false, ended: true },
  ],
  [
    'with chunks that nothing comes of',
    `HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n`,
    { keepAlive: false, ended: true },
  ],
  [
    'with a length of nothing',
    'HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n',
    { keepAlive: true, ended: true },
  ],
  [
    'of an older kind, in chunks',
    'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    { body: 'a', keepAlive: false, ended: true },
  ],
];

const noAnswers: readonly [string, string, string][] = [
  ['another protocol', 'SSH-2.0-x\r\n', 'HTTPParserError'],
  ['bytes', '\x15\x03\x03\x00', 'HTTPParserError'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n', 'HTTPParserError'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'HTTPParserError'],
  ['a status below all', 'HTTP/1.1 099 OK\r\n\r\n', 'HTTPParserError'],
  ['lines without CR', 'HTTP/1.1 200 OK\nx: y\n\n', 'HTTPParserError'],
  ['a header without a colon', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n', 'HTTPParserError'],
  ['a blank before the colon', 'HTTP/1.1 200 OK\r\nx : y\r\n\r\n', 'HTTPParserError'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nx: y\r\n z\r\n\r\n', 'HTTPParserError'],
  ['a control character', 'HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n', 'HTTPParserError'],
  ['a control character in the reason', 'HTTP/1.1 200 O\x01\r\n\r\n', 'HTTPParserError'],
  ['a CR in a header', 'HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n', 'HTTPParserError'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na', 'HTTPParserError'],
  ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na', 'HTTPParserError'],
  [
    'a length with a blank that is none behind it',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\xa0\r\n\r\na',
    'HTTPParserError',
  ],
  [
    'a length and chunks',
    'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    'HTTPParserError',
  ],
  ['a chunk without a size', `${chunked}\r\n`, 'HTTPParserError'],
  ['a chunk of a size that is none', `${chunked}g\r\n`, 'HTTPParserError'],
  ['a chunk of a size without end', `${chunked}${'0'.repeat(20)}1\r\na\r\n`, 'HTTPParserError'],
  ['a chunk that is longer than it says', `${chunked}1\r\nab\r\n`, 'HTTPParserError'],
  ['a trailer that ends without CR', `${chunked}0\r\na: b\n\r\n`, 'HTTPParserError'],
  ['an end of the trailers without CR', `${chunked}0\r\n\n\r\n`, 'HTTPParserError'],
  ['a CR in a trailer', `${chunked}0\r\na: \rb\r\n\r\n`, 'HTTPParserError'],
  ['a 100 that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n', 'SocketError'],
  ['a 101 that nobody asked for', 'HTTP/1.1 101 Switch\r\n\r\n', 'SocketError'],
  ['a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(17_000)}`, 'HeadersOverflowError'],
  ['a head that is too large', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(17_000)}\r\n\r\n`, 'HeadersOverflowError'],
];

describe('an answer', () => {
  it.each(answers)('%s', (_name, text, expected) => {
    expect(read(text)).toMatchObject({ ...expected, error: undefined });
  });

  it('is the same in whatever pieces it comes', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 200 });
    fc.assert(
      fc.property(fc.constantFrom(...answers.map(([, text]) => text)), sizes, (text, pieces) => {
        expect(read(text, pieces)).toEqual(read(text));
      }),
      { numRuns: 500 },
    );
  });

  it.each(noAnswers)('is not %s', (_name, text, error) => {
    expect(read(text).error).toBe(error);
    expect(
      read(
        text,
        Array.from({ length: 100 }, () => 1),
      ).error,
    ).toBe(error);
  });

  it('looks at each byte of its head once, however small the pieces are', () => {
    let searched = 0;
    const buffers = Buffer.prototype as {
      indexOf: (this: Buffer, value: string | number | Uint8Array, from?: number) => number;
    };
    const { indexOf } = buffers;
    buffers.indexOf = function (this: Buffer, value: string | number | Uint8Array, from = 0): number {
      const at = indexOf.call(this, value, from);
      searched += (at < 0 ? this.length : at + 1) - from;
      return at;
    };
    const text = `HTTP/1.1 200 OK\r\n${'a:\r\n'.repeat(2_000)}\r\n`;
    try {
      read(
        text,
        Array.from({ length: text.length }, () => 1),
      );
    } finally {
      buffers.indexOf = indexOf;
    }
    expect(searched).toBeGreaterThan(text.length);
    expect(searched).toBeLessThan(10 * text.length);
  });

  it('goes on no further than is wanted', () => {
    const seen: string[] = [];
    const reader = new AnswerReader({
      head: () => true,
      body: (chunk) => {
        seen.push(chunk.toString());
        return false;
      },
      end: () => seen.push('end'),
    });
    reader.read(Buffer.from(`${chunked}1\r\na\r\n1\r\nb\r\n0\r\n\r\n`));
    reader.read(Buffer.from('1\r\nc\r\n'));
    expect([seen, reader.finish()]).toEqual([['a'], false]);
  });

  it('of any bytes is read without harm', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.integer({ min: 1, max: 9 })), (text, sizes) => {
        expect(read(`HTTP/1.1 200 OK\r\n${text}`, sizes).statuses.length).toBeLessThanOrEqual(1);
        read(chunked + text, sizes);
        read(text, sizes);
      }),
    );
  });
});
