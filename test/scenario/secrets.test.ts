// Secrets through the whole daemon: what it is given and what it gives out is in no table, no line and no answer but the
// one that hands it out; keys are rotated by listing the new one first; browser tokens do not pile up.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Database } from '../../src/store/database.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { adminKey, createWorld, type Service, type World } from '../support/world.ts';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());

/** Every row of every table, as text. */
async function everything(): Promise<string> {
  const tables = await database.pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const rows = await Promise.all(
    tables.rows.map(({ name }) => database.pool.query(`SELECT row_to_json(t)::text AS row FROM "${name}" t`)),
  );
  return JSON.stringify(rows.map((answer) => answer.rows as unknown));
}

const secretOf = (service: Service, path: string, world: World) =>
  world.call<{ client_secret: string }>('POST', `/v1/admin/service-accounts/${service.clientId}/${path}`, {
    as: 'admin',
  });

describe('secrets', () => {
  it('are in no table, no log line and no other answer', async () => {
    const key = randomBytes(32).toString('base64');
    await using world = await createWorld({
      database,
      testDatabase: place,
      env: { LOG_LEVEL: 'trace', TOKEN_ENCRYPTION_KEY: key },
    });
    const bot = await world.addBot();
    const service = await world.addService();
    const secrets = [adminKey, key, world.sim.clientSecret, bot.accessToken, bot.refreshToken];
    secrets.push(service.clientSecret);
    await world.addInterest(service, bot, 'channel.follow');
    const renewed = await secretOf(service, 'regenerate?grace_seconds=60', world);
    secrets.push(renewed.body.client_secret);
    const token = await world.call<{ ws_token: string }>('POST', '/v1/ws-token', { as: service });
    secrets.push(token.body.ws_token);
    const consumer = await world.consumer(service, 'plain');
    const url = new URL('/ws/events', world.url.replace('http', 'ws'));
    for (const query of [
      { ws_token: token.body.ws_token },
      { client_id: service.clientId, client_secret: service.clientSecret },
      { client_id: 'nobody', client_secret: renewed.body.client_secret },
    ]) {
      url.search = new URLSearchParams(query).toString();
      const socket = new WebSocket(url);
      await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
      const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }));
      socket.close();
      await closed;
    }
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    await consumer.got(1);
    // A token that has to be refreshed, and bad input that holds secrets where none belong.
    world.sim.expireToken(bot.accessToken);
    await world.addInterest(service, bot, 'channel.update', undefined, { wait: 10 });
    const answers = [
      await world.call('POST', `/v1/interests?wait=${bot.accessToken}`, { as: service, body: {} }),
      await world.call('POST', '/v1/admin/bots/import', { as: 'admin', body: [bot.refreshToken] }),
      await world.call('POST', '/v1/admin/bots/import', {
        as: 'admin',
        body: { access_token: 'x', refresh_token: bot.accessToken },
      }),
      await world.call('GET', '/v1/bots', { as: 'admin' }),
      await world.call('GET', '/v1/admin/service-accounts', { as: 'admin' }),
      await world.call('GET', '/v1/bots/accessible', { as: service }),
      await world.call('GET', '/v1/events', { as: service }),
      await world.call('GET', '/ready'),
    ].map(({ body }) => JSON.stringify(body));
    await world.stop();
    const tables = await everything();
    for (const secret of secrets) {
      expect(tables.includes(secret), 'in a table').toBe(false);
      expect(world.logs.filter((line) => line.includes(secret))).toEqual([]);
      // The caller's own garbage in a query may come back to the caller.
      expect(answers.slice(1).filter((text) => text.includes(secret))).toEqual([]);
    }
  });

  it('of one kind open no door of another', async () => {
    await using world = await createWorld({ database, testDatabase: place });
    const service = await world.addService();
    const mixed = [
      ['/v1/bots', { 'x-admin-key': service.clientSecret }],
      ['/v1/bots', { 'x-client-id': service.clientId, 'x-client-secret': service.clientSecret }],
      ['/v1/interests', { 'x-client-id': service.clientId, 'x-client-secret': adminKey }],
      ['/v1/interests', { 'x-admin-key': adminKey }],
      ['/v1/interests', { 'x-client-id': adminKey, 'x-client-secret': adminKey }],
    ] as const;
    for (const [path, headers] of mixed) {
      expect((await fetch(new URL(path, world.url), { headers })).status).toBe(401);
    }
  });
});

describe('a key that is changed', () => {
  const [old, fresh] = [randomBytes(32).toString('base64'), randomBytes(32).toString('hex')];
  beforeEach(async () => place.reset());
  const start = (keys: string, keep = true) =>
    createWorld({ database, testDatabase: place, keep, env: { TOKEN_ENCRYPTION_KEY: keys } });
  const envelopes = async () => {
    const answer = await database.pool.query<{ access_token: string; refresh_token: string }>(
      'SELECT access_token, refresh_token FROM bot_account ORDER BY name',
    );
    return answer.rows.flatMap((row) => [row.access_token, row.refresh_token]);
  };

  it('can be left out after one start with both', async () => {
    {
      await using world = await start(old, false);
      await world.addBot();
    }
    const before = await envelopes();
    {
      await using world = await start(`${fresh},${old}`);
      expect(world.logs.join('')).toContain('sealed again');
    }
    const after = await envelopes();
    expect(after.every((envelope) => !before.includes(envelope))).toBe(true);
    expect(new Set(after.map((envelope) => envelope.split('.')[1])).size).toBe(1);
    await using world = await start(fresh);
    expect(world.logs.join('')).not.toContain('sealed again');
    expect(await envelopes()).toEqual(after);
  });

  it('and lost costs a new import of the bots, nothing else', async () => {
    {
      await using world = await start(old, false);
      await world.addInterest(await world.addService(), await world.addBot('lostbot'), 'channel.follow');
    }
    await using world = await start(fresh);
    const service = await world.addService();
    const saysWhy = async () =>
      (await (await fetch(new URL('/ready', world.url))).text()).includes(
        'TOKEN_ENCRYPTION_KEY does not list',
      );
    await until(saysWhy, { what: 'the reason why the bot is not ready' });
    const user = world.sim.addUser({ login: 'lostbot' });
    expect((await world.call('GET', '/v1/bots', { as: 'admin' })).status).toBe(200);
    expect(world.logs.join('')).toContain('seal_unknown_key');
    // The simulator of this world gives the same login another id, so the row is made to be this user's.
    await database.pool.query('UPDATE bot_account SET twitch_user_id = $1', [user.id]);
    const { accessToken, refreshToken } = world.sim.grant({
      userId: user.id,
      scopes: ['moderator:read:followers'],
    });
    const { status, body } = await world.call<{ id: string }>('POST', '/v1/admin/bots/import', {
      as: 'admin',
      body: { access_token: accessToken, refresh_token: refreshToken },
    });
    expect(status).toBe(200);
    const bot = { id: body.id, user, accessToken, refreshToken };
    expect((await world.addInterest(service, bot, 'channel.follow')).state).toBe('active');
  });
});

it('browser tokens nobody used do not pile up', async () => {
  await using world = await createWorld({ database, testDatabase: place });
  const service = await world.addService();
  const count = async () => (await database.pool.query('SELECT 1 FROM ws_token')).rowCount;
  for (let i = 0; i < 5; i++) await world.call('POST', '/v1/ws-token', { as: service });
  expect(await count()).toBe(5);
  await world.clock.advance(121_000);
  await world.call('POST', '/v1/ws-token', { as: service });
  await until(async () => (await count()) === 1, { what: 'the expired ones to go' });
});
