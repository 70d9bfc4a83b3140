// Owns the proof that the simulator keeps Twitch's rules: limits, refusals, close codes, hand-over, tokens.
// Faults are proved in simulator-faults.test.ts.
import { afterEach, describe, expect, it } from 'vitest';
import { startSimulator } from '../simulator/index.ts';
import type { Simulator, SimulatorOptions } from '../simulator/index.ts';
import { helix, Probe, subscribe } from '../simulator/probe.ts';

const BOT = '1001';
const CHAT = { type: 'channel.chat.message', condition: { broadcaster_user_id: '2002', user_id: BOT } };
const ONLINE = { type: 'stream.online', condition: { broadcaster_user_id: '2002' } };
const NO_SESSION = 'websocket transport session does not exist or has already disconnected';

const running: Simulator[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((sim) => sim.close()));
});

async function start(options: SimulatorOptions = {}): Promise<{ sim: Simulator; token: string }> {
  const sim = await startSimulator(options);
  running.push(sim);
  sim.addUser({ id: BOT, login: 'relaybot' });
  return { sim, token: sim.grant({ userId: BOT, scopes: ['user:read:chat'] }).accessToken };
}

async function startWithSession(options: SimulatorOptions = {}): Promise<{
  sim: Simulator;
  token: string;
  probe: Probe;
  sessionId: string;
}> {
  const { sim, token } = await start(options);
  const probe = new Probe(sim);
  return { sim, token, probe, sessionId: await probe.welcomed() };
}

describe('connection rules', () => {
  it.each([
    { query: '', announced: 10 },
    { query: '?keepalive_timeout_seconds=1', announced: 10 },
    { query: '?keepalive_timeout_seconds=42', announced: 42 },
    { query: '?keepalive_timeout_seconds=9999', announced: 600 },
  ])('announces $announced s for "$query"', async ({ query, announced }) => {
    const { sim } = await start();
    const probe = new Probe(sim, `${sim.eventSubUrl}${query}`);
    await probe.welcomed();
    expect(probe.frames[0]?.payload.session).toMatchObject({
      status: 'connected',
      keepalive_timeout_seconds: announced,
      reconnect_url: null,
    });
    expect(probe.frames[0]?.metadata.message_timestamp).toMatch(/T[\d:]+\.\d{9}Z$/u);
  });

  it('sends keepalives only while nothing else is delivered', async () => {
    const { sim, token, probe, sessionId } = await startWithSession({ keepaliveSeconds: 0.1 });
    await subscribe(sim, token, sessionId, CHAT);
    await sim.waitFor(() => probe.ofType('session_keepalive').length >= 2, { what: 'two keepalives' });
    const before = probe.ofType('session_keepalive').length;
    await sim.waitFor(() => {
      sim.send('channel.chat.message');
      return probe.ofType('notification').length >= 15;
    });
    expect(probe.ofType('session_keepalive').length - before).toBeLessThanOrEqual(1);
  });

  it('4003: no subscription in time; never for a session that once had one', async () => {
    const { sim, token } = await start({ firstSubscriptionDeadlineMs: 80 });
    const [idle, used] = [new Probe(sim), new Probe(sim)];
    const id = await used.welcomed();
    expect((await subscribe(sim, token, id, CHAT)).status).toBe(202);
    expect(await idle.closed()).toBe(4003);
    expect(sim.sessions().find((session) => session.id === id)?.open).toBe(true);
  });

  it.each(['message', 'ping'] as const)('4001: the client sends a %s', async (what) => {
    const { sim, token, probe, sessionId } = await startWithSession();
    await subscribe(sim, token, sessionId, CHAT);
    if (what === 'ping') probe.socket.ping();
    else probe.socket.send('hello');
    expect(await probe.closed()).toBe(4001);
    expect(sim.subscriptions()[0]?.status).toBe('websocket_received_inbound_traffic');
  });

  it('4002: the client does not pong', async () => {
    const { sim } = await start({ pingIntervalMs: 30 });
    const mute = new Probe(sim, sim.eventSubUrl, { autoPong: false });
    const polite = new Probe(sim);
    await polite.welcomed();
    expect(await mute.closed()).toBe(4002);
    expect(polite.closeCode).toBeNull();
  });

  it.each([4000, 4005, 4006])('closes with %i on request', async (code) => {
    const { sim, probe, sessionId } = await startWithSession();
    sim.closeSession(sessionId, code);
    expect(await probe.closed()).toBe(code);
    expect(sim.connections[0]).toMatchObject({ closeCode: code, byClient: false });
  });
});

