// The history of attempts and replays over HTTP: what is listed, how it is narrowed, and what a replay is understood as.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/domain/cursor.ts';
import * as shapes from '../../src/protocol/index.ts';
import { nextOf, paths, problem, url, webhooksRig } from './http-webhooks-rig.ts';

const rig = webhooksRig();

describe('the history', () => {
  const attempt = (endpointId: string, more: object = {}) => ({
    service_account_id: rig.worker.id,
    endpoint_id: endpointId,
    run: '',
    seq: 1,
    message_id: 'message-1',
    type: 'channel.follow',
    attempt: 1,
    state: 'delivered',
    outcome: 'success',
    status: 204,
    started_at: '2026-11-21T03:00:00.000Z',
    duration_ms: 12,
    response: 'fine',
    next_at: null,
    ...more,
  });
  async function record(...rows: object[]) {
    for (const row of rows) {
      const values = Object.values(row);
      await rig.database.pool.query(
        `INSERT INTO attempt (${Object.keys(row).join(', ')})
         VALUES (${values.map((_, index) => `$${index + 1}`).join(', ')})`,
        values,
      );
    }
  }
  async function history(query = '') {
    const response = await rig.worker.call('GET', `/v1/deliveries${query}`);
    expect(response.status).toBe(200);
    return shapes.attemptView.array().parse(await response.json());
  }

  test('has every attempt, newest first, with its place in the log', async () => {
    const id = await rig.endpointOf();
    await record(
      attempt(id, {
        state: 'retrying',
        outcome: 'timeout',
        status: null,
        response: null,
        next_at: '2026-11-21T03:00:05.000Z',
      }),
      attempt(id, { attempt: 2 }),
    );
    const [last, first] = await history();
    expect(last).toEqual({
      id: last?.id,
      endpoint_id: id,
      event_id: 'message-1',
      cursor: encodeCursor(rig.world.feed.epoch, 1),
      event_type: 'channel.follow',
      run: null,
      attempt: 2,
      state: 'delivered',
      outcome: 'success',
      status: 204,
      started_at: '2026-11-21T03:00:00.000Z',
      duration_ms: 12,
      response: 'fine',
      next_attempt_at: null,
    });
    expect(first).toMatchObject({
      attempt: 1,
      state: 'retrying',
      status: null,
      response: null,
      next_attempt_at: '2026-11-21T03:00:05.000Z',
    });
  });

  test('is narrowed by endpoint, state, event and replay, and is the service’s own', async () => {
    const [one, two, run] = [
      await rig.endpointOf(),
      await rig.endpointOf({ webhook_url: `${url}2` }),
      randomUUID(),
    ];
    const other = await rig.world.service('other');
    await record(
      attempt(one, { message_id: 'a' }),
      attempt(two, { message_id: 'b' }),
      attempt(one, { message_id: 'c', state: 'failed', outcome: 'server_error', status: 500 }),
      attempt(one, { message_id: 'd', run }),
      attempt(one, { message_id: 'e', service_account_id: other.id }),
    );
    const events = async (query: string) => (await history(query)).map((row) => row.event_id);
    expect(await events('')).toEqual(['d', 'c', 'b', 'a']);
    expect(await events(`?endpoint=${one}`)).toEqual(['d', 'c', 'a']);
    expect(await events('?state=failed')).toEqual(['c']);
    expect(await events('?event=b')).toEqual(['b']);
    expect(await events(`?run=${run}`)).toEqual(['d']);
    expect((await history(`?run=${run}`))[0]?.run).toBe(run);
    expect(await events(`?endpoint=${two}&state=failed`)).toEqual([]);
    expect(await events(`?endpoint=${randomUUID()}`)).toEqual([]);
  });

  test('comes a page at a time, with what was asked for kept', async () => {
    const id = await rig.endpointOf();
    await record(...[1, 2, 3, 4, 5].map((seq) => attempt(id, { seq, message_id: `m${seq}` })));
    const seen: string[] = [];
    let path = `/v1/deliveries?limit=2&state=delivered&endpoint=${id}`;
    while (path !== '') {
      const answer = await rig.worker.call('GET', path);
      const page = shapes.attemptView.array().parse(await answer.json());
      expect(page.length).toBeLessThanOrEqual(2);
      seen.push(...page.map((row) => row.event_id));
      path = nextOf(answer);
      if (path !== '') expect(path).toContain('state=delivered');
    }
    expect(seen).toEqual(['m5', 'm4', 'm3', 'm2', 'm1']);
  });

  test('refuses what cannot be asked for', async () => {
    const cases = [
      'endpoint=x',
      'state=lost',
      'event=',
      'run=x',
      'limit=0',
      'limit=1001',
      'after=x',
      'after=0',
    ];
    for (const query of cases) {
      const answer = await problem(
        await rig.worker.call('GET', `/v1/deliveries?${query}`),
        422,
        'validation',
      );
      expect(paths(answer)).toEqual([query.split('=')[0]]);
    }
    await problem(await fetch(`${rig.world.url}/v1/deliveries`), 401, 'unauthorized');
  });
});

