// Bots that come, go, fall ill and get well while services listen: nothing of it needs a restart, and whoever is concerned
// is told.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuthorizationView, DeviceCode } from '../../src/protocol/rest-authorizations.ts';
import type { BotView, CheckView, InterestView } from '../../src/protocol/rest.ts';
import { until } from '../support/until.ts';
import { authorization, startLink, visit } from '../support/visit.ts';
import { allScopes, worlds, type Bot, type Service, type World } from '../support/world.ts';

const place = worlds();
let world: World;
let service: Service;
beforeAll(async () => {
  await place.open();
  world = await place.create({ simulator: { deviceIntervalSeconds: 1 } });
});
beforeEach(async () => {
  service = await world.addService();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

const admin = <T = Record<string, unknown>>(method: string, path: string, body?: unknown) =>
  world.call<T>(method, path, { as: 'admin', ...(body === undefined ? {} : { body }) });
const botNow = async (id: string) =>
  (await admin<BotView[]>('GET', '/v1/bots')).body.find((bot) => bot.id === id);
const follow = (bot: Pick<Bot, 'user'>) =>
  world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
const checks = async (bot: Bot) => {
  const { body } = await admin<{ checks: CheckView[] }>('GET', '/v1/admin/checks');
  return Object.fromEntries(
    body.checks.filter((check) => check.bot_account_id === bot.id).map((check) => [check.name, check]),
  );
};
const socketsOf = (bot: Bot) =>
  world.sim.sessions().filter((session) => session.open && session.userId === bot.user.id).length;

describe('a grant that ends', () => {
  it('is told, and a new one heals the session without a restart', async () => {
    const bot = await world.addBot();
    await world.addInterest(service, bot, 'channel.follow');
    const consumer = await world.consumer(service);
    const first = follow(bot);
    await consumer.got(1);
    world.sim.revokeGrant(bot.user.id);
    expect((await admin('POST', `/v1/admin/bots/${bot.id}/refresh`)).body).toMatchObject({
      status: 422,
      code: 'reauth_required',
    });
    await consumer.gotType('relay.bot.reauth_required');
    expect((await botNow(bot.id))?.state).toBe('reauth_required');
    const ill = await checks(bot);
    expect([ill['token']?.status, ill['token']?.advice]).toEqual(['failed', expect.stringContaining(bot.id)]);

    world.sim.signIn(bot.user.id);
    const link = await startLink(world, { bot_account_id: bot.id });
    const page = await visit(link.authorize_url);
    expect([page.status, page.text.includes('connected again')]).toEqual([200, true]);
    await world.subscribed(bot, 1);
    await consumer.gotType('relay.interest.active');
    const second = follow(bot);
    expect(await consumer.got(2)).toEqual([first, second]);
    await until(async () => Object.values(await checks(bot)).every((check) => check.status === 'ok'), {
      what: 'every check of the bot to be well',
    });
  });

  it('and begins anew before its end was worked off: everything is made again with the new one', async () => {
    const bot = await world.addBot();
    await world.addInterest(service, bot, 'channel.follow');
    // The pass hangs in this while the old grant ends and the new one comes.
    const hanging = world.sim.arm({ name: 'helix_hangs', on: 'create', ms: 1_000 });
    await world.addInterest(service, bot, 'channel.ban', bot.user.id, { wait: 0 });
    await until(() => hanging.fired() === 1, { what: 'the pass to hang' });
    world.sim.revokeGrant(bot.user.id);
    const { accessToken, refreshToken } = world.sim.grant({ userId: bot.user.id, scopes: allScopes });
    const body = { access_token: accessToken, refresh_token: refreshToken };
    expect((await admin('POST', '/v1/admin/bots/import', body)).status).toBe(200);
    await world.subscribed(bot, 2);
  });

  it('a refusal that was on its way when a new grant came is no verdict on that one', async () => {
    const bot = await world.addBot();
    const refusal = world.sim.arm({ name: 'helix', on: 'create', status: 403, delayMs: 1_000, times: 1 });
    await world.addInterest(service, bot, 'channel.follow', bot.user.id, { wait: 0 });
    await until(() => refusal.fired() === 1, { what: 'the refusal to be on its way' });
    const { accessToken, refreshToken } = world.sim.grant({ userId: bot.user.id, scopes: allScopes });
    const body = { access_token: accessToken, refresh_token: refreshToken };
    expect((await admin('POST', '/v1/admin/bots/import', body)).status).toBe(200);
    await world.subscribed(bot, 1);
  });
});

describe('a device', () => {
  const start = async (body: object) => (await admin<DeviceCode>('POST', '/v1/admin/bots/device', body)).body;

  it('gets a bot by a code that is typed in elsewhere', async () => {
    const user = world.sim.addUser({ login: 'headless' });
    const code = await start({ name: 'headless', event_types: ['channel.follow'] });
    expect(code).toMatchObject({ kind: 'device', state: 'pending', scopes: ['moderator:read:followers'] });
    expect(code.verification_uri).toContain(code.user_code);
    const waiting = authorization(world, code.id, 30);
    expect(world.sim.answerDevice(code.user_code, user.id)).toBe(true);
    const ended = await waiting;
    expect(ended).toMatchObject({ state: 'completed', code: null });
    const made = await botNow(ended.bot_account_id ?? '');
    expect(made).toMatchObject({ name: 'headless', twitch_user_id: user.id, state: 'ok' });
    const bot: Bot = { id: made?.id ?? '', user, accessToken: '', refreshToken: '' };
    expect((await world.addInterest(service, bot, 'channel.follow')).state).toBe('active');
  });

  it('that is refused adds nobody', async () => {
    const code = await start({});
    expect(world.sim.answerDevice(code.user_code, null)).toBe(true);
    expect(await authorization(world, code.id, 30)).toMatchObject({
      state: 'denied',
      code: 'access_denied',
      bot_account_id: null,
    });
  });
});

it('a broadcaster grants a service what a topic needs, by a link', async () => {
  const user = world.sim.addUser({ login: 'streamer' });
  world.sim.signIn(user.id);
  const link = await startLink(world, { event_types: ['channel.subscribe'] }, service);
  expect(link).toMatchObject({ kind: 'broadcaster', scopes: ['channel:read:subscriptions'] });
  expect((await visit(link.authorize_url)).text).toContain('Whoever sent you the link can go on now');
  const path = `/v1/broadcaster-authorizations/${link.id}`;
  const { body } = await world.call<AuthorizationView>('GET', path, { as: service });
  expect(body.state).toBe('completed');
  const bot: Bot = { id: body.bot_account_id ?? '', user, accessToken: '', refreshToken: '' };
  expect((await world.addInterest(service, bot, 'channel.subscribe')).state).toBe('active');
  const sent = world.sim.send('channel.subscribe', { broadcaster_user_id: user.id })[0]?.messageId;
  await until(async () => (await world.log(service)).some((event) => event.id === sent), {
    what: 'the event',
  });
});

it('a bot that is removed leaves nothing at Twitch, and the owners of its interests are told', async () => {
  const bot = await world.addBot();
  const other = await world.addService();
  const mine = await world.addInterest(service, bot, 'channel.follow');
  await world.addInterest(other, bot, 'channel.follow');
  await world.addInterest(other, bot, 'channel.update');
  await world.subscribed(bot, 2);
  const [one, two] = [await world.consumer(service), await world.consumer(other)];
  const removed = await admin('DELETE', `/v1/admin/bots/${bot.id}`);
  expect(removed.body).toEqual({ deleted: true, interests: 3, revoked: true });
  await one.gotType('relay.interest.revoked', { code: 'bot_removed', interest_id: mine.id });
  await until(() => two.ids('relay.interest.revoked').length === 2, { what: 'both to be told' });
  expect(world.sim.subscriptions().filter((each) => each.userId === bot.user.id)).toEqual([]);
  expect(world.sim.revokes().map(({ userId }) => userId)).toContain(bot.user.id);
  await until(() => socketsOf(bot) === 0, { what: 'its sockets to be closed' });
  expect(await botNow(bot.id)).toBeUndefined();
  expect((await world.call('GET', '/v1/interests', { as: other })).body).toEqual([]);
  expect((await admin('DELETE', `/v1/admin/bots/${bot.id}`)).status).toBe(404);
  expect((await world.call('GET', `/v1/interests/${mine.id}`, { as: service })).status).toBe(404);
});

it('two refreshes at once are one call to Twitch, and both are answered', async () => {
  const bot = await world.addBot();
  const hang = world.sim.arm({ name: 'auth_hangs', on: 'token', ms: 150, times: 1 });
  const from = world.sim.requests.length;
  const answers = await Promise.all([1, 2, 3].map(() => admin('POST', `/v1/admin/bots/${bot.id}/refresh`)));
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
  expect([hang.fired(), world.requests('token', from).length]).toEqual([1, 1]);
  const away = world.sim.arm({ name: 'auth', on: 'token', status: 503 });
  const refused = await admin('POST', `/v1/admin/bots/${bot.id}/refresh`);
  expect([refused.status, refused.body['code']]).toEqual([503, 'twitch_unreachable']);
  expect(away.fired()).toBeGreaterThan(0);
  away.disarm();
  expect((await admin('POST', `/v1/admin/bots/${bot.id}/refresh`)).status).toBe(200);
  expect((await botNow(bot.id))?.state).toBe('ok');
});

it('a bot that came without a refresh token says so when it is to be refreshed', async () => {
  const user = world.sim.addUser({ login: 'shortlived' });
  const { accessToken } = world.sim.grant({ userId: user.id, scopes: [] });
  const { body } = await admin<BotView>('POST', '/v1/admin/bots/import', { access_token: accessToken });
  const refused = await admin('POST', `/v1/admin/bots/${body.id}/refresh`);
  expect([refused.status, refused.body['code']]).toEqual([422, 'no_refresh_token']);
});

it('a bot that is disabled has no socket, and goes on when it is enabled', async () => {
  const bot = await world.addBot();
  const interest = await world.addInterest(service, bot, 'channel.follow');
  await world.subscribed(bot, 1);
  const path = `/v1/admin/bots/${bot.id}`;
  expect((await admin<BotView>('PATCH', path, { enabled: false })).body.enabled).toBe(false);
  await until(() => socketsOf(bot) === 0, { what: 'its sockets to be closed' });
  expect((await checks(bot))['session']).toMatchObject({ status: 'warning' });
  expect((await admin<BotView>('PATCH', path, { enabled: true })).body.enabled).toBe(true);
  await world.subscribed(bot, 1);
  const sent = follow(bot);
  await until(async () => (await world.log(service)).some((event) => event.id === sent), {
    what: 'the event',
  });
  const now = await world.call<InterestView>('GET', `/v1/interests/${interest.id}`, { as: service });
  expect(now.body.state).toBe('active');
});
