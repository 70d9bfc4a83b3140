// Two thousand generated requests over every route of the whole daemon: whatever comes in, the answer is a problem
// document or a proper one, never a fault of ours, and never somebody's secret.
import { Agent, request } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { problem } from '../../src/protocol/rest.ts';
import { adminKey, worlds, type Bot, type Service } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

interface Garbage {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const routes = [
  '/health',
  '/ready',
  '/metrics',
  '/v1/bots',
  '/v1/bots/accessible',
  '/v1/admin/bots/import',
  '/v1/eventsub/subscription-types',
  '/v1/admin/service-accounts',
  '/v1/admin/service-accounts/:id',
  '/v1/admin/service-accounts/:id/regenerate',
  '/v1/interests',
  '/v1/interests/:id',
  '/v1/events',
  '/v1/consumers',
  '/v1/consumers/:id/ack',
  '/v1/endpoints',
  '/v1/endpoints/:id',
  '/v1/endpoints/:id/rotate-secret',
  '/v1/endpoints/:id/enable',
  '/v1/endpoints/:id/test',
  '/v1/deliveries',
  '/v1/deliveries/replay',
  '/v1/ws-token',
  '/ws/events',
  '/:id',
];
const parameters = [
  'name',
  'grace_seconds',
  'limit',
  'after',
  'types',
  'wait',
  'endpoint',
  'state',
  'event',
  'run',
  '__proto__',
  'constructor',
];
const members = [
  'bot_account_id',
  'event_type',
  'broadcaster_user_id',
  'version',
  'condition',
  'transport',
  'webhook_url',
  'endpoint_id',
  'event_ids',
  'from_cursor',
  'from',
  'to',
  'dry_run',
  'retry_profile',
  'order',
  'max_age_seconds',
  'concurrency',
  'description',
  'enabled',
  'cursor',
  'name',
  'access_token',
  'refresh_token',
  'scopes',
  '__proto__',
  'toString',
];

const nastyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('', ' ', '0', '-1', '1e9', 'NaN', 'null', '\u0000', '\ud800', '%', '%00', "';--", '../..'),
  fc.nat({ max: 3000 }).map((length) => 'x'.repeat(length)),
);
/** A wait that is understood is over at once; any other text is as good as the next. */
const waitText = nastyText.filter((text) => !/^\d/.test(text) || Number(text) === 0);

function generators(bot: Bot, service: Service, victim: Service) {
  const id = fc.oneof(
    nastyText,
    fc.uuid(),
    fc.constantFrom(bot.id, victim.clientId, '00000000-0000-0000-0000-000000000000', 'desk'),
  );
  const path = fc.tuple(fc.constantFrom(...routes), id, fc.boolean()).map(([route, text, escaped]) => {
    const plain = text.toWellFormed();
    // Not escaped: what is left of it that node lets into a request line.
    return route.replace(':id', () =>
      escaped ? encodeURIComponent(plain) : plain.replaceAll(/[^\x21-\x7e]/g, ''),
    );
  });
  const parameter = fc
    .constantFrom(...parameters)
    .chain((key) => fc.tuple(fc.constant(key), key === 'wait' ? waitText : id));
  const query = fc.array(parameter, { maxLength: 3 }).map((list) => {
    const text = list.map(([key, value]) => `${key}=${encodeURIComponent(value.toWellFormed())}`).join('&');
    return text === '' ? '' : `?${text}`;
  });
  const known = fc.constantFrom<unknown>(
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
  );
  const value = fc.oneof(known, id, fc.jsonValue({ maxDepth: 3 }), fc.array(nastyText, { maxLength: 3 }));
  const json = fc.oneof(
    fc.dictionary(fc.constantFrom(...members), value, { maxKeys: 8 }).map((body) => JSON.stringify(body)),
    fc.jsonValue().map((body) => JSON.stringify(body)),
  );
  const wish = fc.dictionary(fc.constantFrom(...members.slice(0, 7)), value, { maxKeys: 2 }).map((more) =>
    JSON.stringify({
      bot_account_id: bot.id,
      event_type: 'channel.follow',
      transport: 'websocket',
      broadcaster_user_id: bot.user.id,
      ...more,
    }),
  );
  const deep = fc.nat({ max: 30_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth));
  const body = fc.oneof(
    { weight: 4, arbitrary: json },
    { weight: 4, arbitrary: wish },
    { weight: 1, arbitrary: nastyText },
    { weight: 1, arbitrary: deep },
  );
  const asService = { 'x-client-id': service.clientId, 'x-client-secret': service.clientSecret };
  const credentials = fc.constantFrom<Record<string, string>>(
    { 'x-admin-key': adminKey, ...asService },
    { 'x-admin-key': adminKey, ...asService },
    { 'x-admin-key': adminKey, ...asService },
    {},
    { 'x-admin-key': service.clientSecret },
    { 'x-client-id': service.clientId, 'x-client-secret': adminKey },
    { 'x-client-id': 'x'.repeat(300), 'x-client-secret': '\u00ff' },
    { 'x-request-id': '"}{', 'x-admin-key': '' },
  );
  const type = fc.constantFrom(
    'application/json',
    'application/json',
    'Application/JSON; a',
    'text/html',
    '',
  );
  const method = fc.constantFrom('GET', 'POST', 'POST', 'PATCH', 'DELETE', 'PUT', 'HEAD', 'OPTIONS', 'QUERY');
  return fc
    .tuple(method, path, query, credentials, type, fc.option(body, { nil: undefined }))
    .map(([verb, where, what, who, contentType, text]): Garbage => ({
      method: verb,
      path: where + what,
      headers: { ...who, ...(contentType === '' ? {} : { 'content-type': contentType }) },
      body: verb === 'GET' || verb === 'HEAD' ? undefined : text,
    }));
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly requestId: unknown;
  readonly text: string;
}

