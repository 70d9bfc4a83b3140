// Accounts over HTTP: changing and removing bots, which service may use which, and how a grant is asked for. The rows are
// real; Twitch is played by doubles.
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RelayError } from '../../src/domain/errors.ts';
import * as links from '../../src/protocol/rest-authorizations.ts';
import * as shapes from '../../src/protocol/rest.ts';
import type { Database } from '../../src/store/database.ts';
import { linkedState } from '../support/account-doubles.ts';
import { httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';

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
  botId = await addBot('desk', '900', ['user:read:chat', 'moderator:read:followers']);
  worker = await world.service();
});
afterEach(async () => world[Symbol.asyncDispose]());

async function addBot(name: string, twitchUserId: string, scopes: string[]): Promise<string> {
  const tokens = { accessToken: 'a-very-secret-token', refreshToken: null, expiresAt: null };
  const grant = { name, twitchUserId, twitchLogin: `login_of_${name}`, scopes, ...tokens };
  return (await world.store.bots.upsert(grant)).bot.id;
}
async function problem(response: Response, status: number, code: string) {
  const body = shapes.problem.parse(await response.json());
  expect([response.status, body.code]).toEqual([status, code]);
  return body;
}
const wish = (more: object = {}) => ({
  bot_account_id: botId,
  event_type: 'channel.follow',
  broadcaster_user_id: '12826',
  transport: 'websocket',
  ...more,
});
async function interest(more: object = {}) {
  const made = await worker.call('POST', '/v1/interests', wish(more));
  expect(made.status).toBe(201);
  return shapes.interestView.parse(await made.json());
}
const patchService = (patch: object) =>
  world.admin('PATCH', `/v1/admin/service-accounts/${worker.clientId}`, patch);

describe('a bot', () => {
  test('is renamed, disabled and enabled; what is left out stays', async () => {
    const path = `/v1/admin/bots/${botId}`;
    const renamed = shapes.botView.parse(await (await world.admin('PATCH', path, { name: ' new ' })).json());
    expect([renamed.name, renamed.enabled]).toEqual(['new', true]);
    const off = shapes.botView.parse(await (await world.admin('PATCH', path, { enabled: false })).json());
    expect([off.name, off.enabled]).toEqual(['new', false]);
    const same = await world.admin('PATCH', path, {});
    expect(shapes.botView.parse(await same.json()).enabled).toBe(false);
    const refused = await problem(await worker.call('POST', '/v1/interests', wish()), 422, 'bot_disabled');
    expect(refused.detail).toContain(`PATCH /v1/admin/bots/${botId}`);
  });

  test('is refused a taken name, an unknown member and what is no name', async () => {
    await addBot('other', '901', []);
    const path = `/v1/admin/bots/${botId}`;
    await problem(await world.admin('PATCH', path, { name: 'other' }), 409, 'name_taken');
    await problem(await world.admin('PATCH', path, { enabled: 'yes' }), 422, 'validation');
    await problem(await world.admin('PATCH', path, { state: 'ok' }), 422, 'validation');
  });

  test('is removed with its interests and is then unknown to every call', async () => {
    await interest();
    const path = `/v1/admin/bots/${botId}`;
    const removed = await world.admin('DELETE', path);
    expect(shapes.botRemoved.parse(await removed.json())).toEqual({
      deleted: true,
      interests: 1,
      revoked: true,
    });
    expect(await (await world.admin('GET', '/v1/bots')).json()).toEqual([]);
    await problem(await world.admin('DELETE', path), 404, 'unknown_bot');
    for (const id of [botId, randomUUID(), 'nonsense']) {
      await problem(await world.admin('PATCH', `/v1/admin/bots/${id}`, {}), 404, 'unknown_bot');
      await problem(await world.admin('DELETE', `/v1/admin/bots/${id}`), 404, 'unknown_bot');
      await problem(await world.admin('POST', `/v1/admin/bots/${id}/refresh`), 404, 'unknown_bot');
    }
    await problem(await worker.call('POST', '/v1/interests', wish()), 404, 'unknown_bot');
  });

  test('is refreshed on request, and a refusal of Twitch is passed on', async () => {
    const path = `/v1/admin/bots/${botId}/refresh`;
    expect(shapes.botView.parse(await (await world.admin('POST', path)).json()).id).toBe(botId);
    world.accounts.refusal = new RelayError('no_refresh_token', 422, 'this bot was imported without one');
    await problem(await world.admin('POST', path), 422, 'no_refresh_token');
    expect(world.accounts.refreshes).toBe(2);
  });

  test('is the admin’s alone to change', async () => {
    const calls: [string, string][] = [
      ['PATCH', `/v1/admin/bots/${botId}`],
      ['DELETE', `/v1/admin/bots/${botId}`],
      ['POST', `/v1/admin/bots/${botId}/refresh`],
      ['POST', '/v1/admin/bots/authorize'],
      ['POST', '/v1/admin/bots/device'],
      ['GET', `/v1/admin/authorizations/${randomUUID()}`],
      ['GET', '/v1/admin/checks'],
    ];
    for (const [method, path] of calls) await problem(await worker.call(method, path), 401, 'unauthorized');
    expect(world.authorizations.calls).toEqual([]);
  });
});