describe('a replay', () => {
  const replay = (body: object, caller = rig.worker) => caller.call('POST', '/v1/deliveries/replay', body);
  const at = (seq: number) => encodeCursor(rig.world.feed.epoch, seq);
  /** What the delivery was asked, without the members that are not set. */
  const request = () => {
    const [name, given] = rig.world.webhooks.calls.at(-1) ?? [];
    expect(name).toBe('replay');
    return Object.fromEntries(Object.entries(given ?? {}).filter(([, member]) => member !== undefined));
  };

  test('is asked for by ids, by cursors and by time', async () => {
    const interest = await rig.made();
    const endpoint_id = interest.endpoint_id ?? '';
    await rig.append(interest.topic_id, 5);
    const run = randomUUID();
    rig.world.webhooks.replayed = { run, events: 2 };
    const whole = { serviceAccountId: rig.worker.id, endpointId: endpoint_id, dryRun: false };
    const cases: [object, object][] = [
      [{ event_ids: ['a', 'b', 'a'] }, { ids: ['a', 'b'] }],
      [
        { from_cursor: at(1), to_cursor: at(3) },
        { after: 1, through: 3 },
      ],
      [{ from_cursor: at(0) }, { after: 0 }],
      [{ to_cursor: at(5) }, { through: 5 }],
      [
        { from: '2026-11-21T03:00:00Z', to: '2026-11-21T04:00:00.5+01:00' },
        { receivedFrom: 1_795_230_000_000, receivedBefore: 1_795_230_000_500 },
      ],
      [{ from: '2026-11-21T03:00:00Z' }, { receivedFrom: 1_795_230_000_000 }],
      [{ to: '2026-11-21T03:00:00Z' }, { receivedBefore: 1_795_230_000_000 }],
    ];
    for (const [asks, means] of cases) {
      const answer = await replay({ endpoint_id, ...asks });
      expect([answer.status, await answer.json()]).toEqual([200, { run, events: 2, dry_run: false }]);
      expect(request()).toEqual({ ...whole, ...means });
    }
    rig.world.webhooks.replayed = { run: null, events: 7 };
    const dry = await replay({ endpoint_id, event_ids: ['a'], dry_run: true });
    expect(await dry.json()).toEqual({ run: null, events: 7, dry_run: true });
    expect(request()).toMatchObject({ dryRun: true });
  });

  test('takes a thousand ids and no more', async () => {
    const endpoint_id = await rig.endpointOf();
    const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
    expect((await replay({ endpoint_id, event_ids: ids(1000) })).status).toBe(200);
    const many = await problem(await replay({ endpoint_id, event_ids: ids(1001) }), 422, 'validation');
    expect([paths(many), many.detail]).toEqual([['event_ids'], expect.stringContaining('1 to 1000')]);
  });

  test('is refused by field', async () => {
    const interest = await rig.made();
    const endpoint_id = interest.endpoint_id ?? '';
    await rig.append(interest.topic_id, 5);
    rig.world.webhooks.calls.length = 0;
    const exactlyOne = 'expected exactly one of event_ids, a range of cursors';
    const [early, late] = ['2026-11-21T03:00:00Z', '2026-11-21T04:00:00Z'];
    const cases: [object, string, string][] = [
      [{}, '', exactlyOne],
      [{ event_ids: ['a'], from_cursor: at(1) }, '', exactlyOne],
      [{ to_cursor: at(1), from: early }, '', exactlyOne],
      [{ event_ids: [] }, 'event_ids', 'expected 1 to 1000 ids of events'],
      [{ event_ids: [''] }, 'event_ids.0', 'expected 1 to 1000 ids of events'],
      [{ event_ids: 'a' }, 'event_ids', 'expected 1 to 1000 ids of events'],
      [{ event_ids: [7] }, 'event_ids.0', 'expected the id of an event'],
      [{ from: late, to: early }, 'to', 'expected a time after "from"'],
      [{ from: early, to: early }, 'to', 'expected a time after "from"'],
      [{ from: 'yesterday' }, 'from', 'expected an RFC 3339 time'],
      [{ from: '2026-11-21' }, 'from', 'expected an RFC 3339 time'],
      [
        { from_cursor: at(3), to_cursor: at(3) },
        'to_cursor',
        'expected a cursor that lies behind from_cursor',
      ],
      [
        { from_cursor: at(3), to_cursor: at(1) },
        'to_cursor',
        'expected a cursor that lies behind from_cursor',
      ],
      [{ from_cursor: 'nonsense' }, 'from_cursor', 'expected a cursor as the relay gave it'],
      [{ event_ids: ['a'], dry_run: 'yes' }, 'dry_run', 'expected true or false'],
      [{ event_ids: ['a'], endpoint_id: 'x' }, 'endpoint_id', 'expected a UUID'],
      [{ event_ids: ['a'], ids: ['b'] }, 'ids', 'unknown member: ids'],
    ];
    for (const [more, path, said] of cases) {
      const answer = await problem(await replay({ endpoint_id, ...more }), 422, 'validation');
      expect([paths(answer), answer.detail]).toEqual([[path], expect.stringContaining(said)]);
    }
    expect(rig.world.webhooks.calls).toEqual([]);
  });

  test('is refused for a foreign or unknown endpoint, and for cursors that cannot be honoured', async () => {
    const interest = await rig.made();
    const endpoint_id = interest.endpoint_id ?? '';
    await rig.append(interest.topic_id, 5);
    rig.world.webhooks.calls.length = 0;
    const other = await rig.world.service('other');
    for (const [caller, id] of [
      [other, endpoint_id],
      [rig.worker, randomUUID()],
    ] as const) {
      const body = { endpoint_id: id, event_ids: ['a'] };
      const answer = await problem(await replay(body, caller), 404, 'unknown_endpoint');
      expect(paths(answer)).toEqual(['endpoint_id']);
    }
    const foreign = encodeCursor('elsewhere', 1);
    for (const cursor of [foreign, at(999)]) {
      for (const name of ['from_cursor', 'to_cursor']) {
        await problem(await replay({ endpoint_id, [name]: cursor }), 410, 'cursor_expired');
      }
    }
    await rig.world.log.prune('standard', 1_795_000_000_004, 100);
    const answer = await problem(await replay({ endpoint_id, from_cursor: at(1) }), 410, 'cursor_expired');
    expect(decodeCursor(String(answer['floor']))?.seq).toBe(3);
    await problem(await replay({ endpoint_id, to_cursor: at(2) }), 410, 'cursor_expired');
    const kept = { endpoint_id: endpoint_id.toUpperCase(), from_cursor: String(answer['floor']) };
    expect((await replay(kept)).status).toBe(200);
    expect(rig.world.webhooks.calls).toEqual([
      ['replay', expect.objectContaining({ endpointId: endpoint_id })],
    ]);
  });
});
