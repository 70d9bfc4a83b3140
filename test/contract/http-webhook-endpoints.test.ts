// Webhook endpoints over HTTP: what is shown of them, what may be changed, and by whom.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { encodeCursor } from '../../src/domain/cursor.ts';
import * as shapes from '../../src/protocol/index.ts';
import { nextOf, paths, problem, url, webhooksRig } from './http-webhooks-rig.ts';

const rig = webhooksRig();

describe('an endpoint', () => {
  test('begins healthy, with the defaults, where the log stood', async () => {
    await rig.append(randomUUID(), 3);
    const id = await rig.endpointOf();
    expect(await rig.endpoint(id)).toMatchObject({
      id,
      url,
      description: '',
      state: 'healthy',
      code: null,
      reason: null,
      failing_since: null,
      next_probe_at: null,
      retry_profile: 'durable',
      order: 'broadcaster',
      max_age_seconds: null,
      concurrency: 8,
      position: encodeCursor(rig.world.feed.epoch, 3),
      head: encodeCursor(rig.world.feed.epoch, 3),
      behind_events: 0,
      waiting: 0,
      previous_secret_valid_until: null,
    });
  });

  test('is its service’s alone', async () => {
    const id = await rig.endpointOf();
    const other = await rig.world.service('other');
    for (const [caller, named] of [
      [other, id],
      [rig.worker, randomUUID()],
      [rig.worker, 'nonsense'],
    ] as const) {
      const path = `/v1/endpoints/${named}`;
      for (const [method, more] of [
        ['GET', ''],
        ['POST', '/rotate-secret'],
        ['POST', '/enable'],
        ['POST', '/test'],
      ] as const) {
        await problem(await caller.call(method, path + more), 404, 'unknown_endpoint');
      }
      await problem(await caller.call('PATCH', path, { concurrency: 1 }), 404, 'unknown_endpoint');
    }
    expect(await (await other.call('GET', '/v1/endpoints')).json()).toEqual([]);
    expect((await rig.endpoint(id)).concurrency).toBe(8);
    expect(rig.asked()).toEqual(['checkUrl']);
    await problem(await fetch(`${rig.world.url}/v1/endpoints`), 401, 'unauthorized');
  });

  test('is listed a page at a time', async () => {
    for (const n of [1, 2, 3]) await rig.made({ webhook_url: `${url}${n}` });
    const first = await rig.worker.call('GET', '/v1/endpoints?limit=2');
    const second = await rig.worker.call('GET', nextOf(first));
    const pages = [first, second].map(async (answer) =>
      shapes.endpointView.array().parse(await answer.json()),
    );
    const urls = (await Promise.all(pages)).map((page) => page.map((row) => row.url));
    expect(urls.map((page) => page.length)).toEqual([2, 1]);
    expect(urls.flat().toSorted()).toEqual([1, 2, 3].map((n) => `${url}${n}`));
    expect(nextOf(second)).toBe('');
    await problem(await rig.worker.call('GET', '/v1/endpoints?after=nonsense'), 422, 'validation');
  });

  test('counts what it has still to get and what waits, of its own interests alone', async () => {
    const mine = await rig.made();
    const other = await rig.made({ webhook_url: 'http://127.0.0.1/', broadcaster_user_id: '5' });
    const socket = await rig.made({ transport: 'websocket', webhook_url: null, broadcaster_user_id: '6' });
    await rig.world.log.append([
      rig.draft(1, mine.topic_id),
      rig.draft(2, other.topic_id),
      rig.draft(3, mine.topic_id),
      rig.draft(4, socket.topic_id),
    ]);
    const id = mine.endpoint_id ?? '';
    await rig.database.pool.query(
      `INSERT INTO delivery (endpoint_id, seq, attempt, next_at, born_at) VALUES ($1, 1, 1, now(), now())`,
      [id],
    );
    await rig.database.pool.query('UPDATE endpoint SET acked_seq = 1 WHERE id = $1', [id]);
    expect(await rig.endpoint(id)).toMatchObject({
      behind_events: 1,
      waiting: 1,
      position: encodeCursor(rig.world.feed.epoch, 1),
      head: encodeCursor(rig.world.feed.epoch, 4),
    });
    expect(await rig.endpoint(other.endpoint_id ?? '')).toMatchObject({ behind_events: 1, waiting: 0 });
    const pulled = shapes.eventsPage.parse(await (await rig.worker.call('GET', '/v1/events')).json());
    expect(pulled.events.map((event) => event.id)).toEqual([1, 2, 3, 4].map((n) => `message-${n}`));
    await rig.worker.call('POST', '/v1/consumers/desk/ack', {
      cursor: encodeCursor(rig.world.feed.epoch, 0),
    });
    const consumers: unknown = await (await rig.worker.call('GET', '/v1/consumers')).json();
    expect(shapes.consumerView.array().parse(consumers)[0]?.behind_events).toBe(1);
  });

  test('is changed member by member', async () => {
    const id = await rig.endpointOf();
    const patches = [
      { description: 'the desk' },
      { retry_profile: 'realtime' },
      { order: 'none' },
      { max_age_seconds: 604_800 },
      { concurrency: 64 },
    ];
    let expected = {};
    for (const patch of patches) {
      const answer = await rig.worker.call('PATCH', `/v1/endpoints/${id}`, patch);
      expected = { ...expected, ...patch };
      expect(shapes.endpointView.parse(await answer.json())).toMatchObject(expected);
    }
    await rig.worker.call('PATCH', `/v1/endpoints/${id}`, { max_age_seconds: null, description: '' });
    expect(await rig.endpoint(id)).toMatchObject({ ...expected, max_age_seconds: null, description: '' });
  });

  test('is not changed by what is wrong, which is named', async () => {
    const id = await rig.endpointOf();
    const before = await rig.endpoint(id);
    const cases: [object, string, string][] = [
      [{}, '', 'expected at least one of'],
      [{ concurrency: 0 }, 'concurrency', 'expected a whole number from 1 to 64; given 0'],
      [{ concurrency: 65 }, 'concurrency', 'expected a whole number from 1 to 64; given 65'],
      [{ concurrency: 1.5 }, 'concurrency', 'expected a whole number from 1 to 64; given 1.5'],
      [{ concurrency: '8' }, 'concurrency', 'expected a whole number from 1 to 64; given "8"'],
      [{ concurrency: null }, 'concurrency', 'expected a whole number from 1 to 64; given null'],
      [{ max_age_seconds: 0 }, 'max_age_seconds', 'expected null, or a whole number of seconds, 1 to 604800'],
      [{ max_age_seconds: 604_801 }, 'max_age_seconds', 'given 604801'],
      [{ description: 'x'.repeat(201) }, 'description', 'expected text of at most 200 characters'],
      [{ retry_profile: 'never' }, 'retry_profile', 'expected "durable" or "realtime"; given "never"'],
      [{ order: 'any' }, 'order', 'expected "broadcaster" or "none"; given "any"'],
      [{ concurrency: 2, url: 'https://elsewhere.test/' }, 'url', 'unknown member: url'],
      [[], '', 'the body'],
    ];
    for (const [body, path, said] of cases) {
      const answer = await problem(
        await rig.worker.call('PATCH', `/v1/endpoints/${id}`, body),
        422,
        'validation',
      );
      expect([paths(answer), answer.detail]).toEqual([[path], expect.stringContaining(said)]);
    }
    expect(await rig.endpoint(id)).toEqual(before);
  });

  test('gets a new secret, with a day of grace unless another one is asked for', async () => {
    const id = await rig.endpointOf();
    const rotate = async (query: string) => {
      const answer = await rig.worker.call('POST', `/v1/endpoints/${id}/rotate-secret${query}`);
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
      const made = shapes.endpointSecret.parse(await answer.json());
      expect(made.id).toBe(id);
      return made;
    };
    const day = await rotate('');
    const left = Date.parse(day.previous_valid_until ?? '') - Date.now();
    expect(left).toBeGreaterThan(86_300_000);
    expect(left).toBeLessThanOrEqual(86_400_000);
    expect((await rig.endpoint(id)).previous_secret_valid_until).toBe(day.previous_valid_until);
    const over = `UPDATE endpoint SET previous_valid_until = now() - interval '1 second'`;
    await rig.database.pool.query(over);
    expect((await rig.endpoint(id)).previous_secret_valid_until).toBeNull();
    const none = await rotate('?grace_seconds=0');
    expect(none.previous_valid_until).toBeNull();
    expect(none.webhook_secret).not.toBe(day.webhook_secret);
    expect((await rig.endpoint(id)).previous_secret_valid_until).toBeNull();
    for (const grace of ['604801', '-1', '', '1e3']) {
      const path = `/v1/endpoints/${id}/rotate-secret?grace_seconds=${grace}`;
      expect(paths(await problem(await rig.worker.call('POST', path), 422, 'validation'))).toEqual([
        'grace_seconds',
      ]);
    }
  });

  test('says why it is disabled, and is enabled by its owner', async () => {
    const id = await rig.endpointOf();
    await rig.disable(id);
    const disabled = await rig.endpoint(id);
    expect(disabled).toMatchObject({ state: 'disabled', code: 'gone', reason: 'it answered 410' });
    expect(Date.parse(disabled.failing_since ?? '')).toBeGreaterThan(0);
    expect(Date.parse(disabled.next_probe_at ?? '')).toBeGreaterThan(0);
    const answer = await rig.worker.call('POST', `/v1/endpoints/${id}/enable`);
    expect(shapes.endpointView.parse(await answer.json())).toMatchObject({
      state: 'healthy',
      code: null,
      reason: null,
      failing_since: null,
      next_probe_at: null,
    });
    expect((await rig.endpoint(id)).state).toBe('healthy');
    expect(rig.asked()).toEqual(['checkUrl']);
  });

  test('is tried out, whatever the receiver says', async () => {
    const id = await rig.endpointOf();
    const ask = () => rig.worker.call('POST', `/v1/endpoints/${id}/test`);
    rig.world.webhooks.outcome = { kind: 'server_error', status: 500, response: 'oops', durationMs: 12 };
    const answer = await ask();
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      outcome: 'server_error',
      status: 500,
      duration_ms: 12,
      response: 'oops',
    });
    rig.world.webhooks.outcome = { kind: 'timeout', status: null, response: null, durationMs: 15_000 };
    expect(await (await ask()).json()).toMatchObject({ outcome: 'timeout', status: null });
    rig.world.webhooks.gone = true;
    await rig.disable(id);
    await problem(await ask(), 409, 'endpoint_disabled');
    expect(rig.world.webhooks.calls.at(-1)).toEqual(['test', id]);
  });
});
