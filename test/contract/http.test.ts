// What the HTTP surface promises, asked through a real listener over the real store, log and feed.
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from 'vitest';
import * as shapes from '../../src/protocol/rest.ts';
import type { EventDraft } from '../../src/domain/event.ts';
import { topicId, type TopicSpec } from '../../src/domain/topic.ts';
import type { Database } from '../../src/store/database.ts';
import { deferred } from '../../src/runtime/deferred.ts';
import { httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

let place: TestDatabase;
let database: Database;
let world: HttpWorld;
let worker: ServiceCaller;
let botId: string;

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());
beforeEach(async () => {
  await place.reset();
  world = await httpWorld(database);
  const { bot } = await world.store.bots.upsert({
    name: 'bot',
    twitchUserId: '900',
    twitchLogin: 'botty',
    scopes: ['user:read:chat', 'moderator:read:followers'],
    accessToken: 'a-very-secret-token',
    refreshToken: null,
    expiresAt: 1_800_000_000_000,
  });
  botId = bot.id;
  worker = await world.service();
});
afterEach(async () => world[Symbol.asyncDispose]());

const wish = (more: object = {}) => ({
  bot_account_id: botId,
  event_type: 'channel.follow',
  broadcaster_user_id: '12826',
  transport: 'websocket',
  ...more,
});
async function problem(response: Response, status: number, code: string) {
  const body = shapes.problem.parse(await response.json());
  expect([response.status, body.status, body.code]).toEqual([status, status, code]);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(response.headers.get('x-request-id')).toBe(body.request_id);
  return body;
}
const paths = (body: shapes.Problem) => (body.errors ?? []).map((error) => error.path);
const follow = (): TopicSpec => ({
  provider: 'twitch',
  botAccountId: botId,
  type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: '12826', moderator_user_id: '900' },
});
const draft = (n: number, spec = follow()): EventDraft => ({
  id: `message-${n}`,
  provider: 'twitch',
  type: spec.type,
  version: spec.version,
  eventTimestamp: '2026-11-21T03:00:00.123456789Z',
  receivedAt: 1_795_000_000_000 + n,
  botAccountId: botId,
  audience: { kind: 'topic', topicId: topicId(spec) },
  body: `"subscription":{"id":"s"},"event":{"n": ${n}}`,
});
async function created(caller = worker, more: object = {}) {
  const response = await caller.call('POST', '/v1/interests', wish(more));
  expect(response.status).toBe(201);
  return shapes.interestView.parse(await response.json());
}
async function page(caller: ServiceCaller, query = '', signal?: AbortSignal) {
  const response = await caller.call('GET', `/v1/events${query}`, undefined, signal);
  expect(response.status).toBe(200);
  return shapes.eventsPage.parse(await response.json());
}

