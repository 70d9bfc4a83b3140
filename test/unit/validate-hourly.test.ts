// Twitch's rule: every token that is kept is validated at start and hourly. With Twitch's stand-in, a dead token is found,
// renewed or declared gone; nothing that passes (a 503) ends a grant.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createOAuth } from '../../src/upstream/twitch/oauth.ts';
import { createTokenKeeper, type StoredTokens } from '../../src/upstream/twitch/token-keeper.ts';
import { validateHourly } from '../../src/upstream/twitch/validate-hourly.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

const hourMs = 3_600_000;
let sim: Simulator;
let clock: ShiftClock;
let portBefore: string | undefined;
let stop: AbortController;
let loop: Promise<void>;
let rows: Map<string, StoredTokens>;
let validated: string[];
let reauth: string[];
let errors: unknown[];
let bots: () => Promise<readonly string[]>;

beforeEach(async () => {
  sim = await startSimulator({ seed: 5 });
  portBefore = process.env.TWURPLE_MOCK_API_PORT;
  process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  clock = new ShiftClock();
  stop = new AbortController();
  rows = new Map();
  [validated, reauth, errors] = [[], [], []];
  bots = () => Promise.resolve([...rows.keys()]);
  for (const id of ['1', '2']) {
    sim.addUser({ id, login: `bot${id}` });
    rows.set(id, { ...sim.grant({ userId: id, scopes: [] }), expiresAt: null });
  }
});

afterEach(async () => {
  stop.abort();
  await loop;
  if (portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
  else process.env.TWURPLE_MOCK_API_PORT = portBefore;
  expect(clock.pending).toBe(0);
  await sim.close();
});

function begin(tokens = (id: string) => Promise.resolve(rows.get(id))) {
  const keeper = createTokenKeeper({
    store: {
      tokens,
      saveTokens: (id, pair) => Promise.resolve(rows.set(id, pair)),
      setValidated: (id) => Promise.resolve(validated.push(id)),
      requireReauth: () => Promise.resolve(true),
      clearReauth: () => Promise.resolve(),
    },
    oauth: createOAuth({
      clientId: sim.clientId,
      clientSecret: sim.clientSecret,
      clock,
      deadlineMs: 10_000,
      signal: stop.signal,
    }),
    clock,
    clientId: sim.clientId,
    onReauth: (botId) => void reauth.push(botId),
  });
  loop = validateHourly(
    { keeper, clock, everyMs: hourMs, bots: () => bots(), onError: (error) => void errors.push(error) },
    stop.signal,
  );
}

const asked = (operation: string) => sim.requests.filter((each) => each.operation === operation).length;
/** One pause is pending: the round is over. */
const resting = () => until(() => clock.pending === 1 && sim.requests.every(({ status }) => status > 0));

it('validates at once and after the hour, and what comes in between next time', async () => {
  begin();
  await until(() => validated.length === 2);
  await resting();
  rows.set('3', { ...sim.grant({ userId: '1', scopes: [] }), expiresAt: null });
  await clock.advance(hourMs - 1_000);
  expect(validated).toEqual(['1', '2']);
  await clock.advance(2_000);
  await until(() => validated.length === 5);
  expect(validated.slice(2)).toEqual(['1', '2', '3']);
});

it('renews a token that died meanwhile', async () => {
  begin();
  await until(() => validated.length === 2);
  await resting();
  const before = rows.get('1')?.accessToken ?? '';
  sim.expireToken(before);
  await clock.advance(hourMs);
  await until(() => rows.get('1')?.accessToken !== before);
  expect(reauth).toEqual([]);
});

it('finds a dead grant, once, and goes on with the others', async () => {
  sim.revokeGrant('1');
  begin();
  await until(() => reauth.length === 1);
  expect(reauth).toEqual(['1']);
  await until(() => validated.includes('2'));
});

it('asks again within a minute about a bot whose refresh met a 503, and nothing is gone', async () => {
  const before = rows.get('1')?.accessToken ?? '';
  sim.expireToken(before);
  const away = sim.arm({ name: 'auth', on: 'token', status: 503 });
  begin();
  await until(() => validated.includes('2'));
  await resting();
  expect(away.fired()).toBe(1);
  expect(rows.get('1')?.accessToken).toBe(before);
  await clock.advance(60_000);
  await until(() => rows.get('1')?.accessToken !== before);
  expect(reauth).toEqual([]);
  expect(asked('validate')).toBe(3);
});

it('goes on to the other bots when one cannot be read, and asks soon again when none can', async () => {
  begin((id) => (id === '1' ? Promise.reject(new Error('sealed')) : Promise.resolve(rows.get(id))));
  await until(() => validated.length === 1);
  expect(errors).toEqual([new Error('sealed')]);
  await resting();
  bots = () => Promise.reject(new Error('the database is away'));
  await clock.advance(hourMs);
  await until(() => errors.length === 2);
  bots = () => Promise.resolve(['2']);
  await resting();
  await clock.advance(60_000);
  await until(() => validated.length === 2);
});
