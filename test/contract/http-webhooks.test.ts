// A wish with a URL, over HTTP: one endpoint and one secret, the refusals in the order of what they cost, and the proof that
// a receiver may be asked for. Over the real store, log and feed; only what would send is a stand-in.
import { describe, expect, test, vi } from 'vitest';
import * as shapes from '../../src/protocol/index.ts';
import { paths, problem, url, webhooksRig } from './http-webhooks-rig.ts';

const rig = webhooksRig();

async function stored() {
  const count = 'SELECT (SELECT count(*) FROM interest) + (SELECT count(*) FROM endpoint) AS rows';
  const { rows } = await rig.database.pool.query<{ rows: string }>(count);
  return Number(rows[0]?.rows);
}

describe('a wish with a URL', () => {
  test('makes one endpoint per URL, whatever its spelling, and one secret', async () => {
    const answer = await rig.create();
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([201, 'no-store']);
    const first = shapes.createdInterest.parse(await answer.json());
    expect(first.webhook_secret).toMatch(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/);
    expect(first).toMatchObject({ transport: 'webhook', webhook_url: url, code: null });
    const again = await rig.create({
      webhook_url: 'HTTPS://Receiver.test:443/hook-with-a-canary?key=canary#x',
    });
    expect(again.status).toBe(200);
    const same = shapes.createdInterest.parse(await again.json());
    expect([same.id, same.endpoint_id, same.webhook_secret]).toEqual([
      first.id,
      first.endpoint_id,
      undefined,
    ]);
    const other = await rig.made({ broadcaster_user_id: '5' });
    expect([other.endpoint_id, other.webhook_secret]).toEqual([first.endpoint_id, undefined]);
    const elsewhere = await rig.made({ webhook_url: 'http://127.0.0.1:8080' });
    expect(elsewhere.endpoint_id).not.toBe(first.endpoint_id);
    expect(elsewhere).toMatchObject({ webhook_url: 'http://127.0.0.1:8080/', topic_id: first.topic_id });
    expect(elsewhere.webhook_secret).not.toBe(first.webhook_secret);
    const socket = await rig.made({ transport: 'websocket', webhook_url: null });
    expect([socket.endpoint_id, socket.webhook_secret]).toEqual([null, undefined]);
  });

  test('is one of those at the same moment that is told the secret', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => rig.create()));
    const bodies = await Promise.all(
      answers.map(async (answer) => shapes.createdInterest.parse(await answer.json())),
    );
    expect(bodies.filter((body) => body.webhook_secret !== undefined)).toHaveLength(1);
    expect(new Set(bodies.map((body) => body.endpoint_id)).size).toBe(1);
  });

  test('is shown to its owner with its URL and its endpoint', async () => {
    const first = await rig.made();
    const shown: unknown = await (await rig.worker.call('GET', `/v1/interests/${first.id}`)).json();
    expect(shown).toMatchObject({ webhook_url: url, endpoint_id: first.endpoint_id });
    expect(await (await rig.worker.call('GET', '/v1/interests')).json()).toEqual([shown]);
    const theirs = await rig.endpointOf({}, await rig.world.service('other'));
    expect(theirs).not.toBe(first.endpoint_id);
  });

  test('is refused by its URL, and by the egress guard only after everything cheaper', async () => {
    for (const webhook_url of [
      undefined,
      'nonsense',
      'ftp://receiver.test/canary',
      'https://u:canary@host/',
    ]) {
      const answer = await problem(await rig.create({ webhook_url }), 422, 'validation');
      expect(paths(answer)).toEqual(['webhook_url']);
      expect(JSON.stringify(answer)).not.toContain('canary');
    }
    const long = `${url}${'x'.repeat(2048)}`;
    expect(
      JSON.stringify(await problem(await rig.create({ webhook_url: long }), 422, 'validation')),
    ).not.toContain('canary');
    await problem(
      await rig.create({ event_type: 'channel.ban', broadcaster_user_id: null }),
      422,
      'missing_scopes',
    );
    expect(rig.world.webhooks.calls).toEqual([]);
    rig.world.webhooks.egress = 'private addresses are called only if WEBHOOK_ALLOWED_CIDRS says so';
    const refused = await problem(await rig.create(), 422, 'egress_refused');
    expect(refused.errors).toEqual([{ path: 'webhook_url', message: rig.world.webhooks.egress }]);
    expect([rig.asked(), await stored()]).toEqual([['checkUrl'], 0]);
    expect(rig.world.webhooks.calls[0]).toEqual(['checkUrl', url]);
  });

  test('is told its secret also when the database goes away during the wait', async () => {
    const { interests } = rig.world.store;
    const get = vi.spyOn(interests, 'get').mockRejectedValue(new Error('Connection terminated unexpectedly'));
    const answer = await rig.worker.call('POST', '/v1/interests?wait=5', {
      bot_account_id: rig.botId,
      event_type: 'channel.follow',
      broadcaster_user_id: '12826',
      transport: 'webhook',
      webhook_url: url,
    });
    expect([answer.status, get.mock.calls.length > 0]).toEqual([201, true]);
    const made = shapes.createdInterest.parse(await answer.json());
    expect([made.state, made.webhook_secret]).toEqual(['pending', expect.stringMatching(/^whsec_/)]);
  });

  test('that exists already is answered without asking anybody', async () => {
    const first = await rig.made();
    rig.world.webhooks.egress = 'no more';
    rig.world.webhooks.calls.length = 0;
    const again = await rig.create();
    expect([again.status, rig.asked()]).toEqual([200, []]);
    expect(await again.json()).toMatchObject({ id: first.id });
    await problem(await rig.create({ broadcaster_user_id: '5' }), 422, 'egress_refused');
  });
});

test('a secret is in the answer that hands it out and nowhere else', async () => {
  const first = await rig.made();
  const id = first.endpoint_id ?? '';
  const path = `/v1/endpoints/${id}`;
  const renewed = await rig.worker.call('POST', `${path}/rotate-secret`);
  const { webhook_secret } = shapes.endpointSecret.parse(await renewed.json());
  const answers = [
    await rig.create(),
    await rig.create({ broadcaster_user_id: '5' }),
    await rig.worker.call('GET', '/v1/interests'),
    await rig.worker.call('GET', `/v1/interests/${first.id}`),
    await rig.worker.call('GET', '/v1/endpoints'),
    await rig.worker.call('GET', path),
    await rig.worker.call('PATCH', path, { concurrency: 1 }),
    await rig.worker.call('POST', `${path}/enable`),
    await rig.worker.call('POST', `${path}/test`),
    await rig.worker.call('GET', '/v1/deliveries'),
  ];
  expect(answers.map((answer) => answer.ok)).not.toContain(false);
  const said = (await Promise.all(answers.map((answer) => answer.text()))).join('\n');
  const rows = await rig.database.pool.query('SELECT * FROM endpoint');
  for (const text of [said, rig.world.lines.join('\n'), JSON.stringify(rows.rows)]) {
    expect(text.length).toBeGreaterThan(0);
    for (const secret of [first.webhook_secret, webhook_secret]) expect(text).not.toContain(secret);
    expect(text).not.toContain('whsec_');
  }
  expect(rig.world.lines.join('\n')).not.toContain('canary');
});