describe('a restricted service', () => {
  test('sees and uses only what it was given', async () => {
    const other = await addBot('other', '901', ['user:read:chat']);
    const view = shapes.serviceView.parse(
      await (await patchService({ access_mode: 'restricted', bot_account_ids: [other, other] })).json(),
    );
    expect([view.access_mode, view.bot_account_ids]).toEqual(['restricted', [other]]);
    const mine = shapes.accessibleBots.parse(await (await worker.call('GET', '/v1/bots/accessible')).json());
    expect([mine.access_mode, mine.bots.map((bot) => bot.id)]).toEqual(['restricted', [other]]);
    const refused = await problem(
      await worker.call('POST', '/v1/interests', wish()),
      403,
      'bot_access_denied',
    );
    expect(refused.errors).toEqual([{ path: 'bot_account_id', message: refused.detail }]);
    expect(refused.detail).toContain(`PATCH /v1/admin/service-accounts/${worker.clientId}`);
    const chat = { bot_account_id: other, event_type: 'channel.chat.message' };
    expect((await worker.call('POST', '/v1/interests', wish(chat))).status).toBe(201);
  });

  test('has nothing looked up in the name of a bot that it may not use', async () => {
    await world[Symbol.asyncDispose]();
    const asked: string[] = [];
    world = await httpWorld(database, () => ({
      async lookupUser(_botId, login) {
        asked.push(login);
        return { id: '1', login };
      },
    }));
    worker = await world.service('second');
    const byLogin = wish({ broadcaster_user_id: 'forsen' });
    await patchService({ access_mode: 'restricted' });
    await problem(await worker.call('POST', '/v1/interests', byLogin), 403, 'bot_access_denied');
    expect(asked).toEqual([]);
    await patchService({ access_mode: 'all' });
    expect((await worker.call('POST', '/v1/interests', byLogin)).status).toBe(201);
    expect(asked).toEqual(['forsen']);
  });

  test('has what it wished for suspended, may delete it, and has it back', async () => {
    const [first, second] = [await interest(), await interest({ broadcaster_user_id: '5' })];
    await world.store.topics.update(first.topic_id, { state: 'active', reason: null, code: null });
    await patchService({ access_mode: 'restricted' });
    const read = async (id: string) =>
      shapes.interestView.parse(await (await worker.call('GET', `/v1/interests/${id}`)).json());
    const suspended = await read(first.id);
    expect(suspended).toMatchObject({ state: 'revoked', code: 'bot_access_denied', retry_at: null });
    expect(suspended.reason).toContain('an admin allows it');
    const listed = shapes.interestView
      .array()
      .parse(await (await worker.call('GET', '/v1/interests')).json());
    expect(listed.map((each) => each['code'])).toEqual(['bot_access_denied', 'bot_access_denied']);
    await problem(await worker.call('POST', '/v1/interests?wait=20', wish()), 403, 'bot_access_denied');
    expect((await worker.call('DELETE', `/v1/interests/${second.id}`)).status).toBe(200);
    await patchService({ bot_account_ids: [botId] });
    expect(await read(first.id)).toMatchObject({ state: 'active', code: null, reason: null });
  });

  test('is changed as a whole or not at all', async () => {
    const nobody = randomUUID();
    await problem(
      await patchService({ access_mode: 'restricted', bot_account_ids: [nobody] }),
      422,
      'unknown_bot',
    );
    await problem(await patchService({ access_mode: 'some' }), 422, 'validation');
    await problem(await patchService({ bot_account_ids: ['nonsense'] }), 422, 'validation');
    await problem(await patchService({ enabled: null }), 422, 'validation');
    await problem(await patchService({ secret: 'x' }), 422, 'validation');
    const same = shapes.serviceView.parse(await (await patchService({})).json());
    expect([same.enabled, same.access_mode, same.bot_account_ids]).toEqual([true, 'all', []]);
    const [listed] = shapes.serviceView
      .array()
      .parse(await (await world.admin('GET', '/v1/admin/service-accounts')).json());
    expect([listed?.access_mode, listed?.bot_account_ids]).toEqual(['all', []]);
  });
});

