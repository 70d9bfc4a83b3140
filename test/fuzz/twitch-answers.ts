// What Helix and the token endpoints answer, as the calls read it: an outcome for every answer, and nothing in it that a
// timer, a date or a row could not hold.
import fc from 'fast-check';
import { systemClock } from '../../src/runtime/clock.ts';
import { createHelix, foundUser, type HelixAnswer } from '../../src/upstream/twitch/helix.ts';
import { createOAuth } from '../../src/upstream/twitch/oauth.ts';
import { createVerdict, removeVerdict } from '../../src/upstream/twitch/verdict.ts';
import { bodyAround, oddText, type Json } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const clientSecret = 'a-secret-that-must-not-show';
const token = 'a-token-that-must-not-show';
const subscription: Json = {
  id: 'f1c2a387',
  status: 'enabled',
  type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: '1' },
  created_at: '2026-11-21T15:00:00.123Z',
  transport: { method: 'websocket', session_id: 's' },
  cost: 1,
};
const pair: Json = {
  access_token: 'new',
  refresh_token: 'newer',
  scope: ['user:read:chat'],
  expires_in: 14_400,
};

type Operation =
  | 'create'
  | 'list'
  | 'remove'
  | 'user'
  | 'validate'
  | 'refresh'
  | 'exchange'
  | 'revoke'
  | 'ping'
  | 'device'
  | 'poll';
/** What the platform answers when all is well. */
const right: Readonly<Record<Operation, Json>> = {
  create: { data: [subscription], total: 1, total_cost: 1, max_total_cost: 10 },
  list: { data: [subscription, subscription], total: 2, pagination: {} },
  remove: {},
  user: { data: [{ id: '1', login: 'somebody' }] },
  validate: {
    client_id: 'c',
    login: 'somebody',
    user_id: '1',
    scopes: ['user:read:chat'],
    expires_in: 5_000,
  },
  refresh: pair,
  exchange: pair,
  revoke: {},
  ping: {},
  device: {
    device_code: 'd',
    user_code: 'ABC',
    verification_uri: 'https://x/',
    expires_in: 1_800,
    interval: 5,
  },
  poll: pair,
};
const refusals: readonly Json[] = [
  { status: 400, message: 'invalid refresh token' },
  { status: 400, message: 'authorization_pending' },
  { error: 'Conflict', status: 409, message: 'subscription already exists', data: [{ id: 'x' }] },
  { error: 'Too Many Requests', status: 429, message: 'number of websocket transports limit exceeded' },
];

interface Given {
  readonly operation: Operation;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const given: fc.Arbitrary<Given> = fc
  .constantFrom(...(Object.keys(right) as Operation[]))
  .chain((operation) =>
    fc.record({
      operation: fc.constant(operation),
      status: fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(200, 202, 204) },
        { weight: 4, arbitrary: fc.constantFrom(400, 401, 403, 404, 409, 410, 429, 500, 503) },
        { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) },
      ),
      headers: fc.dictionary(
        fc.constantFrom('ratelimit-reset', 'ratelimit-remaining', 'date', 'content-type', 'retry-after'),
        fc.oneof(
          fc.constantFrom(
            '0',
            '-1',
            '1e400',
            '1e308',
            'application/json',
            'Sat, 21 Nov 2026 15:00:00 GMT',
            '+275760',
          ),
          oddText.map((text) => text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, 60)),
        ),
        { maxKeys: 3 },
      ),
      body: fc.oneof(
        { weight: 5, arbitrary: bodyAround(fc.constant(right[operation])) },
        { weight: 2, arbitrary: bodyAround(fc.constantFrom(...refusals)) },
      ),
    }),
  );

const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/** Every call goes to the one answer; those of the tokens' library are the platform's own `fetch`. */
async function answering<T>({ status, headers, body }: Given, call: () => Promise<T>): Promise<T> {
  const real = globalThis.fetch;
  globalThis.fetch = async () =>
    new Response(bodiless.has(status) ? null : new Uint8Array(body), { status, headers });
  try {
    return await call();
  } finally {
    globalThis.fetch = real;
  }
}

