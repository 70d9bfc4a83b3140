// Owns the proof that each fault of the simulator happens when armed, and counts. A fault that cannot fire would make
// every scenario built on it meaningless.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSimulator } from '../simulator/index.ts';
import type { Simulator } from '../simulator/index.ts';
import { helix, Probe, subscribe } from '../simulator/probe.ts';

const BOT = '1001';
const CHAT = { type: 'channel.chat.message', condition: { broadcaster_user_id: '2002', user_id: BOT } };

let sim: Simulator;
let token: string;

beforeEach(async () => {
  sim = await startSimulator({ keepaliveSeconds: 0.05, zombieMs: 10_000 });
  sim.addUser({ id: BOT, login: 'relaybot' });
  token = sim.grant({ userId: BOT, scopes: ['user:read:chat'] }).accessToken;
});

afterEach(() => sim.close());

async function subscribed(): Promise<{ probe: Probe; sessionId: string }> {
  const probe = new Probe(sim);
  const sessionId = await probe.welcomed();
  expect((await subscribe(sim, token, sessionId, CHAT)).status).toBe(202);
  return { probe, sessionId };
}

describe('socket faults', () => {
  it('upgrade_refused', async () => {
    const fault = sim.arm({ name: 'upgrade_refused', status: 429 });
    const probe = new Probe(sim);
    await sim.waitFor(() => probe.refusedWith === 429);
    expect(fault.fired()).toBe(1);
    await new Probe(sim).welcomed();
  });

  it('upgrade_hangs and welcome_withheld', async () => {
    const hang = sim.arm({ name: 'upgrade_hangs' });
    const hung = new Probe(sim);
    await sim.waitFor(() => hang.fired() === 1);
    const withheld = sim.arm({ name: 'welcome_withheld' });
    const quiet = new Probe(sim);
    await sim.waitFor(() => withheld.fired() === 1 && quiet.socket.readyState === quiet.socket.OPEN);
    expect([hung.socket.readyState, hung.texts.length, quiet.texts.length]).toEqual([0, 0, 0]);
    hung.socket.terminate();
    await sim.waitFor(() => sim.connections[0]?.closedAt !== null, { what: 'the hung client leaving' });
  });

  it('keepalive_silence swallows everything and leaves a zombie', async () => {
    const { probe, sessionId } = await subscribed();
    const fault = sim.arm({ name: 'keepalive_silence', sessionId });
    expect(sim.send('channel.chat.message')).toMatchObject([{ delivered: false }]);
    expect([fault.fired(), probe.ofType('notification').length]).toEqual([1, 0]);
    probe.socket.terminate();
    await sim.waitFor(() => sim.sessions()[0]?.state === 'zombie');
    expect(sim.subscriptions()).toMatchObject([{ status: 'enabled', zombie: true }]);
  });

  it('close_after_welcome and welcome_late', async () => {
    const late = sim.arm({ name: 'welcome_late', delayMs: 10 });
    const close = sim.arm({ name: 'close_after_welcome', code: 4000 });
    expect(await new Probe(sim).closed()).toBe(4000);
    expect([late.fired(), close.fired()]).toEqual([1, 1]);
  });

  it.each([
    { spec: { name: 'malformed_frame' }, extra: 1, parsed: 1 },
    { spec: { name: 'truncated_frame' }, extra: 1, parsed: 1 },
    { spec: { name: 'unknown_message_type' }, extra: 1, parsed: 2 },
    { spec: { name: 'duplicate_notifications' }, extra: 1, parsed: 2 },
  ] as const)('$spec.name', async ({ spec, extra, parsed }) => {
    const { probe } = await subscribed();
    const fault = sim.arm(spec);
    const [sent] = sim.send('channel.chat.message');
    const others = (): string[] =>
      probe.texts.filter((text) => !text.includes('session_welcome') && !text.includes('session_keepalive'));
    await sim.waitFor(() => others().length === 1 + extra);
    const wellFormed = probe.frames.filter(
      (frame) => !/welcome|keepalive/u.test(frame.metadata.message_type),
    );
    expect([fault.fired(), wellFormed.length]).toEqual([1, parsed]);
    expect(others().at(-1)).toBe(sent?.text);
  });

  it('reorder_notifications', async () => {
    const { probe } = await subscribed();
    const fault = sim.arm({ name: 'reorder_notifications' });
    for (const messageId of ['first', 'second']) sim.send('channel.chat.message', {}, {}, { messageId });
    await sim.waitFor(() => probe.ofType('notification').length === 2);
    const order = probe.ofType('notification').map((frame) => frame.metadata.message_id);
    expect([order, fault.fired()]).toEqual([['second', 'first'], 1]);
  });

  it('a burst arrives whole, in order', async () => {
    const { probe } = await subscribed();
    const sent = sim.sendBurst(sim.subscriptions()[0]?.id ?? '', 1_000);
    await sim.waitFor(() => probe.texts.filter((text) => text.includes('"notification"')).length === 1_000);
    expect(probe.texts.filter((text) => text.includes('"notification"'))).toEqual(
      sent.map((one) => one.text),
    );
  });
});

