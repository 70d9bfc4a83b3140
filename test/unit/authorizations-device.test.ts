// Device codes: the relay itself asks Twitch at Twitch's pace until it is known what became of them, also after a
// restart, and one never waits for another.
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentObserver } from '../../src/upstream/observer.ts';
import { createAuthorizations, type Authorizations } from '../../src/upstream/twitch/authorizations.ts';
import { createOAuth, type OAuth } from '../../src/upstream/twitch/oauth.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { AuthorizationMemory } from '../support/authorization-memory.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

const scopes = ['user:read:chat'];
let sim: Simulator;
let clock: ShiftClock;
let memory: AuthorizationMemory;
let portBefore: string | undefined;
let failures: unknown[];
let ended: string[];
let answers: number;
const running: { stop: AbortController; loop: Promise<void> }[] = [];

beforeEach(async () => {
  sim = await startSimulator({ seed: 3, deviceCodeSeconds: 1_800 });
  portBefore = process.env.TWURPLE_MOCK_API_PORT;
  process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  sim.addUser({ id: '1', login: 'first' });
  sim.addUser({ id: '2', login: 'second' });
  clock = new ShiftClock();
  memory = new AuthorizationMemory(() => clock.now());
  [failures, ended, answers] = [[], [], 0];
});

afterEach(async () => {
  await stopAll();
  if (portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
  else process.env.TWURPLE_MOCK_API_PORT = portBefore;
  expect(clock.pending).toBe(0);
  await sim.close();
});

async function stopAll(): Promise<void> {
  for (const { stop } of running) stop.abort();
  await Promise.all(running.splice(0).map(({ loop }) => loop));
}

/** With a count of the questions whose answer was taken in. */
function countingOAuth(): OAuth {
  const { clientId, clientSecret } = sim;
  const oauth = createOAuth({ clientId, clientSecret, clock, deadlineMs: 10_000 });
  return {
    ...oauth,
    async pollDevice(deviceCode, asked) {
      const outcome = await oauth.pollDevice(deviceCode, asked);
      setImmediate(() => answers++);
      return outcome;
    },
  };
}

/** A relay on the same rows as the one before. */
function relay(): Authorizations {
  const { clientId } = sim;
  const authorizations = createAuthorizations({
    clientId,
    mockApiPort: sim.port,
    redirectUri: () => 'http://localhost:8480/oauth/callback',
    oauth: countingOAuth(),
    store: memory.store,
    grants: memory.grants,
    clock,
    random: () => 0,
    randomBytes,
    observer: {
      ...silentObserver,
      passFailed: ({ error }) => void failures.push(error),
      authorizationEnded: ({ state, code }) => void ended.push(code ? `${state} ${code}` : state),
    },
  });
  const stop = new AbortController();
  running.push({ stop, loop: authorizations.run(stop.signal) });
  return authorizations;
}

const start = (authorizations: Authorizations, name?: string) =>
  authorizations.startDevice({ name, botAccountId: undefined, scopes });
const state = (id: string) => memory.rows.get(id)?.state;
const polls = () => sim.requests.filter(({ operation }) => operation === 'token');
/** Moves on by one interval and waits until the answer to the question that is due was taken in. */
async function nextPoll(seconds = 5): Promise<void> {
  const before = answers;
  await clock.advance(seconds * 1_000);
  await until(() => answers > before, { what: 'a poll' });
}

it('shows what Twitch says, and asks at its pace until somebody agreed', async () => {
  const authorizations = relay();
  const started = await start(authorizations, 'Helper');
  expect(started).toMatchObject({ intervalSeconds: 5, authorization: { kind: 'device', state: 'pending' } });
  expect(started.verificationUri).toContain(started.userCode);
  expect(started.authorization.expiresAt - clock.now()).toBeGreaterThan(1_790_000);
  await clock.advance(4_500);
  expect(polls()).toHaveLength(0);
  await nextPoll(1);
  expect(state(started.authorization.id)).toBe('pending');
  sim.answerDevice(started.userCode, '2');
  await nextPoll();
  await until(() => state(started.authorization.id) === 'completed');
  const [bot] = memory.bots.values();
  expect(bot).toMatchObject({ name: 'Helper', twitchLogin: 'second', scopes });
  expect(await authorizations.get(started.authorization.id)).toMatchObject({ grantedBotId: bot?.id });
  await clock.advance(60_000);
  expect(polls()).toHaveLength(2);
  expect(ended).toEqual(['completed']);
});

it('ends with a denial, and with a code that Twitch no longer knows', async () => {
  const authorizations = relay();
  const denied = await start(authorizations);
  sim.answerDevice(denied.userCode, null);
  await nextPoll();
  await until(() => state(denied.authorization.id) === 'denied');
  const lost = await start(authorizations);
  const fault = sim.arm({ name: 'auth', on: 'token', status: 400, message: 'invalid device code' });
  await nextPoll();
  await until(() => state(lost.authorization.id) === 'failed');
  expect(fault.fired()).toBe(1);
  expect(ended).toEqual(['denied access_denied', 'failed code_invalid']);
});

it('is judged like every grant', async () => {
  const authorizations = relay();
  const { authorization, userCode } = await start(authorizations);
  sim.grantOnlyNext([]);
  sim.answerDevice(userCode, '1');
  await nextPoll();
  await until(() => state(authorization.id) === 'failed');
  expect(ended).toEqual(['failed missing_scopes']);
  expect(memory.bots.size).toBe(0);
  expect(sim.revokes().map(({ userId }) => userId)).toEqual(['1']);
});

it('stops asking when the code is over', async () => {
  const authorizations = relay();
  const { authorization } = await start(authorizations);
  clock.jump(1_800_000);
  await until(() => ended.length === 1);
  expect(ended).toEqual(['expired']);
  expect(await authorizations.get(authorization.id)).toMatchObject({ state: 'expired' });
  const asked = polls().length;
  await clock.advance(60_000);
  expect(polls()).toHaveLength(asked);
});

it('asks more slowly when told to', async () => {
  const { userCode } = await start(relay());
  const fault = sim.arm({ name: 'auth', on: 'token', status: 400, message: 'slow_down', times: 2 });
  await nextPoll();
  await clock.advance(9_500);
  expect(polls()).toHaveLength(1);
  await nextPoll(0.6);
  expect(fault.fired()).toBe(2);
  sim.answerDevice(userCode, '1');
  await clock.advance(14_500);
  expect(polls()).toHaveLength(2);
  await nextPoll(0.6);
  await until(() => ended.length === 1);
  expect(ended).toEqual(['completed']);
});

it('waits for a Twitch that is away, and another code does not wait with it', async () => {
  const authorizations = relay();
  const first = await start(authorizations);
  const fault = sim.arm({ name: 'auth', on: 'token', status: 503 });
  await nextPoll();
  expect(fault.fired()).toBe(1);
  const hung = sim.arm({ name: 'auth_hangs', on: 'token', ms: 600_000 });
  await clock.advance(5_600);
  await sim.waitFor(() => hung.fired() === 1);
  const second = await start(authorizations);
  sim.answerDevice(second.userCode, '2');
  await nextPoll();
  await until(() => state(second.authorization.id) === 'completed');
  expect(state(first.authorization.id)).toBe('pending');
  sim.answerDevice(first.userCode, '1');
  await clock.advance(5_000);
  await until(async () => {
    await clock.advance(2_000);
    return state(first.authorization.id) === 'completed';
  });
});

it('goes on after a restart', async () => {
  const { authorization, userCode } = await start(relay());
  await nextPoll();
  await stopAll();
  sim.answerDevice(userCode, '1');
  await clock.advance(60_000);
  expect(state(authorization.id)).toBe('pending');
  relay();
  await until(() => clock.pending >= 2);
  await nextPoll();
  await until(() => state(authorization.id) === 'completed');
  expect(memory.bots.size).toBe(1);
});

it('keeps what Twitch told while the database is away', async () => {
  const { authorization, userCode } = await start(relay());
  sim.answerDevice(userCode, '1');
  memory.failures = 2;
  await nextPoll();
  await until(async () => {
    await clock.advance(1_000);
    return state(authorization.id) === 'completed';
  });
  expect(failures).toHaveLength(2);
  expect(memory.bots.size).toBe(1);
  // Twitch gave the token once; it was not asked again.
  expect(polls()).toHaveLength(1);
});

it('tries again to read the rows when the database is away at the start', async () => {
  const { userCode } = await start(relay());
  await stopAll();
  sim.answerDevice(userCode, '1');
  memory.failures = 1;
  relay();
  await until(() => failures.length === 1);
  await until(async () => {
    await clock.advance(1_000);
    return memory.bots.size === 1;
  });
});

it('forgets what ended a day ago', async () => {
  const { authorization } = await start(relay());
  clock.jump(1_900_000);
  await until(() => ended.length === 1);
  await stopAll();
  relay();
  await until(() => clock.pending === 1);
  expect(memory.rows.has(authorization.id)).toBe(true);
  clock.jump(86_400_000);
  await until(() => memory.rows.size === 0);
});

it('says so when Twitch gives no code', async () => {
  const authorizations = relay();
  const refused = sim.arm({ name: 'auth', on: 'device', status: 400, message: 'invalid scope' });
  await expect(start(authorizations)).rejects.toMatchObject({ code: 'device_refused', status: 422 });
  const away = sim.arm({ name: 'auth', on: 'device', status: 503 });
  await expect(start(authorizations)).rejects.toMatchObject({ code: 'twitch_unreachable', status: 503 });
  expect([refused.fired(), away.fired()]).toEqual([1, 1]);
  expect(memory.rows.size).toBe(0);
});
