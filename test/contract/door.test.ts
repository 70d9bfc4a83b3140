// The door in front of the real HTTP surface and the real gateway on one listener: who is turned away, how failed log-ins
// end, and what every answer carries.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { attachGateway, type GatewayHandle } from '../../src/delivery/gateway/index.ts';
import { parseCidrs } from '../../src/domain/cidr.ts';
import { createDoor, type DoorDeps } from '../../src/door/index.ts';
import { problem as problemShape } from '../../src/protocol/rest.ts';
import { answerHeaders } from '../../src/runtime/answer-headers.ts';
import type { Database } from '../../src/store/database.ts';
import { adminKey, httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { TestClient, rawUpgrade } from './gateway-client.ts';

let place: TestDatabase;
let database: Database;
let world: HttpWorld;
let gateway: GatewayHandle | undefined;
let worker: ServiceCaller;
let clock: ShiftClock;
/** Look-ups of credentials in the database since the world began. */
let lookUps: string[];
const limited: unknown[] = [];

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());
beforeEach(() => place.reset());
afterEach(async () => {
  await gateway?.stop();
  await world[Symbol.asyncDispose]();
  expect(clock.pending).toBe(0);
});

function ranges(text: string) {
  const list = parseCidrs(text);
  if (!list.ok) throw new Error(list.why);
  return list.cidrs;
}

async function open(options: Partial<DoorDeps> = {}, allowedOrigins: readonly string[] | null = null) {
  clock = new ShiftClock();
  lookUps = [];
  limited.length = 0;
  const observer = { limited: (what: unknown) => void limited.push(what) };
  const door = createDoor({ allowed: [], trusted: [], clock, observer, ...options });
  world = await httpWorld(database, ({ store }) => ({
    door,
    store: {
      ...store,
      services: {
        ...store.services,
        authenticate(clientId, clientSecret) {
          lookUps.push(clientId);
          return store.services.authenticate(clientId, clientSecret);
        },
      },
    },
  }));
  gateway = attachGateway({
    server: world.listener.server,
    deps: {
      feed: world.feed,
      store: {
        ...world.store,
        wsTokens: {
          redeem(token) {
            lookUps.push('token');
            return world.store.wsTokens.redeem(token);
          },
        },
        services: {
          touch: (id) => world.store.services.touch(id),
          authenticate(clientId, clientSecret) {
            lookUps.push(clientId);
            return world.store.services.authenticate(clientId, clientSecret);
          },
        },
      },
      clock,
      door,
      declare: async () => {},
      random: () => 0,
      limits: { allowedOrigins },
    },
  });
  worker = await world.service();
}
const port = () => Number(new URL(world.url).port);

