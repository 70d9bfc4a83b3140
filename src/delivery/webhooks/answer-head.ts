// The head of an HTTP/1.1 answer: its status, how its body is framed, and whether the connection outlives it (RFC 9112).
// Strict: of two readings it takes none. Pure.
import { errors } from 'undici';

export interface AnswerHead {
  readonly status: number;
  /** Null without one. */
  readonly contentLength: number | null;
  /** Null without the header; else whether the last coding is `chunked`. */
  readonly chunked: boolean | null;
  /** The connection takes another request, as far as the head says. */
  readonly keepAlive: boolean;
  /** For how long it is kept idle by the other side; null: it does not say. Milliseconds. */
  readonly keepAliveMs: number | null;
  readonly retryAfter: string | undefined;
}

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: .*)?$/;
/** A token, a colon, and a value; no blank before the colon, no folded lines. */
const headerLine = /^([!#$%&'*+\-.^_`|~\dA-Za-z]+):[ \t]*(.*)$/;
/** What neither of them has: control characters but the tab. */
const control = /[^\t\x20-\x7e\x80-\xff]/;
const digits = /^\d{1,15}$/;
const timeoutHint = /timeout=(\d{1,9})/i;

interface Members {
  contentLength: number | null;
  chunked: boolean | null;
  connection: string;
  keepAliveMs: number | null;
  retryAfter: string | undefined;
}

/** `text`: the lines of the head, without the empty one. Throws HTTPParserError. */
export function parseHead(text: string): AnswerHead {
  const lines = text.split('\r\n');
  if (lines.some((line) => control.test(line))) throw broken('a character');
  const [, minor, status] = statusLine.exec(lines[0] ?? '') ?? [];
  if (status === undefined) throw broken('a status line');
  const members: Members = {
    contentLength: null,
    chunked: null,
    connection: '',
    keepAliveMs: null,
    retryAfter: undefined,
  };
  for (let index = 1; index < lines.length; index++) {
    const [, name, value] = headerLine.exec(lines[index] ?? '') ?? [];
    if (name === undefined || value === undefined) throw broken('a header');
    readers.get(name.toLowerCase())?.(members, withoutBlanksBehind(value));
  }
  const { connection, ...rest } = members;
  const keepAlive = isKept(minor === '1', connection) && !hasDoubt(minor === '1', Number(status), members);
  return { status: Number(status), keepAlive, ...rest };
}

const readers: ReadonlyMap<string, (members: Members, value: string) => void> = new Map([
  [
    'content-length',
    (members, value) => {
      if (!digits.test(value) || members.contentLength !== null) throw broken('a length');
      members.contentLength = Number(value);
    },
  ],
  [
    'transfer-encoding',
    (members, value) => {
      // The last coding of the last header is the outermost one.
      members.chunked = /(?:^|[, \t])chunked$/i.test(value);
    },
  ],
  [
    'connection',
    (members, value) => {
      members.connection += `,${value.toLowerCase()}`;
    },
  ],
  [
    'keep-alive',
    (members, value) => {
      const seconds = timeoutHint.exec(value)?.[1];
      if (seconds !== undefined) members.keepAliveMs = 1_000 * Number(seconds);
    },
  ],
  [
    'retry-after',
    (members, value) => {
      members.retryAfter ??= value;
    },
  ],
]);

function isKept(isOneOne: boolean, connection: string): boolean {
  const options = connection.split(',').map((option) => option.trim());
  return isOneOne ? !options.includes('close') : options.includes('keep-alive');
}

/** What else JavaScript takes for a blank is a character like any other. */
function withoutBlanksBehind(value: string): string {
  let end = value.length;
  while (value[end - 1] === ' ' || value[end - 1] === '\t') end -= 1;
  return value.slice(0, end);
}

/** Statuses that have no body, whatever their headers say. */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

/**
 * Where the answer ends is known, but not whether the other side takes it for the end: a body where there is none may still
 * come, and would be taken for the next answer; and no older server knows of chunks (RFC 9112 §6.1).
 */
function hasDoubt(isOneOne: boolean, status: number, { contentLength, chunked }: Members): boolean {
  if (chunked !== null && !isOneOne) return true;
  return bodiless.has(status) && (chunked !== null || (contentLength ?? 0) > 0);
}

/** Where the body ends. Throws HTTPParserError for a head that says so twice. */
export function framingOf(head: AnswerHead): {
  readonly body: 'none' | 'length' | 'chunks' | 'until_close';
  readonly length: number;
} {
  const { status, contentLength, chunked } = head;
  if (contentLength !== null && chunked !== null) throw broken('a length');
  if (status < 200 || bodiless.has(status)) return none;
  if (chunked !== null) return { body: chunked ? 'chunks' : 'until_close', length: 0 };
  if (contentLength === null) return { body: 'until_close', length: 0 };
  return contentLength === 0 ? none : { body: 'length', length: contentLength };
}

const none = { body: 'none', length: 0 } as const;

const broken = (what: string) => new errors.HTTPParserError(`${what} that is none`);