describe('hand-over', () => {
  it('moves the subscriptions on the new welcome, the old socket delivering until then; 4004 after the grace', async () => {
    const { sim, token, probe, sessionId } = await startWithSession();
    await subscribe(sim, token, sessionId, CHAT);
    const url = sim.requestReconnect(sessionId, { graceMs: 150 });
    sim.send('channel.chat.message', {}, {}, { messageId: 'during' });
    await sim.waitFor(() => probe.ofType('notification').length === 1);
    expect(probe.ofType('session_reconnect')[0]?.payload.session).toMatchObject({
      id: sessionId,
      status: 'reconnecting',
      reconnect_url: url,
      keepalive_timeout_seconds: null,
    });
    const next = new Probe(sim, url);
    const nextId = await next.welcomed();
    expect(nextId).not.toBe(sessionId);
    sim.send('channel.chat.message', {}, {}, { messageId: 'after' });
    await sim.waitFor(() => next.ofType('notification').length === 1);
    expect(probe.ofType('notification')).toHaveLength(1);
    expect(sim.subscriptions()).toMatchObject([{ sessionId: nextId, status: 'enabled' }]);
    expect(await probe.closed()).toBe(4004);
    expect(sim.subscriptions()).toMatchObject([{ status: 'enabled' }]);
  });

  it('4007: an unknown URL, a used one, and one whose old socket was closed first', async () => {
    const { sim, probe, sessionId } = await startWithSession();
    expect(await new Probe(sim, `ws://127.0.0.1:${sim.port}/eventsub/ws?challenge=x`).closed()).toBe(4007);
    const url = sim.requestReconnect(sessionId);
    const next = new Probe(sim, url);
    const nextId = await next.welcomed();
    expect(await new Probe(sim, url).closed()).toBe(4007);
    probe.socket.close(1000);
    const lost = sim.requestReconnect(nextId);
    next.socket.close(1000);
    await sim.waitFor(() => sim.sessions().every((session) => !session.open));
    expect(await new Probe(sim, lost).closed()).toBe(4007);
  });

  it('ends the subscriptions when nobody came in time', async () => {
    const { sim, token, probe, sessionId } = await startWithSession();
    await subscribe(sim, token, sessionId, CHAT);
    const url = sim.requestReconnect(sessionId, { graceMs: 30 });
    expect(await probe.closed()).toBe(4004);
    expect(sim.subscriptions()).toMatchObject([{ status: 'websocket_failed_to_reconnect' }]);
    expect(await new Probe(sim, url).closed()).toBe(4007);
  });
});

