// Every route of the running relay, found by asking it which it has: nobody without the right key gets in, and whatever
// comes in, the answer is a proper one or a problem document, never a fault of ours and never somebody's secret.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { garbage, Sender, type Answer, type Garbage } from '../support/garbage.ts';
import { complaintOf } from '../support/proper-answer.ts';
import { adminKey, worlds, type Bot, type Service, type World } from '../support/world.ts';

type Who = 'anybody' | 'admin' | 'service' | 'either';
/** Who may call what. A route that is missing here, or here and not served, fails. */
const expected: Readonly<Record<string, Who>> = {
  'GET /health': 'anybody',
  'GET /ready': 'anybody',
  'GET /openapi.json': 'anybody',
  'GET /asyncapi.json': 'anybody',
  'GET /docs': 'anybody',
  'GET /docs/:file': 'anybody',
  // The state in the query is the log-in.
  'GET /oauth/callback': 'anybody',
  // Says that it speaks WebSocket.
  'GET /ws/events': 'anybody',
  'GET /metrics': 'admin',
  'GET /v1/bots': 'admin',
  'POST /v1/admin/bots/import': 'admin',
  'PATCH /v1/admin/bots/:id': 'admin',
  'DELETE /v1/admin/bots/:id': 'admin',
  'POST /v1/admin/bots/:id/refresh': 'admin',
  'POST /v1/admin/bots/authorize': 'admin',
  'POST /v1/admin/bots/device': 'admin',
  'GET /v1/admin/authorizations/:id': 'admin',
  'GET /v1/admin/checks': 'admin',
  'GET /v1/admin/service-accounts': 'admin',
  'POST /v1/admin/service-accounts': 'admin',
  'POST /v1/admin/service-accounts/:clientId/regenerate': 'admin',
  'PATCH /v1/admin/service-accounts/:clientId': 'admin',
  'DELETE /v1/admin/service-accounts/:clientId': 'admin',
  'POST /v1/broadcaster-authorizations/start': 'either',
  'GET /v1/broadcaster-authorizations/:id': 'either',
  'GET /v1/bots/accessible': 'service',
  'GET /v1/eventsub/subscription-types': 'service',
  'GET /v1/interests': 'service',
  'POST /v1/interests': 'service',
  'GET /v1/interests/:id': 'service',
  'DELETE /v1/interests/:id': 'service',
  'GET /v1/events': 'service',
  'GET /v1/consumers': 'service',
  'POST /v1/consumers/:name/ack': 'service',
  'GET /v1/endpoints': 'service',
  'GET /v1/endpoints/:id': 'service',
  'PATCH /v1/endpoints/:id': 'service',
  'POST /v1/endpoints/:id/rotate-secret': 'service',
  'POST /v1/endpoints/:id/enable': 'service',
  'POST /v1/endpoints/:id/test': 'service',
  'GET /v1/deliveries': 'service',
  'POST /v1/deliveries/replay': 'service',
  'POST /v1/ws-token': 'service',
};
/** Generated requests, and how many are under way at once. */
const howMany = 5_200;
const lanes = 8;

