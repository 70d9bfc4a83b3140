// Links: from the state that goes out to the end that is written down, with Twitch's stand-in behind real HTTP.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentObserver } from '../../src/upstream/observer.ts';
import { createAuthorizations, type Authorizations } from '../../src/upstream/twitch/authorizations.ts';
import { createOAuth } from '../../src/upstream/twitch/oauth.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { AuthorizationMemory } from '../support/authorization-memory.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const redirectUri = 'http://localhost:8480/oauth/callback';
const scopes = ['user:read:chat', 'bits:read'];
let sim: Simulator;
let clock: ShiftClock;
let memory: AuthorizationMemory;
let authorizations: Authorizations;
let told: string[];
let portBefore: string | undefined;

beforeEach(async () => {
  sim = await startSimulator({ seed: 3, redirectUris: [redirectUri] });
  portBefore = process.env.TWURPLE_MOCK_API_PORT;
  process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  sim.addUser({ id: '1', login: 'first' });
  sim.addUser({ id: '2', login: 'second' });
  clock = new ShiftClock();
  memory = new AuthorizationMemory(() => clock.now());
  told = [];
  const { clientId, clientSecret } = sim;
  authorizations = createAuthorizations({
    clientId,
    mockApiPort: sim.port,
    redirectUri: () => redirectUri,
    oauth: createOAuth({ clientId, clientSecret, clock, deadlineMs: 10_000 }),
    store: memory.store,
    grants: memory.grants,
    clock,
    random: () => 0,
    randomBytes,
    observer: {
      ...silentObserver,
      authorizationStarted: (event) => void told.push(JSON.stringify(event)),
      authorizationEnded: (event) => void told.push(JSON.stringify(event)),
    },
  });
});

