// Requests that nobody sane would send, made by fast-check around what the routes really take; and sending them over a few
// kept connections, as they are. Holds no expectations.
import { Agent, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';

export interface Garbage {
  readonly method: string;
  /** With its query, as it goes into the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const parameters = [
  'name',
  'grace_seconds',
  'limit',
  'after',
  'types',
  'wait',
  'endpoint',
  'state',
  'event',
  'run',
  'code',
  'error',
  'scope',
  '__proto__',
  'constructor',
];
const members = [
  'bot_account_id',
  'event_type',
  'broadcaster_user_id',
  'version',
  'condition',
  'transport',
  'webhook_url',
  'endpoint_id',
  'event_ids',
  'event_types',
  'from_cursor',
  'from',
  'to',
  'dry_run',
  'retry_profile',
  'order',
  'max_age_seconds',
  'concurrency',
  'description',
  'enabled',
  'access_mode',
  'bot_account_ids',
  'cursor',
  'name',
  'access_token',
  'refresh_token',
  'scopes',
  '__proto__',
  'toString',
];

export const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', ' ', '0', '-1', '1e9', 'NaN', 'null', '\u0000', '\ud800', '%', '%00', "';--", '../..'),
  fc.nat({ max: 3000 }).map((length) => 'x'.repeat(length)),
);
/** A wait that is understood is over at once; any other text is as good as the next. */
const waitText = nastyText.filter((text) => !/^\d/.test(text) || Number(text) === 0);

export interface Ground {
  /** Paths as mounted, with `:parameters`. */
  readonly routes: readonly { readonly method: string; readonly path: string }[];
  /** Ids that exist, and may be used up. */
  readonly ids: readonly string[];
  /** Values that a route may like. */
  readonly values: readonly unknown[];
  /** A body that makes an interest. */
  readonly wish: Readonly<Record<string, unknown>>;
  /** Headers of somebody: good ones and bad ones. */
  readonly credentials: readonly Readonly<Record<string, string>>[];
}

/** Requests over all of the ground; who sends them comes from another address each time, by the header of a proxy. */
export function garbage(ground: Ground): fc.Arbitrary<Garbage> {
  const id = fc.oneof(nastyText, fc.uuid(), fc.constantFrom(...ground.ids));
  const body = bodies(ground, id);
  const others = fc.constantFrom(
    'GET',
    'POST',
    'PATCH',
    'DELETE',
    'PUT',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'QUERY',
  );
  const route = fc.constantFrom(...ground.routes, { method: 'GET', path: '/:id' });
  return fc
    .record({
      route,
      // Mostly the one that is served there.
      other: fc.oneof({ weight: 1, arbitrary: others }, { weight: 5, arbitrary: fc.constant(undefined) }),
      put: fc.tuple(id, fc.boolean()),
      query: queries(id),
      who: fc.constantFrom(...ground.credentials),
      oddities,
      body: fc.option(body, { nil: undefined }),
      address: fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `10.${parts.join('.')}`),
    })
    .map(({ route: { method, path }, other, put, query, who, oddities: odd, body: made, address }) => {
      const verb = other ?? method;
      // What a client of node can send with these is not framed as a body.
      const given = ['GET', 'HEAD', 'TRACE'].includes(verb) ? undefined : made;
      return {
        method: verb,
        target: pathOf(path, put) + query,
        headers: {
          'x-forwarded-for': address,
          'content-type': 'application/json',
          ...odd,
          ...given?.headers,
          ...who,
        },
        body: given?.bytes,
      };
    });
}

function pathOf(route: string, [text, escaped]: [string, boolean]): string {
  const plain = text.toWellFormed();
  // Not escaped: what is left of it that node lets into a request line.
  const put = escaped ? encodeURIComponent(plain) : plain.replaceAll(/[^\x21-\x7e]/g, '');
  return route.replaceAll(/:\w+/g, () => put);
}

function queries(id: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const parameter = fc
    .constantFrom(...parameters)
    .chain((key) => fc.tuple(fc.constant(key), key === 'wait' ? waitText : id));
  return fc.array(parameter, { maxLength: 3 }).map((list) => {
    const text = list.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join('&');
    return text === '' ? '' : `?${text}`;
  });
}

/** Most requests have none, so that what lies behind is met as well. */
const oddities = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Garbage['headers']>({}) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Garbage['headers']>(
      { 'content-type': 'Application/JSON; a' },
      { 'content-type': 'text/html' },
      { 'content-type': '' },
      { 'content-type': 'application/json; charset=utf-16' },
      { 'x-request-id': '"}{' },
      { 'x-request-id': 'a'.repeat(64) },
      { 'x-forwarded-for': 'nonsense, 1.2.3.4:99, ,[::1' },
      { 'x-forwarded-for': ['10.1.1.1', '10.2.2.2'] },
      { host: 'a b' },
      { host: '' },
      { expect: 'miracles' },
      { origin: 'https://evil.example.org' },
      { range: 'bytes=0-1' },
      { 'if-none-match': '*' },
      { 'accept-encoding': 'gzip', accept: 'text/html' },
      { upgrade: 'h2c', connection: 'upgrade' },
      { cookie: 'a=b; c' },
      { 'x-pad': 'x'.repeat(15_000) },
      { 'x-pad': 'x'.repeat(17_000) },
      { 'x-many': Array.from({ length: 120 }, (_, n) => `${n}`) },
      { 'x-latin': '\u00ff\u00fe' },
    ),
  },
);