describe('creating', () => {
  it.each([
    { why: 'unknown type', wish: { type: 'channel.nap', condition: {} }, status: 400 },
    { why: 'unknown version', wish: { ...ONLINE, version: '9' }, status: 400 },
    { why: 'removed version', wish: { ...ONLINE, type: 'channel.follow' }, status: 410 },
    {
      why: 'webhook only',
      wish: { type: 'user.authorization.grant', condition: { client_id: 'x' } },
      status: 400,
    },
    { why: 'missing field', wish: { ...CHAT, condition: { broadcaster_user_id: '2002' } }, status: 400 },
    {
      why: 'both ends of a raid',
      wish: {
        type: 'channel.raid',
        condition: { from_broadcaster_user_id: '1', to_broadcaster_user_id: '2' },
      },
      status: 400,
    },
    {
      why: 'missing scope',
      wish: { type: 'channel.cheer', condition: { broadcaster_user_id: BOT } },
      status: 403,
    },
    {
      why: 'another user',
      wish: { ...CHAT, condition: { broadcaster_user_id: '2', user_id: '3' } },
      status: 403,
    },
  ])('refuses: $why', async ({ wish, status }) => {
    const { sim, token, sessionId } = await startWithSession();
    expect((await subscribe(sim, token, sessionId, wish)).status).toBe(status);
    expect(sim.subscriptions()).toEqual([]);
  });

  it('wants the token of the user whose session it is, and a session that exists', async () => {
    const { sim, token, sessionId } = await startWithSession();
    const other = sim.grant({ userId: '1002', scopes: [] }).accessToken;
    expect((await subscribe(sim, token, sessionId, CHAT)).status).toBe(202);
    expect(await subscribe(sim, other, sessionId, ONLINE)).toMatchObject({
      status: 400,
      message: 'websocket transport cannot have subscriptions created by different users',
    });
    expect(await subscribe(sim, token, 'nowhere', ONLINE)).toMatchObject({
      status: 400,
      message: NO_SESSION,
    });
    expect((await subscribe(sim, 'nonsense', sessionId, ONLINE)).status).toBe(401);
  });

  it('409 names the twin; a twin on another session conflicts only where asked for', async () => {
    const { sim, token, sessionId } = await startWithSession();
    const first = await subscribe(sim, token, sessionId, CHAT);
    expect(await subscribe(sim, token, sessionId, CHAT)).toMatchObject({ status: 409, ids: first.ids });
    const second = await new Probe(sim).welcomed();
    expect((await subscribe(sim, token, second, CHAT)).status).toBe(202);
    const strict = await startWithSession({ conflictScope: 'user' });
    const planted = strict.sim.plant({ userId: BOT, sessionId: 'zombie', ...CHAT });
    expect(await subscribe(strict.sim, strict.token, strict.sessionId, CHAT)).toMatchObject({
      status: 409,
      ids: [planted.id],
    });
  });

  it('counts cost: strangers cost 1 up to 10, authorized users and authorized types nothing', async () => {
    const { sim, token, sessionId } = await startWithSession();
    const online = (id: number) =>
      subscribe(sim, token, sessionId, { ...ONLINE, condition: { broadcaster_user_id: String(id) } });
    for (let id = 1; id <= 10; id++) expect((await online(id)).status).toBe(202);
    expect(await online(11)).toMatchObject({ status: 429 });
    sim.grant({ userId: '11', scopes: [] });
    expect((await online(11)).status).toBe(202);
    expect((await subscribe(sim, token, sessionId, CHAT)).status).toBe(202);
    expect((await helix(sim, { token })).body).toMatchObject({
      total: 12,
      total_cost: 10,
      max_total_cost: 10,
    });
  });

  it('429: subscriptions per session, transports per user, the same thing three times', async () => {
    const { sim, token, sessionId } = await startWithSession({ maxSubscriptionsPerSession: 2 });
    const chat = (channel: string, on = sessionId) =>
      subscribe(sim, token, on, { ...CHAT, condition: { broadcaster_user_id: channel, user_id: BOT } });
    expect((await chat('1')).status).toBe(202);
    expect((await chat('2')).status).toBe(202);
    expect(await chat('3')).toMatchObject({ status: 429 });
    for (const probe of [new Probe(sim), new Probe(sim)]) {
      expect((await chat('1', await probe.welcomed())).status).toBe(202);
    }
    expect(await chat('9', await new Probe(sim).welcomed())).toMatchObject({
      status: 429,
      message: 'number of websocket transports limit exceeded',
    });
    const other = sim.grant({ userId: '1002', scopes: [] }).accessToken;
    for (const user of ['1003', '1004', '1005']) sim.plant({ userId: user, sessionId: user, ...ONLINE });
    expect(await subscribe(sim, other, await new Probe(sim).welcomed(), ONLINE)).toMatchObject({
      status: 429,
      message: 'maximum subscriptions with type and condition exceeded',
    });
  });

  it.each([
    { limit: { chatJoinsPerWindow: 2 }, what: 'joins in the window' },
    { limit: { maxJoinedChannels: 2 }, what: 'joined channels' },
  ])('403 above the limit of $what, worded like a missing scope', async ({ limit }) => {
    const { sim, token, sessionId } = await startWithSession(limit);
    const statuses: string[] = [];
    for (const channel of ['1', '2', '3']) {
      const condition = { broadcaster_user_id: channel, user_id: BOT };
      const answer = await subscribe(sim, token, sessionId, { ...CHAT, condition });
      statuses.push(`${answer.status} ${answer.message ?? ''}`.trim());
    }
    expect(statuses).toEqual(['202', '202', '403 subscription missing proper authorization']);
  });

  it('keeps dead sessions enabled while it has not noticed, and they count', async () => {
    const { sim, token, sessionId } = await startWithSession({ maxTransports: 1 });
    await subscribe(sim, token, sessionId, CHAT);
    sim.dropSession(sessionId, { zombieMs: 150 });
    const next = await new Probe(sim).welcomed();
    expect(sim.subscriptions()).toMatchObject([{ status: 'enabled', zombie: true }]);
    expect(sim.send('channel.chat.message')).toMatchObject([{ delivered: false, connectionId: null }]);
    expect((await subscribe(sim, token, next, CHAT)).status).toBe(429);
    await sim.waitFor(() => sim.subscriptions()[0]?.status === 'websocket_network_error');
    expect((await subscribe(sim, token, next, CHAT)).status).toBe(202);
  });

  it('429 with headers when the bucket is empty, and headers on every answer', async () => {
    const { sim, token } = await start({ rateLimitPerMinute: 2 });
    const answers = [await helix(sim, { token }), await helix(sim, { token }), await helix(sim, { token })];
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 429]);
    expect(answers.map((answer) => answer.headers.get('ratelimit-remaining'))).toEqual(['1', '0', '0']);
    expect(Number(answers[2]?.headers.get('ratelimit-reset'))).toBeGreaterThan(Date.now() / 1_000);
    expect((await helix(sim, { token: 'bad' })).headers.get('ratelimit-limit')).toBe('2');
  });
});