afterEach(async () => {
  if (portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
  else process.env.TWURPLE_MOCK_API_PORT = portBefore;
  expect(clock.pending).toBe(0);
  // Whatever happened, nothing secret was told.
  for (const { stateToken, deviceCode } of memory.rows.values())
    for (const secret of [stateToken, deviceCode]) expect(told.join()).not.toContain(secret ?? 'no such');
  for (const { accessToken } of memory.bots.values()) expect(told.join()).not.toContain(accessToken);
  await sim.close();
});

const ask = { name: undefined, botAccountId: undefined, scopes };
const start = (over: Partial<Parameters<Authorizations['startBrowser']>[0]> = {}) =>
  authorizations.startBrowser({ ...ask, ...over });

/** What the browser brings back after it followed the link. */
async function visit(url: string) {
  const answer = await fetch(url, { redirect: 'manual' });
  const { searchParams } = new URL(answer.headers.get('location') ?? '');
  const get = (name: string) => searchParams.get(name) ?? undefined;
  return { state: get('state'), code: get('code'), error: get('error') };
}

const goThrough = async (over: Parameters<typeof start>[0] = {}) => {
  const { authorization, authorizeUrl } = await start(over);
  const end = await authorizations.finish(await visit(authorizeUrl));
  return { end, row: await authorizations.get(authorization.id) };
};

const alive = async (accessToken: string) => {
  const { clientId, clientSecret } = sim;
  const oauth = createOAuth({ clientId, clientSecret, clock, deadlineMs: 10_000 });
  return (await oauth.validate(accessToken)).kind === 'valid';
};

describe('a link', () => {
  it('ends in a bot', async () => {
    const { end, row } = await goThrough({ name: 'Helper' });
    expect(end).toEqual({
      kind: 'completed',
      botName: 'Helper',
      twitchLogin: 'first',
      renewed: false,
      scopes,
      for: 'browser',
    });
    const [bot] = memory.bots.values();
    expect(bot).toMatchObject({ name: 'Helper', twitchUserId: '1', state: 'ok', scopes });
    expect(row).toMatchObject({ state: 'completed', grantedBotId: bot?.id, code: null });
    expect(await alive(bot?.accessToken ?? '')).toBe(true);
    expect(told).toHaveLength(2);
  });

  it('has a state of 256 bits, never the same, and kept from the answer', async () => {
    const before = clock.now();
    const made = await Promise.all(Array.from({ length: 20 }, () => start()));
    const after = clock.now();
    const states = made.map(({ authorizeUrl }) => new URL(authorizeUrl).searchParams.get('state') ?? '');
    expect(new Set(states).size).toBe(20);
    for (const state of states) expect(Buffer.from(state, 'base64url')).toHaveLength(32);
    for (const { authorization } of made) {
      expect(authorization.expiresAt).toBeGreaterThanOrEqual(before + 600_000);
      expect(authorization.expiresAt).toBeLessThanOrEqual(after + 600_000);
    }
  });

  it('replaces the tokens of a known user, and makes no second bot', async () => {
    await goThrough({ name: 'Helper' });
    const before = [...memory.bots.values()];
    const { end } = await goThrough();
    expect(end).toMatchObject({ kind: 'completed', renewed: true, botName: 'Helper' });
    expect(memory.bots.size).toBe(1);
    expect([...memory.bots.values()][0]?.accessToken).not.toBe(before[0]?.accessToken);
  });
});

describe('a state', () => {
  it('is good for one time, even when two come at once', async () => {
    const { authorizeUrl } = await start();
    const back = await visit(authorizeUrl);
    const both = await Promise.all([authorizations.finish(back), authorizations.finish(back)]);
    expect(both.map(({ kind }) => kind).toSorted()).toEqual(['completed', 'refused']);
    expect(await authorizations.finish(back)).toMatchObject({ kind: 'refused', code: 'state_used' });
    expect(memory.bots.size).toBe(1);
  });

  it('is over after ten minutes, and Twitch is not asked then', async () => {
    const { authorization, authorizeUrl } = await start();
    const back = await visit(authorizeUrl);
    clock.jump(599_000);
    expect(await authorizations.get(authorization.id)).toMatchObject({ state: 'pending' });
    clock.jump(2_000);
    const asked = sim.requests.length;
    expect(await authorizations.finish(back)).toMatchObject({ kind: 'refused', code: 'state_expired' });
    expect(sim.requests).toHaveLength(asked);
    expect(await authorizations.get(authorization.id)).toMatchObject({ state: 'expired', code: null });
  });

  it.each([
    [undefined, 'state_missing'],
    ['', 'state_missing'],
    ['somebody-elses', 'state_unknown'],
  ])('of %s is refused', async (state, code) => {
    await start();
    const end = await authorizations.finish({ state, code: 'code', error: undefined });
    expect(end).toMatchObject({ kind: 'refused', code });
    expect(sim.requests.filter(({ operation }) => operation === 'token')).toHaveLength(0);
  });

  it('is used up by a denial too', async () => {
    sim.denyNextConsent();
    const { authorization, authorizeUrl } = await start();
    const back = await visit(authorizeUrl);
    expect(await authorizations.finish(back)).toMatchObject({ kind: 'refused', code: 'access_denied' });
    expect(await authorizations.get(authorization.id)).toMatchObject({
      state: 'denied',
      code: 'access_denied',
    });
    const again = await visit(authorizeUrl);
    expect(again.code).toBeDefined();
    expect(await authorizations.finish(again)).toMatchObject({ code: 'state_used' });
    expect(memory.bots.size).toBe(0);
  });
});

describe('what comes back', () => {
  it('may be less than was asked: nothing is stored, and the token is given back', async () => {
    sim.grantOnlyNext(['bits:read']);
    const { end, row } = await goThrough();
    expect(end).toMatchObject({ kind: 'refused', code: 'missing_scopes' });
    expect(row).toMatchObject({ state: 'failed', code: 'missing_scopes' });
    expect(row?.reason).toContain('user:read:chat');
    expect(memory.bots.size).toBe(0);
    expect(sim.revokes().map(({ userId }) => userId)).toEqual(['1']);
  });

  it('may be another user’s than was meant', async () => {
    await goThrough();
    const [bot] = memory.bots.values();
    sim.signIn('2');
    const { end, row } = await goThrough({ botAccountId: bot?.id });
    expect(end).toMatchObject({ code: 'wrong_user' });
    expect(row).toMatchObject({ state: 'failed', grantedBotId: null });
    expect([...memory.bots.values()]).toEqual([bot]);
    expect(sim.revokes().map(({ userId }) => userId)).toEqual(['2']);
  });

  it('may not take scopes from a bot that works; with its id they are asked for too', async () => {
    await goThrough();
    const [bot] = memory.bots.values();
    const narrower = await goThrough({ scopes: ['bits:read', 'channel:read:polls'] });
    expect(narrower.end).toMatchObject({ code: 'narrower_grant' });
    expect([...memory.bots.values()]).toEqual([bot]);
    expect(sim.revokes()).toEqual([]);
    expect(await alive(bot?.accessToken ?? '')).toBe(true);
    const wider = await goThrough({ scopes: ['channel:read:polls'], botAccountId: bot?.id });
    expect(wider.end).toMatchObject({ kind: 'completed', scopes: [...scopes, 'channel:read:polls'] });
    expect(wider.row?.scopes).toEqual([...scopes, 'channel:read:polls']);
  });

  it('may be two grants of one user at once: the second is judged by what the first has left', async () => {
    await goThrough({ scopes: ['bits:read'] });
    const [{ id } = { id: '' }] = memory.bots.values();
    const links = [
      await start({ botAccountId: id, scopes: ['user:read:chat'] }),
      await start({ botAccountId: id, scopes: ['channel:moderate'] }),
    ];
    const back = await Promise.all(links.map(({ authorizeUrl }) => visit(authorizeUrl)));
    const ends = await Promise.all(back.map((each) => authorizations.finish(each)));
    const kept = ends.filter((end) => end.kind === 'completed');
    expect(ends.filter((end) => end.kind === 'refused')).toMatchObject([{ code: 'narrower_grant' }]);
    expect(kept).toHaveLength(1);
    expect([...memory.bots.values()]).toMatchObject([{ scopes: kept[0]?.scopes }]);
  });

  it('may be a code that Twitch does not take, or none, or an error', async () => {
    const { authorizeUrl } = await start();
    const back = await visit(authorizeUrl);
    expect(await authorizations.finish({ ...back, code: 'made-up' })).toMatchObject({ code: 'code_invalid' });
    const none = await start();
    const state = (await visit(none.authorizeUrl)).state;
    expect(await authorizations.finish({ state, code: undefined, error: undefined })).toMatchObject({
      code: 'code_invalid',
    });
    const third = await start();
    const odd = { state: (await visit(third.authorizeUrl)).state, code: undefined, error: '<script>' };
    const end = await authorizations.finish(odd);
    expect(end).toMatchObject({ kind: 'refused', code: 'authorization_refused' });
    expect(JSON.stringify(end)).not.toContain('script');
    expect(await authorizations.get(third.authorization.id)).toMatchObject({ state: 'failed' });
  });

  it.each(['token', 'validate'] as const)('may meet a Twitch that is away (%s)', async (on) => {
    const { authorization, authorizeUrl } = await start();
    const back = await visit(authorizeUrl);
    const fault = sim.arm({ name: 'auth', on, status: 503 });
    const end = await authorizations.finish(back);
    expect(end).toMatchObject({ kind: 'refused', code: 'twitch_unreachable' });
    expect(fault.fired()).toBe(1);
    expect(await authorizations.get(authorization.id)).toMatchObject({ state: 'failed' });
    expect((await goThrough()).end.kind).toBe('completed');
  });

  it('may be a name that is taken', async () => {
    await goThrough({ name: 'Helper' });
    sim.signIn('2');
    const { end, row } = await goThrough({ name: 'Helper' });
    expect(end).toMatchObject({ kind: 'refused', code: 'name_taken' });
    expect(row).toMatchObject({ state: 'failed', code: 'name_taken' });
    expect(memory.bots.size).toBe(1);
    expect(sim.revokes().map(({ userId }) => userId)).toEqual(['2']);
  });
});

it('knows no bot that is not there', async () => {
  await expect(start({ botAccountId: 'nobody' })).rejects.toMatchObject({ code: 'unknown_bot', status: 404 });
  expect(memory.rows.size).toBe(0);
  expect(await authorizations.get('nothing')).toBeUndefined();
});

it('lets the service that asked a broadcaster use the account', async () => {
  const { authorizeUrl } = await authorizations.startBroadcaster({ serviceAccountId: 'service', scopes });
  expect(await authorizations.finish(await visit(authorizeUrl))).toMatchObject({
    kind: 'completed',
    for: 'broadcaster',
  });
  expect(memory.allowed).toEqual([['service', [...memory.bots.keys()][0]]]);
  const ofAdmin = await authorizations.startBroadcaster({ serviceAccountId: null, scopes });
  await authorizations.finish(await visit(ofAdmin.authorizeUrl));
  expect(memory.allowed).toHaveLength(1);
});