interface Body {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

function bodies({ values, wish }: Ground, id: fc.Arbitrary<string>): fc.Arbitrary<Body> {
  const known = fc.constantFrom(...values);
  const value = fc.oneof(known, id, fc.jsonValue({ maxDepth: 3 }), fc.array(nastyText, { maxLength: 3 }));
  const wishes = fc
    .dictionary(fc.constantFrom(...members.slice(0, 7)), value, { maxKeys: 2 })
    .map((more) => JSON.stringify({ ...wish, ...more }));
  const json = fc.oneof(
    fc.dictionary(fc.constantFrom(...members), value, { maxKeys: 8 }).map((body) => JSON.stringify(body)),
    fc.jsonValue().map((body) => JSON.stringify(body)),
  );
  const deep = fc.nat({ max: 30_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));
  const large = fc.constantFrom(65_535, 65_537, 200_000).map((length) => `"${'x'.repeat(length - 2)}"`);
  const text = (from: fc.Arbitrary<string>) =>
    from.map((body): Body => ({ bytes: Buffer.from(body), headers: {} }));
  const bytes = fc
    .uint8Array({ maxLength: 200 })
    .map((body): Body => ({ bytes: Buffer.from(body), headers: {} }));
  const packed = json.map((body): Body => {
    return { bytes: gzipSync(body), headers: { 'content-encoding': 'gzip' } };
  });
  const wide = json.map((body): Body => ({ bytes: Buffer.from(body, 'utf16le'), headers: {} }));
  const chunked = json.map((body): Body => {
    return { bytes: Buffer.from(body), headers: { 'transfer-encoding': 'chunked' } };
  });
  return fc.oneof(
    { weight: 8, arbitrary: text(json) },
    { weight: 8, arbitrary: text(wishes) },
    { weight: 2, arbitrary: text(nastyText) },
    { weight: 1, arbitrary: text(deep) },
    { weight: 1, arbitrary: text(large) },
    { weight: 1, arbitrary: bytes },
    { weight: 1, arbitrary: packed },
    { weight: 1, arbitrary: wide },
    { weight: 1, arbitrary: chunked },
  );
}

/** Over connections that are kept; rejects when there is no answer within the time. */
export class Sender implements Disposable {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8 });

  constructor(url: string) {
    this.#url = new URL(url);
  }

  send({ method, target, headers, body }: Garbage, withinMs = 10_000): Promise<Answer> {
    const { hostname, port } = this.#url;
    // Some methods are sent without any framing of their body otherwise.
    const isFramed = body === undefined || 'transfer-encoding' in headers;
    const length = isFramed ? {} : { 'content-length': String(body.length) };
    const odd = JSON.stringify({ ...headers, 'x-pad': undefined }).slice(0, 400);
    const said = `${method} ${target.slice(0, 200)} ${odd} ${body?.length ?? 0} bytes`;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { hostname, port, agent: this.#agent, method, path: target, headers: { ...headers, ...length } },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => (text += chunk));
          incoming.on('error', (error) => reject(new Error(said, { cause: error })));
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
          );
        },
      );
      outgoing.setTimeout(withinMs, () => outgoing.destroy(new Error(`no answer within ${withinMs} ms`)));
      outgoing.on('error', (error) => reject(new Error(said, { cause: error })));
      outgoing.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