/** Stored, or told as text. The one of the rate limiter goes into a verdict, which bounds it. */
const instants: ReadonlySet<string> = new Set(['expiresAt', 'until', 'date']);
/** The last instant that a date can hold. */
const lastInstant = 8.64e15;

/** Every number of it, with the name it has. */
function numbersOf(value: unknown, name = ''): [string, number][] {
  if (typeof value === 'number') return [[name, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => numbersOf(member, key));
}

function checkNumbers(outcome: unknown): void {
  for (const [name, value] of numbersOf(outcome)) {
    if (!Number.isFinite(value)) throw new Error(`${name} is ${value}`);
    if (instants.has(name) && Math.abs(value) > lastInstant)
      throw new Error(`${name} is no instant: ${value}`);
    if (name === 'intervalSeconds' && value < 1) throw new Error(`asked every ${value} s`);
  }
}

function checkHelix(answer: HelixAnswer): boolean {
  const { status, message, callsLeft } = answer;
  const now = Date.now();
  for (const refreshed of [false, true]) {
    const verdict = createVerdict(answer, { now, refreshed });
    checkNumbers(verdict);
    if (verdict.do === 'wait' && verdict.until > now + 60_000) throw new Error('it would wait for longer');
    removeVerdict(answer, { now, refreshed });
  }
  checkNumbers({ status, callsLeft });
  if (typeof message !== 'string') throw new Error('a message that is no text');
  return status >= 200 && status < 300;
}

/** Helix, with that as the answer to every call. */
const helixThatSays = ({ status, headers, body }: Given) =>
  createHelix({
    client: {
      call: () => ({
        answer: Promise.resolve({
          status,
          headers,
          text: bodiless.has(status) ? '' : Buffer.from(body).toString('utf8'),
        }),
        abort: () => undefined,
      }),
    },
    clock: systemClock,
    deadlineMs: 10_000,
  });

async function judge(input: Given): Promise<boolean> {
  const helix = helixThatSays(input);
  const oauth = createOAuth({ clientId: 'c', clientSecret, clock: systemClock, deadlineMs: 10_000 });
  const told = async (outcome: Promise<{ readonly kind: string }>, well: string) => {
    const got = await outcome;
    checkNumbers(got);
    const text = JSON.stringify(got);
    if (text.includes(clientSecret) || text.includes(token)) throw new Error('a secret shows');
    return got.kind === well;
  };
  const wish = { type: 'channel.follow', version: '2', condition: {}, sessionId: 's' };
  const calls: Readonly<Record<Operation, () => Promise<boolean>>> = {
    create: async () => {
      const answer = await helix.create(token, wish);
      return checkHelix(answer) && createVerdict(answer, { now: 0, refreshed: true }).do === 'confirm';
    },
    remove: async () => checkHelix(await helix.remove(token, 'x')),
    user: async () => {
      const answer = await helix.userByLogin(token, 'somebody');
      return checkHelix(answer) && foundUser(answer.body) !== undefined;
    },
    list: async () => {
      const listed = await helix.list(token);
      if (listed.ok) checkNumbers(listed.subscriptions.map(({ cost }) => ({ cost })));
      else checkHelix(listed.answer);
      return listed.ok;
    },
    validate: () => told(oauth.validate(token), 'valid'),
    refresh: () => told(oauth.refresh(token), 'refreshed'),
    exchange: () => told(oauth.exchangeCode('code', 'http://localhost/oauth/callback'), 'token'),
    revoke: () => told(oauth.revoke(token), 'revoked'),
    ping: () => told(oauth.ping(), 'answered'),
    device: () => told(oauth.startDevice(['user:read:chat']), 'started'),
    poll: () => told(oauth.pollDevice('d', ['user:read:chat']), 'token'),
  };
  return answering(input, calls[input.operation]);
}

export const twitchAnswers = defineTarget({
  name: 'twitch-answers',
  what: 'what Helix and the token endpoints answer',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return { input: given, run: async (input) => takenIf(await judge(input)) };
  },
});
