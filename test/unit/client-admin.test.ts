// The admin's calls and those about grants: documented paths, parsed answers, and that they can be given up.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createAdminClient, RelayApiError } from '../../src/client/index.ts';
import { problemOf, scriptedRelay, secret, type ScriptedRelay } from './client-scripted-relay.ts';

let relay: ScriptedRelay;
beforeEach(async () => {
  relay = await scriptedRelay();
});
afterEach(async () => {
  await relay[Symbol.asyncDispose]();
});

const id = '8f14e45f-ceea-4672-a1b2-93f8d3a1c001';
const pending = {
  id,
  kind: 'browser',
  state: 'pending',
  code: null,
  reason: null,
  scopes: ['user:read:chat'],
  bot_account_id: null,
  created_at: '2026-11-21T03:00:00.000Z',
  expires_at: '2026-11-21T03:10:00.000Z',
};
const bot = {
  id,
  name: 'bot',
  provider: 'twitch',
  twitch_user_id: '1',
  twitch_login: 'bot',
  enabled: true,
  state: 'ok',
  scopes: [],
  token_expires_at: null,
  session: { state: 'none', sockets: 0, connected_at: null, last_frame_at: null, reconnects: 0 },
  subscriptions: { used: 0, limit: 900 },
  cost: { used: 0, limit: 10 },
  topics: {},
};
const service = {
  name: 's',
  client_id: 'c',
  enabled: true,
  access_mode: 'restricted',
  bot_account_ids: [id],
  created_at: '2026-11-21T03:00:00.000Z',
  last_seen_at: null,
};
const admin = () => createAdminClient({ url: relay.url, adminKey: secret });
const calls = () => relay.requests.map(({ method, path, body }) => [method, path, body]);
const answer = (body: unknown, status = 200) => {
  relay.answer = () => ({ status, body });
};

it('asks for grants and follows them', async () => {
  answer({ ...pending, authorize_url: 'https://id.example/authorize' }, 201);
  const link = await admin().authorizeBot({ name: 'bot', event_types: ['channel.follow'] });
  expect(link.authorize_url).toBe('https://id.example/authorize');
  await admin().authorizeBroadcaster({ scopes: ['bits:read'] });
  await relay.client().authorizeBroadcaster();
  answer(
    { ...pending, kind: 'device', user_code: 'ABCD', verification_uri: 'https://x', interval_seconds: 5 },
    201,
  );
  expect((await admin().deviceBot()).user_code).toBe('ABCD');
  answer({ ...pending, state: 'completed', bot_account_id: id });
  expect((await admin().authorization(id, { waitSeconds: 3 })).state).toBe('completed');
  expect((await relay.client().broadcasterAuthorization(id, { waitSeconds: 0 })).bot_account_id).toBe(id);
  expect(calls()).toEqual([
    ['POST', '/v1/admin/bots/authorize', '{"name":"bot","event_types":["channel.follow"]}'],
    ['POST', '/v1/broadcaster-authorizations/start', '{"scopes":["bits:read"]}'],
    ['POST', '/v1/broadcaster-authorizations/start', '{}'],
    ['POST', '/v1/admin/bots/device', '{}'],
    ['GET', `/v1/admin/authorizations/${id}?wait=3`, ''],
    ['GET', `/v1/broadcaster-authorizations/${id}?wait=0`, ''],
  ]);
  expect(relay.requests[2]?.headers).toMatchObject({ 'x-client-id': 'svc', 'x-client-secret': secret });
  expect(relay.requests[1]?.headers['x-admin-key']).toBe(secret);
});

it('looks after bots and service accounts', async () => {
  answer(bot);
  await admin().patchBot(id, { enabled: false });
  await admin().refreshBot(id);
  answer({ deleted: true, interests: 2, revoked: false });
  expect(await admin().removeBot(id)).toEqual({ deleted: true, interests: 2, revoked: false });
  answer(service);
  const { serviceAccounts } = admin();
  await serviceAccounts.patch('c', { access_mode: 'restricted', bot_account_ids: [id] });
  await serviceAccounts.setEnabled('c', true);
  expect(calls()).toEqual([
    ['PATCH', `/v1/admin/bots/${id}`, '{"enabled":false}'],
    ['POST', `/v1/admin/bots/${id}/refresh`, ''],
    ['DELETE', `/v1/admin/bots/${id}`, ''],
    ['PATCH', '/v1/admin/service-accounts/c', `{"access_mode":"restricted","bot_account_ids":["${id}"]}`],
    ['PATCH', '/v1/admin/service-accounts/c', '{"enabled":true}'],
  ]);
});

it('reads checks and numbers', async () => {
  const check = { name: 'database', bot_account_id: null, status: 'ok', detail: 'x', advice: null };
  answer({ checks: [check] });
  expect(await admin().checks()).toEqual([check]);
  answer('# EOF');
  expect(await admin().metrics()).toBe('"# EOF"');
  expect(relay.requests[1]).toMatchObject({ path: '/metrics', headers: { accept: '*/*' } });
});

it('refuses an answer of another shape, and says what the relay says, never the key', async () => {
  answer({ ...pending, state: 'new' });
  const odd = await admin()
    .authorization(id)
    .catch((error: unknown) => error);
  expect(odd).toMatchObject({ code: 'unexpected_answer' });
  relay.answer = () => problemOf(422, 'reauth_required', 'authorise the bot again');
  const refused = await admin()
    .refreshBot(id)
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RelayApiError);
  expect(refused).toMatchObject({ status: 422, code: 'reauth_required', detail: 'authorise the bot again' });
  expect(String(refused) + JSON.stringify(refused)).not.toContain(secret);
});

it('gives up a call with the reason of the signal', async () => {
  const reason = new Error('enough');
  const stopped = AbortSignal.abort(reason);
  await expect(admin().authorization(id, { waitSeconds: 30, signal: stopped })).rejects.toBe(reason);
  await expect(admin().checks({ signal: stopped })).rejects.toBe(reason);
  await expect(relay.client().broadcasterAuthorization(id, { signal: stopped })).rejects.toBe(reason);
  expect(relay.requests).toEqual([]);
});
