// The ways to a grant and back, against Twitch's stand-in: codes, device codes, revoking, and a pair that comes late.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { authorizeUrl } from '../../src/upstream/twitch/authorize-url.ts';
import { createOAuth, type OAuth } from '../../src/upstream/twitch/oauth.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const redirectUri = 'http://localhost:1/oauth/callback';
const scopes = ['user:read:chat', 'bits:read'];
let sim: Simulator;
let clock: ShiftClock;
let oauth: OAuth;
let portBefore: string | undefined;

beforeEach(async () => {
  sim = await startSimulator({ seed: 3, deviceIntervalSeconds: 0.2 });
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

/** As a browser that is sent there. */
async function consent(): Promise<URL> {
  const url = authorizeUrl({
    clientId: sim.clientId,
    redirectUri,
    scopes,
    state: 'a b&c',
    mockApiPort: sim.port,
  });
  const answer = await fetch(url, { redirect: 'manual' });
  return new URL(answer.headers.get('location') ?? '');
}

describe('the address of the consent', () => {
  it('is Twitch’s, with what its documentation asks for', () => {
    const url = new URL(
      authorizeUrl({ clientId: 'me', redirectUri, scopes, state: 's', mockApiPort: undefined }),
    );
    expect(url.origin + url.pathname).toBe('https://id.twitch.tv/oauth2/authorize');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'me',
      redirect_uri: redirectUri,
      scope: scopes.join(' '),
      state: 's',
      force_verify: 'true',
    });
  });

  it('leads back with the state as it was', async () => {
    expect((await consent()).searchParams.get('state')).toBe('a b&c');
  });
});

describe('a code', () => {
  it('is good for one token, with the redirect URI that it was asked for with', async () => {
    const code = (await consent()).searchParams.get('code') ?? '';
    const got = await oauth.exchangeCode(code, redirectUri);
    expect(got).toMatchObject({ kind: 'token', token: { scopes } });
    if (got.kind === 'token') expect((await oauth.validate(got.token.accessToken)).kind).toBe('valid');
    expect(await oauth.exchangeCode(code, redirectUri)).toEqual({ kind: 'invalid' });
    const other = (await consent()).searchParams.get('code') ?? '';
    expect(await oauth.exchangeCode(other, `${redirectUri}/`)).toEqual({ kind: 'invalid' });
  });

  it('proves nothing while Twitch is away, and nothing secret is told', async () => {
    const fault = sim.arm({ name: 'auth', on: 'token', status: 503 });
    const outcome = await oauth.exchangeCode('code-secret', redirectUri);
    expect(outcome).toEqual({ kind: 'unreachable', why: 'Twitch answered 503' });
    expect(fault.fired()).toBe(1);
    await sim.close();
    expect(await oauth.exchangeCode('code-secret', redirectUri)).toEqual({
      kind: 'unreachable',
      why: 'network failure',
    });
  });
});

