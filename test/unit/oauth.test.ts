// The token endpoints against Twitch's stand-in: each answer becomes an outcome, and nothing that the library throws,
// which carries secrets, gets out.
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOAuth, type OAuth } from '../../src/upstream/twitch/oauth.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';

let sim: Simulator;
let clock: ShiftClock;
let oauth: OAuth;
let portBefore: string | undefined;

beforeEach(async () => {
  sim = await startSimulator({ seed: 3 });
  portBefore = process.env.TWURPLE_MOCK_API_PORT;
  process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  sim.addUser({ id: '1', login: 'bot' });
  clock = new ShiftClock();
  oauth = createOAuth({ clientId: sim.clientId, clientSecret: sim.clientSecret, clock, deadlineMs: 10_000 });
});

afterEach(async () => {
  if (portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
  else process.env.TWURPLE_MOCK_API_PORT = portBefore;
  expect(clock.pending).toBe(0);
  await sim.close();
});

const grant = () => sim.grant({ userId: '1', scopes: ['user:read:chat'] });

/** Whatever is said must not hold what may not be said. */
function clean<T>(outcome: T): T {
  const text = JSON.stringify(outcome);
  for (const secret of [sim.clientSecret, 'refresh-secret', 'access-secret'])
    expect(text).not.toContain(secret);
  return outcome;
}

it('knows a valid token', async () => {
  expect(await oauth.validate(grant().accessToken)).toMatchObject({
    kind: 'valid',
    facts: { userId: '1', login: 'bot', clientId: sim.clientId, scopes: ['user:read:chat'] },
  });
});

it('knows an invalid token, and one that is nobody’s', async () => {
  expect(clean(await oauth.validate('access-secret'))).toEqual({ kind: 'invalid' });
});

it('refreshes', async () => {
  const { refreshToken, accessToken } = grant();
  const outcome = await oauth.refresh(refreshToken);
  expect(outcome).toMatchObject({ kind: 'refreshed', token: { refreshToken, scopes: ['user:read:chat'] } });
  if (outcome.kind === 'refreshed') {
    expect(outcome.token.accessToken).not.toBe(accessToken);
    expect(outcome.token.expiresAt).toBeGreaterThan(clock.now());
  }
});

it('knows that a grant is gone', async () => {
  expect(clean(await oauth.refresh('refresh-secret'))).toEqual({ kind: 'invalid' });
});

it.each([
  ['token', 400, { kind: 'invalid' }],
  ['token', 401, { kind: 'invalid' }],
  ['token', 403, { kind: 'unreachable', why: 'Twitch answered 403' }],
  ['token', 429, { kind: 'unreachable', why: 'Twitch answered 429' }],
  ['token', 503, { kind: 'unreachable', why: 'Twitch answered 503' }],
  ['validate', 401, { kind: 'invalid' }],
  ['validate', 500, { kind: 'unreachable', why: 'Twitch answered 500' }],
] as const)('%s answered with %i', async (on, status, expected) => {
  const fault = sim.arm({ name: 'auth', on, status });
  const outcome =
    on === 'token' ? await oauth.refresh('refresh-secret') : await oauth.validate('access-secret');
  expect(clean(outcome)).toEqual(expected);
  expect(fault.fired()).toBe(1);
});

it.each(['token', 'validate'] as const)('does not wait for %s beyond its deadline', async (on) => {
  const fault = sim.arm({ name: 'auth_hangs', on, ms: 60_000 });
  const outcome = on === 'token' ? oauth.refresh('refresh-secret') : oauth.validate('access-secret');
  await sim.waitFor(() => fault.fired() === 1);
  await clock.advance(10_000);
  expect(clean(await outcome)).toEqual({ kind: 'unreachable', why: 'no answer in time' });
});

it('tells a network failure without telling the URL', async () => {
  await sim.close();
  expect(clean(await oauth.refresh('refresh-secret'))).toEqual({
    kind: 'unreachable',
    why: 'network failure',
  });
  expect(clean(await oauth.validate('access-secret'))).toEqual({
    kind: 'unreachable',
    why: 'network failure',
  });
});

describe('an answer of 200 that is not Twitch’s', () => {
  let proxy: Server;
  let body = '';

  beforeEach(async () => {
    proxy = createServer((_request, response) =>
      response.setHeader('content-type', 'application/json').end(body),
    );
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = proxy.address();
    if (typeof address === 'object' && address) process.env.TWURPLE_MOCK_API_PORT = String(address.port);
  });

  afterEach(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await once(proxy, 'close');
  });

  it.each(['{}', '[]', 'null', '<html>refresh-secret</html>', '{"access_token":7}', '{"access_token":""}'])(
    'proves nothing: %s',
    async (text) => {
      body = text;
      expect(clean(await oauth.refresh('refresh-secret'))).toMatchObject({ kind: 'unreachable' });
      expect(clean(await oauth.validate('access-secret'))).toMatchObject({ kind: 'unreachable' });
    },
  );

  it.each([{ login: 'b\u0000t' }, { scopes: ['a\u0000'] }, { user_id: '1\n' }])(
    'proves nothing when no database would take it: %j',
    async (odd) => {
      const usual = { client_id: 'c', login: 'bot', user_id: '1', scopes: [], expires_in: 5 };
      body = JSON.stringify({ ...usual, ...odd });
      expect(await oauth.validate('access-secret')).toMatchObject({ kind: 'unreachable' });
    },
  );
});
