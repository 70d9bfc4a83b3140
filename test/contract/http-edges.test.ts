// The edges of the HTTP surface that a hostile or unlucky caller finds: bodies too deep or cut off, numbers nobody set,
// pages behind nothing, requests that no application sees, and secrets that die while a request waits.
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pollUntil } from '../../src/http/poll-until.ts';
import { problem as problemShape } from '../../src/protocol/rest.ts';
import type { Database } from '../../src/store/database.ts';
import { httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

let place: TestDatabase;
let database: Database;
let world: HttpWorld;
let worker: ServiceCaller;

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());
beforeEach(async () => {
  await place.reset();
  world = await httpWorld(database);
  worker = await world.service();
});
afterEach(async () => world[Symbol.asyncDispose]());

async function problem(response: Response, status: number, code: string) {
  const body = problemShape.parse(await response.json());
  expect([response.status, body.code]).toEqual([status, code]);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return body;
}

/** Sends the text as it is; what came back by the time the socket closed. */
function raw(text: string, { hangUp = false } = {}): Promise<string> {
  const { port } = new URL(world.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    let answer = '';
    socket.on('data', (data: Buffer) => {
      answer += data.toString();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    socket.write(text, () => {
      if (hangUp) socket.destroy();
    });
  });
}
const credentials = () =>
  `Host: relay\r\nX-Client-Id: ${worker.clientId}\r\nX-Client-Secret: ${worker.clientSecret}\r\n`;

describe('bodies', () => {
  test('nested however deep are refused by name', async () => {
    for (const depth of [17, 1_000, 5_000, 32_000]) {
      const nested = '['.repeat(depth) + ']'.repeat(depth);
      await problem(await worker.call('POST', '/v1/interests', nested), 422, 'validation');
      const inside = `{"condition":${'{"a":'.repeat(Math.min(depth, 10_000))}1${'}'.repeat(Math.min(depth, 10_000))}}`;
      const answer = await problem(await worker.call('POST', '/v1/interests', inside), 422, 'validation');
      expect(answer.errors?.[0]?.path).toBe('condition');
    }
  });

  test('that their sender cuts off are not told as a database that is away', async () => {
    const head = `POST /v1/interests HTTP/1.1\r\n${credentials()}Content-Type: application/json\r\n`;
    await raw(`${head}Content-Length: 100\r\n\r\n{"a`, { hangUp: true });
    await raw(`${head}Transfer-Encoding: chunked\r\n\r\n50\r\n{"a`, { hangUp: true });
    await until(() => world.lines.filter((line) => line.includes('"status":400')).length === 2);
    expect(world.lines.filter((line) => !line.includes('"level":"debug"'))).toEqual([]);
  });

  test('of any shape never have a secret repeated', async () => {
    for (const body of ['"canary"', '[{"access_token":"canary"}]', '{"name":{"access_token":"canary"}}']) {
      const answer = await world.admin('POST', '/v1/admin/bots/import', body);
      expect(JSON.stringify(await problem(answer, 422, 'validation'))).not.toContain('canary');
    }
  });
});

describe('queries', () => {
  test('an empty number is not zero', async () => {
    const path = `/v1/admin/service-accounts/${worker.clientId}/regenerate`;
    for (const grace of ['', '%20', '1e3', '0x10', '-1', '604801', 'Infinity']) {
      const answer = await world.admin('POST', `${path}?grace_seconds=${grace}`);
      expect((await problem(answer, 422, 'validation')).errors?.[0]?.path).toBe('grace_seconds');
    }
    expect((await worker.call('GET', '/v1/interests')).status).toBe(200);
    await problem(await worker.call('GET', '/v1/events?wait='), 422, 'validation');
    await problem(await worker.call('GET', '/v1/events?limit='), 422, 'validation');
  });

  test('a page of interests behind what is no id is refused, not empty', async () => {
    const answer = await problem(await worker.call('GET', '/v1/interests?after=nonsense'), 422, 'validation');
    expect(answer.errors?.[0]?.path).toBe('after');
  });
});

test('requests that are not even a URL are problems too', async () => {
  for (const text of [
    'GET /health HTTP/1.1\r\nHost: a b\r\n',
    'GET /v1\\x HTTP/1.1\r\nHost: a\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n',
  ]) {
    const answer = await raw(`${text}Connection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/content-type: application\/problem\+json/i);
  }
});

describe('a wait', () => {
  test('ends when the secret behind it is rotated away, not while its grace lasts', async () => {
    const waiting = worker.call('GET', '/v1/events?wait=30');
    await until(() => world.watching() === 1);
    await world.store.services.regenerate(worker.clientId, 60);
    expect((await worker.call('GET', '/v1/events')).status).toBe(200);
    expect(world.watching()).toBe(1);
    await world.store.services.regenerate(worker.clientId, 0);
    await problem(await waiting, 401, 'unauthorized');
    expect(world.watching()).toBe(0);
  });

  test('ends when the account is disabled', async () => {
    const waiting = worker.call('GET', '/v1/events?wait=30');
    await until(() => world.watching() === 1);
    await world.store.services.patch(worker.clientId, { enabled: false });
    await problem(await waiting, 403, 'account_disabled');
  });

  test('is not prolonged by a clock that is set back, and leaves no timer', async () => {
    const clock = new ShiftClock();
    let now = 1_000_000;
    const back = { after: clock.after.bind(clock), now: () => (now -= 3_600_000) };
    let attempts = 0;
    const poll = pollUntil({
      attempt: async () => void attempts++,
      watch: () => () => {},
      waitMs: 10_000,
      clock: back,
      signals: [],
    });
    await until(() => clock.pending === 1);
    await clock.advance(10_000);
    expect(await poll).toBeUndefined();
    expect([attempts, clock.pending]).toEqual([2, 0]);
  });
});