describe('a device code', () => {
  async function start() {
    const started = await oauth.startDevice(scopes);
    if (started.kind !== 'started') throw new Error(started.kind);
    return started;
  }

  it('is asked about until somebody has agreed', async () => {
    const { deviceCode, userCode, intervalSeconds, expiresInSeconds } = await start();
    expect([intervalSeconds, expiresInSeconds]).toEqual([1, 1_800]);
    expect(await oauth.pollDevice(deviceCode, scopes)).toEqual({ kind: 'pending' });
    expect(sim.answerDevice(userCode, '1')).toBe(true);
    const got = await oauth.pollDevice(deviceCode, scopes);
    expect(got).toMatchObject({ kind: 'token', token: { scopes } });
    expect(await oauth.pollDevice(deviceCode, scopes)).toEqual({ kind: 'invalid' });
    if (got.kind !== 'token') return;
    // Its refresh token is good for one use, and a secret is no hindrance.
    const refreshed = await oauth.refresh(got.token.refreshToken ?? '');
    expect(refreshed.kind).toBe('refreshed');
    if (refreshed.kind === 'refreshed') expect(refreshed.token.refreshToken).not.toBe(got.token.refreshToken);
  });

  it('may be declined', async () => {
    const { deviceCode, userCode } = await start();
    sim.answerDevice(userCode, null);
    expect(await oauth.pollDevice(deviceCode, scopes)).toEqual({ kind: 'denied' });
  });

  it.each([
    [400, 'slow_down', { kind: 'slow_down' }],
    [429, 'too many requests', { kind: 'slow_down' }],
    [400, 'expired_token', { kind: 'invalid' }],
    [403, 'invalid client secret', { kind: 'unreachable', why: 'Twitch answered 403' }],
    [503, 'away', { kind: 'unreachable', why: 'Twitch answered 503' }],
  ] as const)('answered with %i %s', async (status, message, expected) => {
    const fault = sim.arm({ name: 'auth', on: 'token', status, message });
    expect(await oauth.pollDevice('device-secret', scopes)).toEqual(expected);
    expect(fault.fired()).toBe(1);
  });

  it.each([
    [400, { kind: 'refused' }],
    [500, { kind: 'unreachable', why: 'Twitch answered 500' }],
  ] as const)('is not given when Twitch answers %i', async (status, expected) => {
    const fault = sim.arm({ name: 'auth', on: 'device', status });
    expect(await oauth.startDevice(scopes)).toEqual(expected);
    expect(fault.fired()).toBe(1);
  });
});

describe('giving a token back', () => {
  it('is done once', async () => {
    const { accessToken } = sim.grant({ userId: '1', scopes });
    expect(await oauth.revoke(accessToken)).toEqual({ kind: 'revoked' });
    expect(await oauth.validate(accessToken)).toEqual({ kind: 'invalid' });
    expect(await oauth.revoke(accessToken)).toEqual({ kind: 'invalid' });
    expect(sim.revokes().map(({ userId }) => userId)).toEqual(['1']);
  });

  it('waits for a Twitch that is away', async () => {
    const fault = sim.arm({ name: 'auth', on: 'revoke', status: 500 });
    expect(await oauth.revoke('access-secret')).toEqual({ kind: 'unreachable', why: 'Twitch answered 500' });
    expect(fault.fired()).toBe(1);
  });
});

it('tells whether Twitch answers and what time it has, without a token', async () => {
  const got = await oauth.ping();
  if (got.kind !== 'answered' || got.date === null) throw new Error(JSON.stringify(got));
  expect(Math.abs(got.date - got.answeredAt)).toBeLessThan(2_000);
  const fault = sim.arm({ name: 'auth', on: 'validate', status: 502 });
  expect(await oauth.ping()).toEqual({ kind: 'unreachable', why: 'Twitch answered 502' });
  expect(fault.fired()).toBe(1);
});

describe('a refreshed pair that comes after the deadline', () => {
  it('goes to the next who asks, since Twitch may give it only once', async () => {
    const { refreshToken } = sim.grant({ userId: '1', scopes });
    const slow = sim.arm({ name: 'auth_hangs', on: 'token', ms: 60 });
    const late = oauth.refresh(refreshToken);
    await sim.waitFor(() => slow.fired() === 1);
    await clock.advance(10_000);
    expect(await late).toEqual({ kind: 'unreachable', why: 'no answer in time' });
    expect((await oauth.refresh(refreshToken)).kind).toBe('refreshed');
    expect(sim.requests).toHaveLength(1);
    await oauth.refresh(refreshToken);
    expect(sim.requests).toHaveLength(2);
  });

  it('is not waited for for ever', async () => {
    const { refreshToken } = sim.grant({ userId: '1', scopes });
    const hung = sim.arm({ name: 'auth_hangs', on: 'token', ms: 600_000 });
    const late = oauth.refresh(refreshToken);
    await sim.waitFor(() => hung.fired() === 1);
    await clock.advance(61_000);
    expect((await late).kind).toBe('unreachable');
    expect((await oauth.refresh(refreshToken)).kind).toBe('refreshed');
  });
});
