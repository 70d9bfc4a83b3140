// The client's calls over HTTP: paths, pages, parsed answers, and errors that say what went wrong without a secret.
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createHttp } from '../../src/client/http.ts';
import {
  createAdminClient,
  createRelayClient,
  isEndpointEvent,
  isGap,
  RelayApiError,
  RelayInterestError,
} from '../../src/client/index.ts';
import { eventOf, problemOf, scriptedRelay, secret } from './client-scripted-relay.ts';
import type { ScriptedRelay } from './client-scripted-relay.ts';

let relay: ScriptedRelay;
beforeEach(async () => {
  relay = await scriptedRelay();
});
afterEach(async () => {
  await relay[Symbol.asyncDispose]();
});

const uuid = '8f14e45f-ceea-4672-a1b2-93f8d3a1c001';
const interest = (state: string, more: object = {}) => ({
  id: uuid,
  service_account_id: uuid,
  bot_account_id: uuid,
  event_type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: '1' },
  broadcaster_user_id: '1',
  transport: 'websocket',
  webhook_url: null,
  endpoint_id: null,
  topic_id: uuid,
  state,
  reason: null,
  code: null,
  retry_at: null,
  created_at: '2026-11-21T03:00:00.000Z',
  ...more,
});
const wish = { bot_account_id: uuid, event_type: 'channel.follow', transport: 'websocket' } as const;

it('refuses a login that cannot work', () => {
  const login = { clientId: 'a', clientSecret: 'b' };
  expect(() => createRelayClient({ url: 'ftp://x', ...login })).toThrow(/^url: /);
  expect(() => createRelayClient({ url: 'http://me:secret@x', ...login })).toThrow(/^url: (?!.*secret)/);
  expect(() => createRelayClient({ url: relay.url, clientId: '', clientSecret: 'b' })).toThrow(/clientId/);
  expect(() => createAdminClient({ url: relay.url, adminKey: '' })).toThrow(/adminKey/);
});

it('turns a problem document into an error with its members and without the secret', async () => {
  const errors = [{ path: 'event_type', message: 'unknown; did you mean channel.follow?' }];
  relay.answer = () => ({
    ...problemOf(429, 'over_budget', 'no', { errors }),
    headers: { 'retry-after': '7' },
  });
  const error = await relay
    .client()
    .interests.create(wish)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RelayApiError);
  expect(error).toMatchObject({
    status: 429,
    code: 'over_budget',
    detail: 'no',
    errors,
    requestId: 'r-1',
    retryAfterMs: 7_000,
  });
  expect(String(error)).toContain('event_type: unknown');
  expect(String(error) + JSON.stringify(error)).not.toContain(secret);
});

it('tells an answer that is no problem, one that has not the promised shape, and no answer apart', async () => {
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'resolved',
      (error: unknown) => (error instanceof RelayApiError ? error.code : 'another error'),
    );
  expect(await codeOf(relay.client().bots())).toBe('http_404');
  relay.answer = () => ({ status: 200, body: { bots: 'many' } });
  expect(await codeOf(relay.client().bots())).toBe('unexpected_answer');
  const gone = createRelayClient({ url: 'http://127.0.0.1:1', clientId: 'a', clientSecret: secret });
  expect(await codeOf(gone.bots())).toBe('unreachable');
});

it('follows the pages of a list, and only by their query', async () => {
  relay.answer = (path) =>
    path.includes('after=')
      ? { status: 200, body: [interest('pending')] }
      : {
          status: 200,
          body: [interest('active')],
          headers: { link: '<http://elsewhere.invalid/v1/interests?limit=1&after=x>; rel="next"' },
        };
  const all = await relay.client().interests.list();
  expect(all.map(({ state }) => state)).toEqual(['active', 'pending']);
  expect(relay.requests.map(({ path }) => path)).toEqual([
    '/v1/interests?limit=1000',
    '/v1/interests?limit=1&after=x',
  ]);
});

it('says so when the address of the next page is none, instead of taking the list for whole', async () => {
  relay.answer = () => ({
    status: 200,
    body: [interest('active')],
    headers: { link: '<http://[>; rel="next"' },
  });
  await expect(relay.client().interests.list()).rejects.toMatchObject({
    name: 'RelayApiError',
    code: 'unexpected_answer',
  });
});