async function problem(response: Response, status: number, code: string) {
  const body = problemShape.parse(await response.json());
  expect([response.status, body.code]).toEqual([status, code]);
  return body;
}
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${world.url}${path}`, { method, headers });
const asService = (secret: string, clientId = worker.clientId) => ({
  'x-client-id': clientId,
  'x-client-secret': secret,
});
const carriesHeaders = (headers: Readonly<Record<string, unknown>>) =>
  expect(headers).toMatchObject(answerHeaders);

describe('the allow list', () => {
  test('turns requests and upgrades away before credentials and bodies, and leaves /health open', async () => {
    await open({ allowed: ranges('192.168.1.0/24') });
    const headers = { 'x-admin-key': adminKey, ...asService(worker.clientSecret) };
    for (const path of ['/v1/bots', '/v1/interests', '/ready', '/metrics', '/nothing', '/ws/events'])
      await problem(await get(path, headers), 403, 'address_not_allowed');
    const posted = await fetch(`${world.url}/v1/interests`, {
      method: 'POST',
      headers,
      body: 'x'.repeat(100_000),
    });
    await problem(posted, 403, 'address_not_allowed');
    const upgrade = await rawUpgrade(port(), '/ws/events', headers);
    expect(upgrade).toMatchObject({ status: 403, upgraded: false });
    expect(problemShape.parse(JSON.parse(upgrade.body)).code).toBe('address_not_allowed');
    expect((await get('/health')).status).toBe(200);
    expect(lookUps).toEqual([]);
  });

  test('judges the client behind a trusted proxy, by either way in', async () => {
    await open({ allowed: ranges('192.168.1.0/24'), trusted: ranges('127.0.0.1') });
    const via = (forwarded: string) => ({ ...asService(worker.clientSecret), 'x-forwarded-for': forwarded });
    expect((await get('/v1/interests', via('192.168.1.5'))).status).toBe(200);
    await problem(await get('/v1/interests', via('192.168.1.5, 203.0.113.7')), 403, 'address_not_allowed');
    expect((await rawUpgrade(port(), '/ws/events', via('192.168.1.5'))).upgraded).toBe(true);
    expect((await rawUpgrade(port(), '/ws/events', via('192.168.1.5, 203.0.113.7'))).status).toBe(403);
  });
});

describe('failed log-ins', () => {
  test('past the limit are 429 with Retry-After and no look-up, over HTTP and WebSocket together', async () => {
    await open();
    for (let n = 0; n < 2; n++)
      await problem(await get('/v1/interests', asService('no')), 401, 'unauthorized');
    using wrong = new TestClient(port(), { headers: asService('no') });
    expect((await wrong.closing()).code).toBe(4401);
    expect(lookUps).toHaveLength(3);
    const refused = await get('/v1/interests', asService('no'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(20);
    await problem(refused, 429, 'too_many_failed_logins');
    const upgrade = await rawUpgrade(port(), '/ws/events', asService('no'));
    expect(upgrade).toMatchObject({ status: 429, upgraded: false, headers: { 'retry-after': '30' } });
    expect(problemShape.parse(JSON.parse(upgrade.body)).code).toBe('too_many_failed_logins');
    expect(lookUps).toHaveLength(3);
    expect(limited).toMatchObject([{ address: '127.0.0.1', fence: 'secret', clientId: worker.clientId }]);
    // Neither the right secret nor anybody else has to suffer for it.
    expect((await worker.call('GET', '/v1/interests')).status).toBe(200);
    expect((await (await world.service('other')).call('GET', '/v1/interests')).status).toBe(200);
    await clock.advance(30_000);
    await problem(await get('/v1/interests', asService('no')), 401, 'unauthorized');
  });

  test('of guesses at one account stop at ten, those at the admin key too, while the right key goes on', async () => {
    await open();
    expect((await world.admin('GET', '/v1/bots')).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 12; n++)
      statuses.push((await get('/v1/bots', { 'x-admin-key': `guess ${n}` })).status);
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429, 429]);
    expect((await world.admin('GET', '/v1/bots')).status).toBe(200);
    for (let n = 0; n < 12; n++) await get('/v1/interests', asService(`guess ${n}`));
    expect(lookUps).toHaveLength(10);
  });

  test('of a whole address stop at a hundred; who was right before goes on', async () => {
    await open();
    expect((await worker.call('GET', '/v1/interests')).status).toBe(200);
    lookUps.length = 0;
    const guesses = await Promise.all(
      Array.from({ length: 130 }, (_, n) => get('/v1/interests', asService('x', `svc${n}`))),
    );
    expect(guesses.filter(({ status }) => status === 429)).toHaveLength(30);
    expect(lookUps).toHaveLength(100);
    expect((await worker.call('GET', '/v1/interests')).status).toBe(200);
    expect((await rawUpgrade(port(), '/ws/events', asService(worker.clientSecret))).upgraded).toBe(true);
  });

  test('with tokens are held against the token', async () => {
    await open();
    const statuses = [];
    for (let n = 0; n < 5; n++)
      statuses.push((await rawUpgrade(port(), '/ws/events', { authorization: 'Bearer stale' })).status);
    expect(statuses).toEqual([101, 101, 101, 429, 429]);
    expect(lookUps).toEqual(['token', 'token', 'token']);
    const token = await world.store.wsTokens.issue(worker.id, 60);
    using fresh = new TestClient(port(), { protocols: ['relay.v1', `bearer.${token}`] });
    await fresh.hello();
  });

  test('of a disabled account with its right secret are no guesses', async () => {
    await open();
    await database.pool.query('UPDATE service_account SET enabled = false');
    for (let n = 0; n < 6; n++)
      await problem(await worker.call('GET', '/v1/interests'), 403, 'account_disabled');
    expect(lookUps).toHaveLength(6);
  });

  test('leave no credential in a log', async () => {
    await open();
    for (let n = 0; n < 5; n++) await get('/v1/interests', asService('canary-secret', 'canary-id'));
    expect([...world.lines, JSON.stringify(limited)].some((line) => line.includes('canary'))).toBe(false);
    expect(limited).toHaveLength(1);
  });
});

describe('pages of other origins', () => {
  test('may not open the socket by any way of logging in, and use up no token', async () => {
    await open({}, ['https://overlay.example.org']);
    const { clientId, clientSecret } = worker;
    const token = await world.store.wsTokens.issue(worker.id, 60);
    const ways = [
      { headers: asService(clientSecret) },
      { headers: { authorization: `Bearer ${token}` } },
      { protocols: ['relay.v1', `bearer.${token}`] },
      { query: { client_id: clientId, client_secret: clientSecret } },
      { query: { ws_token: token } },
      {},
    ];
    for (const origin of ['https://evil.example.org', 'http://overlay.example.org', 'null', 'file://'])
      for (const way of ways) {
        using client = new TestClient(port(), { ...way, origin });
        expect((await client.closing()).code, `${origin} ${JSON.stringify(way)}`).toBe(4403);
      }
    expect(lookUps).toEqual([]);
    using own = new TestClient(port(), {
      protocols: [`bearer.${token}`],
      origin: 'https://overlay.example.org',
    });
    await own.opened();
    using program = new TestClient(port(), { headers: asService(clientSecret) });
    await program.opened();
  });

  test('are given no leave by CORS, on no route and no refusal', async () => {
    await open();
    const cors = (headers: Headers) =>
      [...headers.keys()].filter((name) => name.startsWith('access-control-'));
    const origin = { origin: 'https://evil.example.org' };
    for (const path of ['/health', '/v1/bots', '/v1/interests', '/nothing']) {
      expect(cors((await get(path, origin)).headers)).toEqual([]);
      const preflight = await get(
        path,
        {
          ...origin,
          'access-control-request-method': 'GET',
          'access-control-request-headers': 'x-admin-key',
        },
        'OPTIONS',
      );
      expect(preflight.ok).toBe(false);
      expect(cors(preflight.headers)).toEqual([]);
    }
    // What a page may send without asking (no header of ours) logs nobody in, cookies and Basic included.
    const simple = { ...origin, cookie: `x-admin-key=${adminKey}`, authorization: `Bearer ${adminKey}` };
    await problem(await get(`/v1/bots?x-admin-key=${adminKey}`, simple), 401, 'unauthorized');
  });
});

test('every answer carries the headers, refusals before the upgrade and before the application too', async () => {
  await open();
  const answers = [
    await get('/health'),
    await get('/v1/bots'),
    await get('/nothing'),
    await get('/health', {}, 'DELETE'),
    await get('/ws/events'),
    await world.admin('GET', '/metrics'),
    await world.admin('POST', '/v1/admin/service-accounts?name=a'),
    await worker.call('POST', '/v1/interests', '{'),
    await worker.call('POST', '/v1/interests', 'x'.repeat(70_000)),
    await get('/health', { expect: 'miracles' }).catch(() => undefined),
  ];
  for (const answer of answers) {
    if (!answer) continue;
    carriesHeaders(Object.fromEntries(answer.headers));
    expect(answer.headers.has('strict-transport-security')).toBe(false);
    expect(answer.headers.has('x-powered-by')).toBe(false);
    expect(answer.headers.has('server')).toBe(false);
  }
  for (const target of ['/ws/other', '//', '/ws/events?after=x', `/ws/events?x=${'x'.repeat(8_200)}`]) {
    const refused = await rawUpgrade(port(), target);
    expect(refused.status).toBeGreaterThanOrEqual(400);
    carriesHeaders(refused.headers);
    const told = problemShape.parse(JSON.parse(refused.body));
    expect(refused.headers['x-request-id']).toBe(told.request_id);
  }
});