const place = worlds();
let world: World;
let bot: Bot;
let service: Service;
let sender: Sender;
beforeAll(async () => {
  await place.open();
  // Each request brings its own address, so that failed log-ins of one do not answer for the next.
  world = await place.create({ env: { TRUST_PROXY: '127.0.0.0/8' } });
  bot = await world.addBot();
  service = await world.addService();
  sender = new Sender(world.url);
});
afterAll(async () => {
  sender[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  await place.close();
});

const routes = () => world.daemon.routes;
let addresses = 0;
const freshAddress = () => `10.77.${(addresses >> 8) & 255}.${addresses++ & 255}`;
const asService = ({ clientId, clientSecret }: Service) => ({
  'x-client-id': clientId,
  'x-client-secret': clientSecret,
});
const faults = () => world.logs.filter((line) => /"level":"(error|fatal)"/.test(line));

it('serves the routes that are expected, and no others', () => {
  const served = routes().map(({ method, path }) => `${method} ${path}`);
  expect(served.toSorted()).toEqual(Object.keys(expected).toSorted());
});

it('lets nobody in without the right key', async () => {
  const wrong: [string, Record<string, string>][] = [
    ['nothing', {}],
    ['an empty key', { 'x-admin-key': '' }],
    ['a wrong key', { 'x-admin-key': 'not-the-admin-key' }],
    ['a key with more behind it', { 'x-admin-key': `${adminKey}x` }],
    ['an unknown service', asService({ ...service, clientId: 'svc_00000000000000000000' })],
    ['a wrong secret', asService({ ...service, clientSecret: 'wrong' })],
    ['half a log-in', { 'x-client-id': service.clientId }],
    [
      'the keys swapped',
      { 'x-admin-key': service.clientSecret, ...asService({ ...service, clientSecret: adminKey }) },
    ],
    ['the key as a bearer', { authorization: `Bearer ${adminKey}` }],
    ['the key in a cookie', { cookie: `x-admin-key=${adminKey}` }],
  ];
  const only = {
    admin: ['a service', asService(service)],
    service: ['the admin', { 'x-admin-key': adminKey }],
  } as const;
  let asked = 0;
  for (const { method, path } of routes()) {
    const who = expected[`${method} ${path}`];
    if (who === 'anybody') continue;
    const tries = who === 'admin' || who === 'service' ? [...wrong, only[who]] : wrong;
    const target = path.replaceAll(/:\w+/g, bot.id);
    for (const [name, credentials] of tries) {
      const headers = {
        'x-forwarded-for': freshAddress(),
        'content-type': 'application/json',
        ...credentials,
      };
      const body = method === 'GET' ? undefined : Buffer.from('{}');
      const answer = await sender.send({ method, target, headers, body });
      expect([401, 403], `${method} ${path} with ${name}: ${answer.text}`).toContain(answer.status);
      judge({ method, target, headers, body }, answer);
      asked++;
    }
  }
  expect(asked).toBeGreaterThan(300);
  // The same for the socket's path is in contract/handshake and contract/door.
  expect(faults()).toEqual([]);
});

it('lets the right key in', async () => {
  for (const { method, path } of routes()) {
    const who = expected[`${method} ${path}`];
    if (method !== 'GET' || who === undefined) continue;
    const headers =
      who === 'service' ? asService(service) : who === 'anybody' ? {} : { 'x-admin-key': adminKey };
    const target = path.replaceAll(/:\w+/g, bot.id);
    const { status } = await sender.send({ method, target, headers, body: undefined });
    expect([401, 403, 429], `${method} ${path}`).not.toContain(status);
  }
});

function judge(given: Garbage, answer: Answer): void {
  const said = `${given.method} ${given.target.slice(0, 200)} ${given.body?.toString().slice(0, 200) ?? ''} → ${answer.status} ${answer.text.slice(0, 500)}`;
  expect(complaintOf(given, answer), said).toBeUndefined();
}

it('whatever is asked is answered, and nothing breaks', { timeout: 60_000 }, async () => {
  const [victim, lostBot] = [await world.addService(), await world.addBot()];
  const hook = await world.call<{ endpoint_id: string; id: string }>('POST', '/v1/interests', {
    as: service,
    body: { ...wish(), transport: 'webhook', webhook_url: 'http://127.0.0.1:9/hook' },
  });
  expect(hook.status).toBe(201);
  const both = { 'x-admin-key': adminKey, ...asService(service) };
  const arbitrary = garbage({
    routes: routes(),
    ids: [
      lostBot.id,
      victim.clientId,
      hook.body.endpoint_id,
      '00000000-0000-0000-0000-000000000000',
      'desk',
      'x',
    ],
    values: knownValues(),
    wish: wish(),
    credentials: [
      // Most get past the door: what is behind it is what this is about.
      ...Array.from({ length: 14 }, () => both),
      {},
      { 'x-admin-key': adminKey },
      asService(service),
      { 'x-admin-key': service.clientSecret },
      asService({ ...service, clientSecret: adminKey }),
      { 'x-client-id': 'x'.repeat(300), 'x-client-secret': '\u00ff' },
      { 'x-admin-key': '' },
    ],
  });
  const seen = new Map<number, number>();
  // One seed, so that the suite says the same thing twice; another one is a good way to spend an idle hour.
  const queue = fc.sample(arbitrary, { numRuns: howMany, seed: 20_261_121 }).values();
  const lane = async () => {
    for (const given of queue) {
      const answer = await sender.send(given);
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
      judge(given, answer);
      for (const secret of [adminKey, service.clientSecret, bot.accessToken, bot.refreshToken])
        if (answer.text.includes(secret)) throw new Error(`a secret is in the answer to ${given.target}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  const counts = [...seen].toSorted(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`);
  console.info(`${total} requests over ${routes().length} routes: ${counts.join(', ')}`);
  expect(total).toBe(howMany);
  // The generator reaches past the doors: everything from success to each refusal was met.
  for (const status of [200, 201, 304, 400, 401, 404, 405, 413, 415, 417, 422, 426, 431])
    expect(seen.get(status) ?? 0, `status ${status}`).toBeGreaterThan(0);
  expect(faults()).toEqual([]);
  for (const secret of [adminKey, service.clientSecret, bot.accessToken, bot.refreshToken])
    expect(world.logs.some((line) => line.includes(secret))).toBe(false);
  const view = await world.addInterest(service, bot, 'channel.follow');
  expect(view.state).toBe('active');
});

const knownValues = () => [
  bot.id,
  bot.user.id,
  'channel.follow',
  'channel.chat.message',
  'channel.raid',
  'websocket',
  'webhook',
  '2',
  'http://127.0.0.1/hook',
  'somebody',
  { broadcaster_user_id: bot.user.id },
  true,
  ['channel.follow'],
  [bot.id],
];
const wish = () => ({
  bot_account_id: bot.id,
  event_type: 'channel.follow',
  transport: 'websocket',
  broadcaster_user_id: bot.user.id,
});