function send(url: string, agent: Agent, { method, path, headers, body }: Garbage): Promise<Answer> {
  const { hostname, port } = new URL(url);
  // Some methods are sent without any framing of their body otherwise.
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const options = { hostname, port, agent, method, path, headers: { ...headers, ...length } };
  return new Promise((resolve, reject) => {
    const outgoing = request(options, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (chunk: string) => {
        text += chunk;
      });
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          type: incoming.headers['content-type'] ?? '',
          requestId: incoming.headers['x-request-id'],
          text,
        }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function judge(given: Garbage, answer: Answer): void {
  const said = `${given.method} ${given.path.slice(0, 200)} ${given.body?.slice(0, 200) ?? ''} → ${answer.text.slice(0, 500)}`;
  expect(answer.status, said).toBeGreaterThanOrEqual(200);
  expect(answer.status, said).toBeLessThan(500);
  if (answer.status < 400) return;
  expect(answer.type, said).toBe('application/problem+json');
  if (given.method === 'HEAD') return;
  const told = problem.parse(JSON.parse(answer.text));
  expect(told.status).toBe(answer.status);
  if (answer.requestId !== undefined) expect(told.request_id).toBe(answer.requestId);
  // 422 is about something that was given: it says what.
  if (told.status === 422) expect(told.errors?.length, said).toBeGreaterThan(0);
}

it('whatever is asked is answered, and nothing breaks', async () => {
  await using world = await place.create();
  const bot = await world.addBot();
  const [service, victim] = [await world.addService(), await world.addService()];
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const seen = new Map<number, number>();
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(generators(bot, service, victim), { minLength: 8, maxLength: 8 }),
        async (batch) => {
          const answers = await Promise.all(batch.map((each) => send(world.url, agent, each)));
          for (const [index, answer] of answers.entries()) {
            seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
            const given = batch[index];
            if (given) judge(given, answer);
            expect(answer.text).not.toContain(bot.accessToken);
          }
        },
      ),
      // One seed, so that the suite says the same thing twice; another one is a good way to spend an idle hour.
      { numRuns: 250, seed: 20_261_121, endOnFailure: true },
    );
  } finally {
    agent.destroy();
  }
  // The generator reaches past the doors: everything from success to each refusal was met.
  for (const status of [200, 201, 400, 401, 404, 405, 415, 422]) {
    expect(seen.get(status) ?? 0, `status ${status}`).toBeGreaterThan(0);
  }
  expect(world.logs.filter((line) => /"level":"(error|fatal)"/.test(line))).toEqual([]);
  for (const secret of [adminKey, service.clientSecret, bot.accessToken, bot.refreshToken]) {
    expect(world.logs.some((line) => line.includes(secret))).toBe(false);
  }
  const view = await world.addInterest(service, bot, 'channel.follow');
  expect(view.state).toBe('active');
});