describe('a link or a code for a bot', () => {
  const authorize = (body: object) => world.admin('POST', '/v1/admin/bots/authorize', body);
  const scopesOf = async (body: object) => {
    const made = await authorize(body);
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const answer = links.authorizationLink.parse(await made.json());
    expect(world.authorizations.asked('startBrowser')?.scopes).toEqual(answer.scopes);
    return answer.scopes.toSorted();
  };

  test('asks for what the types need, by whatever name, and for what is named', async () => {
    expect(await scopesOf({})).toEqual(['user:read:chat']);
    expect(await scopesOf({ event_types: [] })).toEqual([]);
    expect(await scopesOf({ scopes: [] })).toEqual([]);
    expect(await scopesOf({ event_types: ['channel.online'] })).toEqual([]);
    expect(await scopesOf({ scopes: ['bits:read', 'bits:read'] })).toEqual(['bits:read']);
    expect(
      await scopesOf({ event_types: ['channel.follow', 'channel.cheer'], scopes: ['bits:read'] }),
    ).toEqual(['bits:read', 'moderator:read:followers']);
  });

  test('for a known bot also for what it has, and for what is wanted of it', async () => {
    await interest();
    const other = await addBot('other', '901', ['bits:read']);
    await interest({ bot_account_id: other, event_type: 'stream.online' });
    // As if the scopes had been taken back after the wish was made.
    await addBot('desk', '900', ['clips:edit']);
    expect(await scopesOf({ bot_account_id: botId })).toEqual(['clips:edit', 'moderator:read:followers']);
    expect(world.authorizations.asked('startBrowser')).toMatchObject({
      botAccountId: botId,
      name: undefined,
    });
    expect(await scopesOf({ bot_account_id: other, event_types: ['channel.chat.message'] })).toEqual([
      'bits:read',
      'user:read:chat',
    ]);
    await problem(await authorize({ bot_account_id: randomUUID() }), 404, 'unknown_bot');
  });

  test('is refused for a type that cannot be had, naming which and what is near', async () => {
    const cases: [string[], string, string][] = [
      [['channel.follow', 'channel.folow'], 'unknown_type', 'channel.follow'],
      [['user.authorization.grant'], 'not_over_websocket', 'WebSocket'],
    ];
    for (const [event_types, code, text] of cases) {
      for (const path of [
        '/v1/admin/bots/authorize',
        '/v1/admin/bots/device',
        '/v1/broadcaster-authorizations/start',
      ]) {
        const refused = await problem(await world.admin('POST', path, { event_types }), 422, code);
        expect(refused.errors?.map((error) => error.path)).toEqual([`event_types.${event_types.length - 1}`]);
        expect(refused.detail).toContain(text);
      }
    }
    await problem(await authorize({ scopes: ['DROP TABLE'] }), 422, 'validation');
    await problem(await authorize({ scope: ['bits:read'] }), 422, 'validation');
    await problem(await authorize({ name: '' }), 422, 'validation');
    expect(world.authorizations.calls).toEqual([]);
  });

  test('as a code says what to type and where, or that Twitch does not answer', async () => {
    const made = await world.admin('POST', '/v1/admin/bots/device', {
      name: 'new',
      event_types: ['channel.cheer'],
    });
    expect([made.status, made.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const code = links.deviceCode.parse(await made.json());
    expect(code).toMatchObject({
      kind: 'device',
      state: 'pending',
      scopes: ['bits:read'],
      interval_seconds: 5,
    });
    expect(world.authorizations.asked('startDevice')?.name).toBe('new');
    world.authorizations.unreachable = true;
    await problem(await world.admin('POST', '/v1/admin/bots/device', {}), 503, 'twitch_unreachable');
  });

  test('tells what became of it, at once or after a wait, and never its state', async () => {
    const made = links.authorizationLink.parse(await (await authorize({})).json());
    const path = `/v1/admin/authorizations/${made.id}`;
    const pending = await (await world.admin('GET', path)).text();
    expect(links.authorizationView.parse(JSON.parse(pending)).state).toBe('pending');
    expect(pending).not.toContain(linkedState);
    const waited = world.admin('GET', `${path}?wait=0.05`);
    expect(links.authorizationView.parse(await (await waited).json()).state).toBe('pending');
    const waiting = world.admin('GET', `${path}?wait=30`);
    // Nobody is told of it: found by looking again.
    world.authorizations.settle(made.id, { state: 'denied', code: 'access_denied', reason: 'no' });
    expect(links.authorizationView.parse(await (await waiting).json())).toMatchObject({
      state: 'denied',
      code: 'access_denied',
      reason: 'no',
    });
    for (const id of [randomUUID(), 'nonsense'])
      await problem(await world.admin('GET', `/v1/admin/authorizations/${id}`), 404, 'unknown_authorization');
    await problem(await world.admin('GET', `${path}?wait=31`), 422, 'validation');
  });

  test('a wait ends with a stop of the relay and when the bot is written', async () => {
    const made = links.authorizationLink.parse(await (await authorize({})).json());
    const path = `/v1/admin/authorizations/${made.id}?wait=30`;
    const told = world.admin('GET', path);
    world.authorizations.settle(made.id, { state: 'completed', grantedBotId: botId });
    await addBot('desk', '900', []);
    expect(links.authorizationView.parse(await (await told).json()).bot_account_id).toBe(botId);
    world.authorizations.settle(made.id, { state: 'pending' });
    const stopped = world.admin('GET', path);
    world.stopping.abort();
    expect(links.authorizationView.parse(await (await stopped).json()).state).toBe('pending');
  });
});

describe('a link for a broadcaster', () => {
  const start = '/v1/broadcaster-authorizations/start';

  test('is for services and the admin, and its end for whoever asked', async () => {
    const mine = await worker.call('POST', start, { event_types: ['channel.subscribe'] });
    expect([mine.status, mine.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const link = links.authorizationLink.parse(await mine.json());
    expect(link).toMatchObject({ kind: 'broadcaster', scopes: ['channel:read:subscriptions'] });
    expect(world.authorizations.asked('startBroadcaster')?.serviceAccountId).toBe(worker.id);
    const path = `/v1/broadcaster-authorizations/${link.id}`;
    expect((await worker.call('GET', path)).status).toBe(200);
    expect((await world.admin('GET', path)).status).toBe(200);
    expect((await world.admin('GET', `/v1/admin/authorizations/${link.id}`)).status).toBe(200);
    const other = await world.service('other');
    await problem(await other.call('GET', path), 404, 'unknown_authorization');
    const admins = links.authorizationLink.parse(await (await world.admin('POST', start, {})).json());
    expect(admins.scopes).toEqual([]);
    expect(world.authorizations.asked('startBroadcaster')?.serviceAccountId).toBeNull();
    await problem(
      await worker.call('GET', `/v1/broadcaster-authorizations/${admins.id}`),
      404,
      'unknown_authorization',
    );
  });

  test('is refused to anybody else', async () => {
    const headers = { 'content-type': 'application/json' };
    const post = (more: Record<string, string>) =>
      fetch(`${world.url}${start}`, { method: 'POST', headers: { ...headers, ...more }, body: '{}' });
    await problem(await post({}), 401, 'unauthorized');
    await problem(await post({ 'x-admin-key': 'no' }), 401, 'unauthorized');
    await problem(await post({ 'x-client-id': worker.clientId }), 401, 'unauthorized');
    const both = { 'x-client-id': worker.clientId, 'x-client-secret': worker.clientSecret };
    // The key was given, so the key is judged.
    await problem(await post({ ...both, 'x-admin-key': 'no' }), 401, 'unauthorized');
    expect(world.authorizations.calls).toEqual([]);
    await patchService({ enabled: false });
    await problem(await post(both), 403, 'account_disabled');
  });
});
