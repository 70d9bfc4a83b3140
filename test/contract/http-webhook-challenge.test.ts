// WEBHOOK_CHALLENGE=on, over HTTP: nothing is stored and nothing enabled for a receiver that does not echo the challenge.
import { expect, test } from 'vitest';
import * as shapes from '../../src/protocol/index.ts';
import { paths, problem, url, webhooksRig } from './http-webhooks-rig.ts';

const rig = webhooksRig({ webhookChallenge: true });

async function stored() {
  const count = 'SELECT (SELECT count(*) FROM interest) + (SELECT count(*) FROM endpoint) AS rows';
  const { rows } = await rig.database.pool.query<{ rows: string }>(count);
  return Number(rows[0]?.rows);
}

test('a new endpoint is made with the secret that signed the challenge', async () => {
  const { webhook_secret } = await rig.made({ webhook_url: `${url}#fragment` });
  expect(rig.world.webhooks.calls).toEqual([
    ['checkUrl', url],
    ['challenge', url, webhook_secret],
  ]);
  rig.world.webhooks.calls.length = 0;
  expect((await rig.create()).status).toBe(200);
  expect(rig.asked()).toEqual([]);
  await rig.made({ broadcaster_user_id: '5' });
  expect(rig.asked()).toEqual(['checkUrl']);
});

test('nothing is stored for a receiver that does not echo it, and what came back is told', async () => {
  rig.world.webhooks.echoed = false;
  const cases: [string, number | null, string][] = [
    ['success', 200, 'it answered 200 with another body'],
    ['client_error', 404, 'it answered 404 (client_error)'],
    ['connection_refused', null, 'no answer came: connection_refused'],
  ];
  for (const [kind, status, said] of cases) {
    rig.world.webhooks.outcome = { kind, status, response: 'their words', durationMs: 1 };
    const answer = await problem(await rig.create(), 422, 'challenge_failed');
    expect([paths(answer), answer.detail]).toEqual([['webhook_url'], expect.stringContaining(said)]);
    expect(JSON.stringify(answer)).not.toMatch(/whsec_|canary|their words/);
  }
  rig.world.webhooks.outcome = { kind: 'ours', status: null, response: 'no network', durationMs: 1 };
  await problem(await rig.create(), 503, 'challenge_unavailable');
  rig.world.webhooks.egress = 'not there';
  rig.world.webhooks.calls.length = 0;
  await problem(await rig.create(), 422, 'egress_refused');
  expect([rig.asked(), await stored()]).toEqual([['checkUrl'], 0]);
});

test('an endpoint is challenged before it is enabled again, and only then', async () => {
  const id = await rig.endpointOf();
  rig.world.webhooks.calls.length = 0;
  expect((await rig.worker.call('POST', `/v1/endpoints/${id}/enable`)).status).toBe(200);
  expect(rig.asked()).toEqual([]);
  await rig.disable(id);
  rig.world.webhooks.echoed = false;
  const refused = await rig.worker.call('POST', `/v1/endpoints/${id}/enable`);
  expect(paths(await problem(refused, 422, 'challenge_failed'))).toEqual([]);
  expect((await rig.endpoint(id)).state).toBe('disabled');
  rig.world.webhooks.gone = true;
  const unsent = await rig.worker.call('POST', `/v1/endpoints/${id}/enable`);
  expect((await problem(unsent, 409, 'endpoint_disabled')).detail).toContain('it answered 410');
  Object.assign(rig.world.webhooks, { gone: false, echoed: true });
  const enabled = await rig.worker.call('POST', `/v1/endpoints/${id}/enable`);
  expect(shapes.endpointView.parse(await enabled.json()).state).toBe('healthy');
  expect(rig.world.webhooks.calls).toEqual(Array.from({ length: 3 }, () => ['challengeEndpoint', id]));
});