describe('listing, deleting, tokens', () => {
  it('pages by 100, takes one filter, shows only one’s own, deletes once', async () => {
    const { sim, token } = await start();
    const planted = Array.from({ length: 130 }, (_, n) =>
      sim.plant({ ...ONLINE, userId: BOT, sessionId: 's', condition: { broadcaster_user_id: String(n) } }),
    );
    sim.plant({ ...ONLINE, userId: 'other', sessionId: 't' });
    const first = await helix(sim, { token });
    expect(first.ids).toHaveLength(100);
    const cursor = /"cursor":"(?<cursor>[^"]+)"/u.exec(JSON.stringify(first.body))?.groups?.cursor ?? '';
    const base = '/helix/eventsub/subscriptions';
    expect((await helix(sim, { token, path: `${base}?after=${cursor}` })).ids).toHaveLength(30);
    expect((await helix(sim, { token, path: `${base}?user_id=7` })).ids).toEqual([planted[7]?.id]);
    expect((await helix(sim, { token, path: `${base}?user_id=7&type=x` })).status).toBe(400);
    const remove = { token, method: 'DELETE', path: `${base}?id=${planted[7]?.id ?? ''}` };
    expect((await helix(sim, remove)).status).toBe(204);
    expect((await helix(sim, remove)).status).toBe(404);
  });

  it('a revoked grant ends its subscriptions and its refresh tokens', async () => {
    const { sim, token, probe, sessionId } = await startWithSession();
    await subscribe(sim, token, sessionId, CHAT);
    const { refreshToken } = sim.grant({ userId: BOT, scopes: [] });
    sim.revokeGrant(BOT);
    await sim.waitFor(() => probe.ofType('revocation').length === 1);
    expect(probe.ofType('revocation')[0]).toMatchObject({
      metadata: { subscription_type: 'channel.chat.message', subscription_version: '1' },
      payload: { subscription: { status: 'authorization_revoked' } },
    });
    expect((await helix(sim, { token })).status).toBe(401);
    expect((await refresh(sim, refreshToken)).status).toBe(400);
  });

  it.each([true, false])('refreshes with rotation %s', async (rotateRefreshTokens) => {
    const { sim } = await start({ rotateRefreshTokens });
    const { refreshToken } = sim.grant({ userId: BOT, scopes: ['a', 'b'] });
    const answer = await refresh(sim, refreshToken);
    expect(answer).toMatchObject({ status: 200, body: { scope: ['a', 'b'], token_type: 'bearer' } });
    expect((await refresh(sim, refreshToken)).status).toBe(rotateRefreshTokens ? 400 : 200);
  });

  it('signs a user in by code and by device', async () => {
    const { sim } = await start();
    const client = { client_id: sim.clientId, client_secret: sim.clientSecret };
    const redirect = 'http://localhost/back';
    const query = new URLSearchParams({
      ...client,
      redirect_uri: redirect,
      response_type: 'code',
      state: 's1',
    });
    const consent = await fetch(`${sim.url}/oauth2/authorize?${query.toString()}`, { redirect: 'manual' });
    const back = new URL(consent.headers.get('location') ?? '');
    expect(back.searchParams.get('state')).toBe('s1');
    const code = back.searchParams.get('code') ?? '';
    const exchange = { ...client, grant_type: 'authorization_code', code, redirect_uri: redirect };
    expect((await post(sim, 'token', exchange)).status).toBe(200);
    expect((await post(sim, 'token', exchange)).status).toBe(400);
    const device = await post(sim, 'device', { client_id: sim.clientId, scopes: 'user:read:chat' });
    const poll = {
      client_id: sim.clientId,
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: device.text('device_code'),
    };
    expect(await post(sim, 'token', poll)).toMatchObject({
      status: 400,
      body: { message: 'authorization_pending' },
    });
    expect(sim.answerDevice(device.text('user_code'), BOT)).toBe(true);
    expect(await post(sim, 'token', poll)).toMatchObject({
      status: 200,
      body: { scope: ['user:read:chat'] },
    });
  });
});

interface AuthAnswer {
  status: number;
  body: unknown;
  text: (field: string) => string;
}

async function post(sim: Simulator, name: string, params: Record<string, string>): Promise<AuthAnswer> {
  const response = await fetch(`${sim.url}/oauth2/${name}`, {
    method: 'POST',
    body: new URLSearchParams(params),
  });
  const body: unknown = await response.json();
  const fields = new Map(Object.entries(typeof body === 'object' && body !== null ? body : {}));
  return { status: response.status, body, text: (field) => String(fields.get(field)) };
}

function refresh(sim: Simulator, refreshToken: string): Promise<AuthAnswer> {
  return post(sim, 'token', {
    client_id: sim.clientId,
    client_secret: sim.clientSecret,
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
  });
}