describe('health, readiness, metrics', () => {
  test('health answers without anything', async () => {
    // Whoever restarts what is unhealthy must not restart a relay because a bot, or Twitch, is in trouble.
    world.status = { ...world.status, healthy: false };
    const response = await fetch(`${world.url}/health`);
    expect(await response.json()).toEqual({ ok: true });
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('ready has a line per check and says 503 when one fails', async () => {
    const good = await fetch(`${world.url}/ready`);
    expect(good.status).toBe(200);
    expect(await good.json()).toMatchObject({
      ready: true,
      checks: [{ name: 'database' }, { name: 'bot bot' }],
    });
    world.status = { ...world.status, healthy: false, detail: '1 of 1 topics waits' };
    const bad = await fetch(`${world.url}/ready`);
    expect(bad.status).toBe(503);
    expect(await bad.json()).toMatchObject({ ready: false });
  });

  test('metrics are for the admin', async () => {
    await problem(await fetch(`${world.url}/metrics`), 401, 'unauthorized');
    const response = await world.admin('GET', '/metrics');
    expect(response.headers.get('content-type')).toContain('openmetrics');
    expect(await response.text()).toMatch(/relay_log_head 0[\s\S]*# EOF/);
  });
});

describe('who is asking', () => {
  test('missing, wrong and disabled credentials are told apart', async () => {
    await problem(await fetch(`${world.url}/v1/interests`), 401, 'unauthorized');
    const wrong = { headers: { 'x-client-id': worker.clientId, 'x-client-secret': 'no' } };
    await problem(await fetch(`${world.url}/v1/interests`, wrong), 401, 'unauthorized');
    await problem(
      await fetch(`${world.url}/v1/bots`, { headers: { 'x-admin-key': 'no' } }),
      401,
      'unauthorized',
    );
    await world.admin('PATCH', `/v1/admin/service-accounts/${worker.clientId}`, { enabled: false });
    await problem(await worker.call('GET', '/v1/interests'), 403, 'account_disabled');
  });
});

describe('bad requests', () => {
  test('unknown paths, methods, bodies and types are problems', async () => {
    await problem(await fetch(`${world.url}/v1/nothing`), 404, 'not_found');
    const method = await world.admin('DELETE', '/v1/admin/service-accounts');
    expect(method.headers.get('allow')).toContain('POST');
    await problem(method, 405, 'method_not_allowed');
    await problem(await worker.call('POST', '/v1/interests', '{"a":'), 400, 'malformed_json');
    await problem(await worker.call('POST', '/v1/interests'), 415, 'unsupported_media_type');
    const large = JSON.stringify({ event_type: 'x'.repeat(70_000) });
    await problem(await worker.call('POST', '/v1/interests', large), 413, 'body_too_large');
    await problem(await fetch(`${world.url}/v1/%E0%A4%A`), 400, 'malformed_path');
    await problem(await worker.call('GET', '/v1/interests/%00'), 422, 'validation');
  });

  test('every field at fault is named with what was given and expected', async () => {
    const body = { bot_account_id: 'nonsense', event_type: 7, transport: 'pigeon' };
    const answer = await problem(await worker.call('POST', '/v1/interests', body), 422, 'validation');
    expect(paths(answer).toSorted()).toEqual(['bot_account_id', 'event_type', 'transport']);
    expect(answer.errors?.find((error) => error.path === 'transport')?.message).toContain('given "pigeon"');
    await problem(await worker.call('POST', '/v1/interests', []), 422, 'validation');
    await problem(
      await worker.call('POST', '/v1/interests', wish({ event_type: 'a\u0000b' })),
      422,
      'validation',
    );
    await problem(await worker.call('POST', '/v1/interests', '{"event_type":"\\ud800"}'), 422, 'validation');
    await problem(await worker.call('GET', '/v1/interests?limit=none'), 422, 'validation');
  });

  test('a secret in a faulty body is not repeated', async () => {
    const response = await world.admin('POST', '/v1/admin/bots/import', { access_token: 12345678, name: '' });
    const text = JSON.stringify(await problem(response, 422, 'validation'));
    expect(text).not.toContain('12345678');
  });
});

describe('service accounts', () => {
  test('live from creation to removal', async () => {
    const made = await world.admin('POST', '/v1/admin/service-accounts?name=second');
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const { client_id, client_secret } = shapes.serviceCreated.parse(await made.json());
    await problem(await world.admin('POST', '/v1/admin/service-accounts?name=second'), 409, 'name_taken');
    await problem(await world.admin('POST', '/v1/admin/service-accounts'), 422, 'validation');
    const listed = await (await world.admin('GET', '/v1/admin/service-accounts')).text();
    expect(listed).toContain(client_id);
    expect(listed).not.toContain(client_secret);
    const renewed = await world.admin(
      'POST',
      `/v1/admin/service-accounts/${client_id}/regenerate?grace_seconds=60`,
    );
    const { previous_valid_until } = shapes.serviceRegenerated.parse(await renewed.json());
    expect(Date.parse(previous_valid_until ?? '') - Date.now()).toBeGreaterThan(50_000);
    const old = { headers: { 'x-client-id': client_id, 'x-client-secret': client_secret } };
    expect((await fetch(`${world.url}/v1/bots/accessible`, old)).status).toBe(200);
    await world.admin('POST', `/v1/admin/service-accounts/${client_id}/regenerate`);
    expect((await fetch(`${world.url}/v1/bots/accessible`, old)).status).toBe(401);
    const path = `/v1/admin/service-accounts/${client_id}`;
    await problem(await world.admin('POST', `${path}/regenerate?grace_seconds=604801`), 422, 'validation');
    expect(await (await world.admin('DELETE', path)).json()).toEqual({ deleted: true });
    await problem(await world.admin('DELETE', path), 404, 'unknown_service');
    await problem(await world.admin('PATCH', path, { enabled: true }), 404, 'unknown_service');
    await problem(await world.admin('POST', `${path}/regenerate`), 404, 'unknown_service');
  });

  test('are listed a page at a time', async () => {
    for (const name of ['a', 'b', 'c']) await world.service(name);
    const first = await world.admin('GET', '/v1/admin/service-accounts?limit=2');
    const link = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await world.admin('GET', link);
    const names = [...(await rows(first)), ...(await rows(second))].map((row) => row.name);
    expect(names).toEqual(['a', 'b', 'c', 'worker']);
    expect(second.headers.get('link')).toBeNull();
  });
});
const rows = async (response: Response) => shapes.serviceView.array().parse(await response.json());

describe('bots and types', () => {
  test('the admin sees everything but tokens, a service what it may use', async () => {
    await created();
    const text = await (await world.admin('GET', '/v1/bots')).text();
    expect(text).not.toContain('secret-token');
    const [bot] = shapes.botView.array().parse(JSON.parse(text));
    expect(bot).toMatchObject({
      subscriptions: { used: 1, limit: 900 },
      cost: { used: 0, limit: 10 },
      topics: { pending: 1 },
    });
    const mine = shapes.accessibleBots.parse(await (await worker.call('GET', '/v1/bots/accessible')).json());
    expect(mine.bots[0]).not.toHaveProperty('session');
    const types: unknown = await (await worker.call('GET', '/v1/eventsub/subscription-types')).json();
    expect(shapes.subscriptionTypeView.array().parse(types)).toHaveLength(88);
  });

  test('a bot is brought in with a token, or the reason is told', async () => {
    const ok = await world.admin('POST', '/v1/admin/bots/import', { access_token: 'good' });
    expect(shapes.botView.parse(await ok.json()).twitch_user_id).toBe('900');
    await problem(
      await world.admin('POST', '/v1/admin/bots/import', { access_token: 'bad' }),
      422,
      'token_invalid',
    );
  });
});

describe('interests', () => {
  test('one row for the same wish in any spelling, also at once', async () => {
    const bodies = [
      {},
      { version: '2' },
      { broadcaster_user_id: null, condition: { broadcaster_user_id: '12826' } },
    ];
    const calls = [...bodies, ...bodies, ...bodies].map((more) =>
      worker.call('POST', '/v1/interests', wish(more)),
    );
    const answers = await Promise.all(calls);
    expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1);
    expect(answers.every((answer) => answer.status === 201 || answer.status === 200)).toBe(true);
    const views = await Promise.all(
      answers.map(async (answer) => shapes.interestView.parse(await answer.json())),
    );
    expect(new Set(views.map((view) => view.id)).size).toBe(1);
    expect(views[0]?.condition).toEqual(follow().condition);
    expect(views[0]?.broadcaster_user_id).toBe('12826');
  });

  test('are their service’s alone', async () => {
    const mine = await created();
    const other = await world.service('other');
    await problem(await other.call('GET', `/v1/interests/${mine.id}`), 404, 'unknown_interest');
    await problem(await other.call('DELETE', `/v1/interests/${mine.id}`), 404, 'unknown_interest');
    await problem(await worker.call('GET', '/v1/interests/nonsense'), 404, 'unknown_interest');
    expect(await (await other.call('GET', '/v1/interests')).json()).toEqual([]);
    expect(await (await worker.call('DELETE', `/v1/interests/${mine.id}`)).json()).toEqual({ deleted: true });
    await problem(await worker.call('GET', `/v1/interests/${mine.id}`), 404, 'unknown_interest');
  });

  test('are listed a page at a time', async () => {
    for (const id of ['1', '2', '3']) await created(worker, { broadcaster_user_id: id });
    const first = await worker.call('GET', '/v1/interests?limit=2');
    const link = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
    const second = await worker.call('GET', link);
    const all = [await first.json(), await second.json()].map(
      (list) => shapes.interestView.array().parse(list).length,
    );
    expect(all).toEqual([2, 1]);
  });

  test('logins and channel addresses become ids', async () => {
    const view = await created(worker, { broadcaster_user_id: 'https://www.twitch.tv/Forsen' });
    expect(view.broadcaster_user_id).toBe('22484632');
    const unknown = await worker.call('POST', '/v1/interests', wish({ broadcaster_user_id: 'nobody_here' }));
    expect(paths(await problem(unknown, 422, 'unknown_user'))).toEqual(['broadcaster_user_id']);
    await problem(
      await worker.call('POST', '/v1/interests', wish({ broadcaster_user_id: 'a b' })),
      422,
      'validation',
    );
  });

  test('bots, types, versions, scopes and transports are told apart', async () => {
    const cases: [object, number, string, string][] = [
      [{ bot_account_id: crypto.randomUUID() }, 404, 'unknown_bot', 'bot_account_id'],
      [{ event_type: 'channel.folow' }, 422, 'unknown_type', 'event_type'],
      [{ version: '9' }, 422, 'unknown_version', 'version'],
      [{ version: '1' }, 422, 'type_removed', 'version'],
      [{ event_type: 'channel.ban', broadcaster_user_id: null }, 422, 'missing_scopes', 'event_type'],
      [{ event_type: 'user.authorization.grant' }, 422, 'not_over_websocket', 'event_type'],
      [{ condition: { nonsense: '1' } }, 422, 'invalid_condition', 'condition.nonsense'],
      [{ transport: 'webhook' }, 422, 'validation', 'webhook_url'],
      [{ transport: 'webhook', webhook_url: 'http://u:p@host/' }, 422, 'validation', 'webhook_url'],
      [{ webhook_url: 'http://127.0.0.1/' }, 422, 'validation', 'webhook_url'],
    ];
    for (const [more, status, code, path] of cases) {
      const answer = await problem(await worker.call('POST', '/v1/interests', wish(more)), status, code);
      expect(paths(answer)).toEqual([path]);
    }
  });

  test('the eleventh paid one is refused with the numbers; a repeated one is not', async () => {
    const online = (id: number) => wish({ event_type: 'channel.online', broadcaster_user_id: String(id) });
    for (let id = 1; id <= 10; id += 1)
      expect((await worker.call('POST', '/v1/interests', online(id))).status).toBe(201);
    const refused = await problem(
      await worker.call('POST', '/v1/interests', online(11)),
      422,
      'budget_exceeded',
    );
    expect(refused.detail).toContain('10 of 10 used, 0 free');
    const again = await worker.call('POST', '/v1/interests', online(10));
    expect(again.status).toBe(200);
    expect(shapes.interestView.parse(await again.json()).event_type).toBe('stream.online');
    expect((await worker.call('POST', '/v1/interests', online(900))).status).toBe(201);
  });

  test('a bot without a grant takes no new wishes but knows the old ones', async () => {
    await created();
    await world.store.bots.setState(botId, 'reauth_required');
    expect((await worker.call('POST', '/v1/interests', wish())).status).toBe(200);
    const fresh = await worker.call('POST', '/v1/interests', wish({ broadcaster_user_id: '5' }));
    await problem(fresh, 422, 'bot_reauth_required');
  });

  test('?wait answers with the verdict as soon as it is there', async () => {
    const answer = worker.call('POST', '/v1/interests?wait=20', wish());
    const topic = await until(async () => (await world.store.topics.all())[0]);
    await world.store.topics.update(topic.id, { state: 'rejected', reason: 'no', code: 'forbidden' });
    const view = shapes.interestView.parse(await (await answer).json());
    expect([view.state, view.reason, view['code']]).toEqual(['rejected', 'no', 'forbidden']);
  });
});

describe('events', () => {
  test('come in order, page by page, with the platform’s own bytes', async () => {
    await created();
    await world.log.append([draft(1), draft(2), draft(3)]);
    const first = await page(worker, '?limit=2');
    expect(first.events.map((event) => event.id)).toEqual(['message-1', 'message-2']);
    const rest = await worker.call('GET', `/v1/events?after=${first.next}`);
    const text = await rest.text();
    expect(text).toContain('"event":{"n": 3}');
    expect(shapes.eventsPage.parse(JSON.parse(text)).next).toBe(first.head);
  });

  test('before the interest or of others are not shown; types narrow', async () => {
    await world.log.append([draft(1)]);
    await created();
    expect((await page(worker)).events).toEqual([]);
    await world.log.append([draft(2)]);
    expect((await page(worker)).events).toHaveLength(1);
    expect((await page(worker, '?types=stream.online')).events).toEqual([]);
    expect((await page(await world.service('other'))).events).toEqual([]);
  });

  test('the long poll ends with an event, with time, and with a stop', async () => {
    await created();
    const { next } = await page(worker);
    const waiting = page(worker, `?after=${next}&wait=20`);
    await until(() => world.watching() === 1);
    await world.log.append([draft(1)]);
    expect((await waiting).events).toHaveLength(1);
    expect((await page(worker, `?after=${(await waiting).next}&wait=0.05`)).events).toEqual([]);
    const stopped = page(worker, '?wait=20&types=none');
    await until(() => world.watching() === 1);
    world.stopping.abort();
    expect((await stopped).events).toEqual([]);
    expect(world.watching()).toBe(0);
  });

  test('a client that goes away leaves no watcher', async () => {
    const leaving = new AbortController();
    const waiting = worker.call('GET', '/v1/events?wait=30', undefined, leaving.signal).catch(() => 'gone');
    await until(() => world.watching() === 1);
    leaving.abort();
    expect(await waiting).toBe('gone');
    await until(() => world.watching() === 0, { what: 'the watcher to be removed' });
  });

  test('cursors that cannot be honoured are refused with the floor', async () => {
    const foreign = Buffer.from('elsewhere.1').toString('base64url');
    const answer = await problem(
      await worker.call('GET', `/v1/events?after=${foreign}`),
      410,
      'cursor_expired',
    );
    expect((await page(worker, `?after=${String(answer['floor'])}`)).events).toEqual([]);
    const ahead = Buffer.from(`${world.feed.epoch}.999`).toString('base64url');
    await problem(await worker.call('GET', `/v1/events?after=${ahead}`), 410, 'cursor_expired');
    await problem(await worker.call('GET', '/v1/events?after=nonsense'), 422, 'validation');
    await problem(await worker.call('GET', '/v1/events?wait=31'), 422, 'validation');
  });
});

describe('consumers and browser tokens', () => {
  test('an acknowledgement moves the position, and lag is counted', async () => {
    await created();
    await world.log.append([draft(1), draft(2)]);
    const { events } = await page(worker);
    const ack = await worker.call('POST', '/v1/consumers/desk/ack', { cursor: events[0]?.cursor });
    const view = shapes.consumerView.parse(await ack.json());
    expect([view.name, view.position, view.behind_events]).toEqual(['desk', events[0]?.cursor, 1]);
    const listed: unknown = await (await worker.call('GET', '/v1/consumers')).json();
    expect(shapes.consumerView.array().parse(listed)).toHaveLength(1);
    await problem(await worker.call('POST', '/v1/consumers/a%20b/ack', { cursor: 'x' }), 422, 'validation');
    await problem(await worker.call('POST', '/v1/consumers/desk/ack', { cursor: 'x' }), 422, 'validation');
  });

  test('a browser token is handed out once and not cached', async () => {
    const response = await worker.call('POST', '/v1/ws-token');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { ws_token, expires_in_seconds } = shapes.wsTokenView.parse(await response.json());
    expect(expires_in_seconds).toBe(120);
    expect((await world.store.wsTokens.redeem(ws_token))?.id).toBe(worker.id);
    expect(await world.store.wsTokens.redeem(ws_token)).toBeUndefined();
  });
});

describe('faults of ours', () => {
  test('a database that is away is 503 with Retry-After; anything else 500 without a word of it', async () => {
    const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const faults: [Error, number, string][] = [
      [new Error('wrapped', { cause: away }), 503, 'database_unavailable'],
      [new Error('hidden-inside'), 500, 'internal_error'],
    ];
    for (const [error, status, code] of faults) {
      await using broken = await httpWorld(database, (deps) => ({
        store: { ...deps.store, bots: { ...deps.store.bots, list: () => Promise.reject(error) } },
      }));
      const response = await broken.admin('GET', '/v1/bots');
      expect(response.headers.get('retry-after')).toBe(status === 503 ? '2' : null);
      const body = await problem(response, status, code);
      expect(JSON.stringify(body)).not.toContain('hidden-inside');
      expect(broken.lines.some((line) => line.includes(body.request_id))).toBe(true);
      expect((await fetch(`${broken.url}/ready`)).status).toBe(503);
    }
  });

  test('however many ask whether it is ready at once, it is looked once, and again for the next', async () => {
    let looks = 0;
    const gate = deferred<void>();
    const check = async () => {
      looks += 1;
      await gate.promise;
      return { ok: true, detail: 'answers' };
    };
    await using slow = await httpWorld(database, () => ({ readiness: [{ name: 'slow', check }] }));
    let entered = 0;
    slow.listener.server.on('request', () => (entered += 1));
    const answers = Array.from({ length: 20 }, () => fetch(`${slow.url}/ready`));
    await until(() => entered === 20 && looks > 0);
    gate.resolve();
    for (const answer of answers) expect((await answer).status).toBe(200);
    expect(looks).toBe(1);
    await fetch(`${slow.url}/ready`);
    expect(looks).toBe(2);
  });

  test('a readiness check that hangs or throws is a failed line', async () => {
    const hang = { name: 'log', check: () => new Promise<never>(() => {}) };
    const boom = { name: 'boom', check: () => Promise.reject(new Error('no')) };
    const clock = new ShiftClock();
    await using broken = await httpWorld(database, () => ({ readiness: [hang, boom], clock }));
    const answer = fetch(`${broken.url}/ready`);
    // Only the check that hangs still has its deadline armed.
    await until(() => clock.pending === 1);
    await clock.advance(2_000);
    const response = await answer;
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ checks: [{ ok: false }, { ok: false }, { ok: true }] });
  });

  test('close ends idle connections and takes no new ones', async () => {
    const extra = await httpWorld(database);
    expect((await fetch(`${extra.url}/health`)).status).toBe(200);
    const startedAt = performance.now();
    await extra[Symbol.asyncDispose]();
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await expect(fetch(`${extra.url}/health`)).rejects.toThrow();
  });
});