describe('hand-over faults', () => {
  it('reconnect_refused, reconnect_url_4007, then a late welcome', async () => {
    const { sessionId } = await subscribed();
    const refused = sim.arm({ name: 'reconnect_refused' });
    const url = sim.requestReconnect(sessionId);
    const first = new Probe(sim, url);
    await sim.waitFor(() => first.refusedWith === 503);
    const invalid = sim.arm({ name: 'reconnect_url_4007' });
    expect(await new Probe(sim, url).closed()).toBe(4007);
    const late = sim.arm({ name: 'handover_welcome_late', delayMs: 20 });
    await new Probe(sim, url).welcomed();
    expect([refused.fired(), invalid.fired(), late.fired()]).toEqual([1, 1, 1]);
  });

  it('old_socket_dies_during_handover keeps the subscriptions for the new one', async () => {
    const { probe, sessionId } = await subscribed();
    const fault = sim.arm({ name: 'old_socket_dies_during_handover' });
    const next = new Probe(sim, sim.requestReconnect(sessionId));
    const nextId = await next.welcomed();
    expect([await probe.closed(), fault.fired()]).toEqual([1006, 1]);
    expect(sim.subscriptions()).toMatchObject([{ sessionId: nextId, status: 'enabled', zombie: false }]);
  });

  it('handover_double_delivery', async () => {
    const { probe, sessionId } = await subscribed();
    const fault = sim.arm({ name: 'handover_double_delivery' });
    const next = new Probe(sim, sim.requestReconnect(sessionId));
    await next.welcomed();
    sim.send('channel.chat.message');
    await sim.waitFor(() => probe.ofType('notification').length + next.ofType('notification').length === 2);
    expect([probe.ofType('notification').length, fault.fired()]).toEqual([1, 1]);
  });
});

describe('HTTP faults', () => {
  it.each([
    { on: 'create', status: 403, expected: 'subscription missing proper authorization' },
    {
      on: 'create',
      status: 429,
      flavour: 'transports',
      expected: 'number of websocket transports limit exceeded',
    },
    { on: 'create', status: 429, flavour: 'rate_limit', expected: /rate limit/u },
    { on: 'create', status: 409, expected: 'subscription already exists' },
    { on: 'create', status: 500, message: 'boom', expected: 'boom' },
  ] as const)('helix $status ($expected)', async ({ expected, ...spec }) => {
    const fault = sim.arm({ name: 'helix', ...spec, match: { type: CHAT.type } });
    const sessionId = await new Probe(sim).welcomed();
    const answer = await subscribe(sim, token, sessionId, CHAT);
    expect([answer.status, fault.fired()]).toEqual([spec.status, 1]);
    expect(answer.message).toMatch(expected);
    expect(answer.headers.get('ratelimit-limit')).toBe('800');
    expect((await subscribe(sim, token, sessionId, CHAT)).status).toBe(202);
  });

  it('helix_hangs, applied or not, and helix_half_answer', async () => {
    const sessionId = await new Probe(sim).welcomed();
    const create = (channel: string): Promise<unknown> =>
      subscribe(sim, token, sessionId, {
        ...CHAT,
        condition: { broadcaster_user_id: channel, user_id: BOT },
        signal: AbortSignal.timeout(60),
      });
    const lost = sim.arm({ name: 'helix_hangs', on: 'create', ms: 150 });
    await expect(create('1')).rejects.toThrow(/timeout/u);
    const applied = sim.arm({ name: 'helix_hangs', on: 'create', ms: 150, applied: true });
    await expect(create('2')).rejects.toThrow(/timeout/u);
    const half = sim.arm({ name: 'helix_half_answer', on: 'create' });
    await expect(create('3')).rejects.toThrow();
    expect([lost.fired(), applied.fired(), half.fired()]).toEqual([1, 1, 1]);
    expect(sim.subscriptions().map((item) => item.condition.broadcaster_user_id)).toEqual(['2', '3']);
  });

  it('event_before_create_answer, revoke_after_create, session_dies_on_create', async () => {
    const probe = new Probe(sim);
    const sessionId = await probe.welcomed();
    const early = sim.arm({ name: 'event_before_create_answer', delayMs: 30 });
    const revoke = sim.arm({ name: 'revoke_after_create', status: 'version_removed' });
    await subscribe(sim, token, sessionId, CHAT);
    expect(probe.ofType('notification')).toHaveLength(1);
    await sim.waitFor(() => probe.ofType('revocation').length === 1);
    const death = sim.arm({ name: 'session_dies_on_create' });
    expect((await subscribe(sim, token, sessionId, CHAT)).status).toBe(400);
    expect([early.fired(), revoke.fired(), death.fired()]).toEqual([1, 1, 1]);
  });

  it('auth', async () => {
    const fault = sim.arm({ name: 'auth', on: 'validate', status: 503 });
    const validate = async (): Promise<number> =>
      (await fetch(`${sim.url}/oauth2/validate`, { headers: { authorization: `OAuth ${token}` } })).status;
    expect([await validate(), await validate(), fault.fired()]).toEqual([503, 200, 1]);
  });

  it('counts times, disarms, and can be driven over HTTP', async () => {
    const twice = sim.arm({ name: 'helix', on: 'list', status: 500, times: 2 });
    const list = async (): Promise<number> => (await helix(sim, { token })).status;
    expect([await list(), await list(), await list(), twice.fired()]).toEqual([500, 500, 200, 2]);
    const armed = await fetch(`${sim.url}/control/faults`, {
      method: 'POST',
      body: JSON.stringify({ name: 'helix', on: 'list', status: 503 }),
    });
    expect(armed.status).toBe(200);
    expect([await list(), sim.faults().at(-1)?.fired]).toEqual([503, 1]);
    sim.arm({ name: 'helix', on: 'list', status: 500 }).disarm();
    expect(await list()).toBe(200);
    expect(
      (await fetch(`${sim.url}/control/faults`, { method: 'POST', body: '{"name":"nap"}' })).status,
    ).toBe(400);
  });
});