it('ensures an interest until it is active, and keeps the secret of the call that made it', async () => {
  const answers = [
    interest('pending', { webhook_secret: 'whsec_x' }),
    interest('pending'),
    interest('active'),
  ];
  relay.answer = () => ({ status: 200, body: answers.shift() });
  const made = await relay.client().interests.ensure(wish);
  expect(made).toMatchObject({ state: 'active', webhook_secret: 'whsec_x' });
});

it('rejects with the reason when an interest is refused, and when the time is up', async () => {
  const { interests } = relay.client();
  relay.answer = () => ({ status: 200, body: interest('rejected', { reason: 'banned' }) });
  await expect(interests.ensure(wish)).rejects.toMatchObject({ state: 'rejected', reason: 'banned' });
  relay.answer = () => ({ status: 200, body: interest('pending') });
  await expect(interests.ensure(wish, { withinMs: 0 })).rejects.toMatchObject({ state: 'pending' });
});

it('keeps the secret of an endpoint that was made although the interest did not become active', async () => {
  const { interests } = relay.client();
  const made = interest('pending', { webhook_secret: 'whsec_x' });
  const failures = [
    { status: 200, body: interest('rejected') },
    { status: 200, body: interest('pending', { webhook_secret: undefined }) },
    problemOf(503, 'database_unavailable', 'the database does not answer'),
  ];
  for (const failure of failures) {
    const answers = [{ status: 200, body: made }, failure];
    relay.answer = () => answers.shift() ?? failure;
    const error: unknown = await interests.ensure(wish, { withinMs: 50 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RelayInterestError);
    expect(error).toMatchObject({ webhookSecret: 'whsec_x' });
    expect(inspect(error) + JSON.stringify(error)).not.toContain('whsec_x');
  }
  relay.answer = () => problemOf(503, 'database_unavailable', 'the database does not answer');
  await expect(interests.ensure(wish)).rejects.toBeInstanceOf(RelayApiError);
});

it('pulls, acknowledges and administrates over the documented paths', async () => {
  const gap = { cause: 'restart', bot_account_id: null, topic_ids: [], from: 'a', to: 'b' };
  const view = { name: 'o v', position: 'c', head: 'c', behind_events: 0, connected: true, updated_at: 't' };
  relay.answer = (path) => {
    if (path.startsWith('/v1/events')) {
      const event = { ...eventOf(1), provider: 'relay', type: 'relay.gap', event: gap };
      return { status: 200, body: { events: [event], next: 'c1', head: 'c1' } };
    }
    if (path.startsWith('/v1/consumers')) return { status: 200, body: view };
    return { status: 200, body: { deleted: true } };
  };
  const client = relay.client();
  const page = await client.pull({ after: 'c0', limit: 5, types: ['a', 'b'], wait: 1 });
  const [event] = page.events;
  expect(event && isGap(event) && event.event.cause).toBe('restart');
  await client.ack('o v', 'c1');
  await client.interests.remove(uuid);
  await createAdminClient({ url: `${relay.url}/prefix/`, adminKey: 'k' }).serviceAccounts.remove('svc');
  expect(relay.requests.map(({ method, path, body }) => [method, path, body])).toEqual([
    ['GET', '/v1/events?after=c0&limit=5&types=a%2Cb&wait=1', ''],
    ['POST', '/v1/consumers/o%20v/ack', '{"cursor":"c1"}'],
    ['DELETE', `/v1/interests/${uuid}`, ''],
    ['DELETE', '/prefix/v1/admin/service-accounts/svc', ''],
  ]);
  expect(relay.requests.at(-1)?.headers['x-admin-key']).toBe('k');
});

it('looks after webhook endpoints over the documented paths', async () => {
  const endpoint = {
    id: uuid,
    url: 'https://host/hook',
    description: '',
    state: 'open',
    code: 'timeout',
    reason: 'no answer in time',
    state_since: 't',
    failing_since: 't',
    next_probe_at: 't',
    retry_profile: 'durable',
    order: 'broadcaster',
    max_age_seconds: null,
    concurrency: 8,
    position: 'c1',
    head: 'c2',
    behind_events: 1,
    waiting: 2,
    previous_secret_valid_until: null,
    created_at: 't',
  };
  const outcome = { outcome: 'success', status: 204, duration_ms: 3, response: '' };
  const attempt = {
    ...outcome,
    id: '7',
    endpoint_id: uuid,
    event_id: 'e1',
    cursor: 'c1',
    event_type: 'channel.follow',
    run: null,
    attempt: 1,
    state: 'delivered',
    started_at: 't',
    next_attempt_at: null,
  };
  const secret = { id: uuid, webhook_secret: 'whsec_x', previous_valid_until: null };
  relay.answer = (path) => {
    const { pathname } = new URL(path, relay.url);
    const bodies: Record<string, unknown> = {
      '/v1/endpoints': [endpoint],
      [`/v1/endpoints/${uuid}/rotate-secret`]: secret,
      [`/v1/endpoints/${uuid}/test`]: outcome,
      '/v1/deliveries': [attempt],
      '/v1/deliveries/replay': { run: uuid, events: 2, dry_run: false },
    };
    return { status: 200, body: bodies[pathname] ?? endpoint };
  };
  const client = relay.client();
  const { endpoints } = client;
  expect(await endpoints.list()).toEqual([endpoint]);
  expect((await endpoints.get(uuid)).state).toBe('open');
  await endpoints.update(uuid, { concurrency: 2, max_age_seconds: null });
  expect(await endpoints.rotateSecret(uuid)).toEqual(secret);
  await endpoints.rotateSecret(uuid, { graceSeconds: 0 });
  await endpoints.enable('a/b');
  expect(await endpoints.test(uuid)).toEqual(outcome);
  expect(await client.attempts()).toEqual([attempt]);
  await client.attempts({ endpoint: uuid, state: 'failed', event: 'e1', run: uuid, limit: 5, after: '7' });
  expect(await client.replay({ endpoint_id: uuid, event_ids: ['e1'] })).toMatchObject({
    run: uuid,
    events: 2,
  });
  const path = `/v1/endpoints/${uuid}`;
  expect(relay.requests.map(({ method, path: asked, body }) => [method, asked, body])).toEqual([
    ['GET', '/v1/endpoints?limit=1000', ''],
    ['GET', path, ''],
    ['PATCH', path, '{"concurrency":2,"max_age_seconds":null}'],
    ['POST', `${path}/rotate-secret`, ''],
    ['POST', `${path}/rotate-secret?grace_seconds=0`, ''],
    ['POST', '/v1/endpoints/a%2Fb/enable', ''],
    ['POST', `${path}/test`, ''],
    ['GET', '/v1/deliveries', ''],
    ['GET', `/v1/deliveries?endpoint=${uuid}&state=failed&event=e1&run=${uuid}&limit=5&after=7`, ''],
    ['POST', '/v1/deliveries/replay', `{"endpoint_id":"${uuid}","event_ids":["e1"]}`],
  ]);
});

it('tells the events about an endpoint from everything else', () => {
  const member = { endpoint_id: uuid, code: 'timeout', reason: 'no answer in time', since: 't' };
  const made = (type: string, event: object, provider: 'relay' | 'twitch' = 'relay') => ({
    ...eventOf(1),
    provider,
    type,
    event,
  });
  for (const type of ['degraded', 'disabled', 'recovered'].map((name) => `relay.endpoint.${name}`)) {
    expect(isEndpointEvent(made(type, member))).toBe(true);
    expect(isEndpointEvent(made(type, { ...member, code: null, reason: null, retry_at: 't' }))).toBe(true);
    expect(isEndpointEvent(made(type, {}))).toBe(false);
    expect(isEndpointEvent(made(type, member, 'twitch'))).toBe(false);
  }
  expect(isEndpointEvent(made('relay.endpoint.test', member))).toBe(false);
  const gap = { cause: 'delivery_failed', bot_account_id: null, topic_ids: [], from: 'a', to: 'b' };
  const lost = made('relay.gap', { ...gap, endpoint_id: uuid, events: 2, event_ids: ['e1', 'e2'] });
  expect(isGap(lost) && [lost.event.endpoint_id, lost.event.events, lost.event.event_ids]).toEqual([
    uuid,
    2,
    ['e1', 'e2'],
  ]);
});

it('the time for an answer covers its body', async () => {
  vi.useFakeTimers();
  try {
    const half: typeof fetch = async (_url, init) =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('[1'));
            init?.signal?.addEventListener('abort', () => controller.error(new Error('aborted')));
          },
        }),
      );
    const http = createHttp({ baseUrl: new URL('http://relay.example/'), headers: {}, fetch: half });
    const refused = expect(http.call('/v1/bots', z.unknown())).rejects.toMatchObject({
      code: 'unreachable',
      detail: 'no answer in time',
    });
    await vi.advanceTimersByTimeAsync(20_000);
    await refused;
  } finally {
    vi.useRealTimers();
  }
});
