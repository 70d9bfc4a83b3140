// Links that a user opens at Twitch, through the whole daemon: what a state is good for, and every way in which the user,
// the browser or Twitch can answer otherwise than hoped.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BotView } from '../../src/protocol/rest.ts';
import { authorization, startLink, visit } from '../support/visit.ts';
import { worlds, type World } from '../support/world.ts';

const place = worlds();
let world: World;
beforeAll(async () => {
  await place.open();
  world = await place.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

const bots = async () => (await world.call<BotView[]>('GET', '/v1/bots', { as: 'admin' })).body;
const botOf = async (login: string) => (await bots()).find((bot) => bot.twitch_login === login);
const someone = (login: string) => {
  const user = world.sim.addUser({ login });
  world.sim.signIn(user.id);
  return user;
};
const tokenCalls = () => world.requests('token').length;

describe('a link', () => {
  it('makes a bot of whoever says yes, once', async () => {
    const user = someone('first');
    const link = await startLink(world, { name: 'desk', event_types: ['channel.follow'] });
    const asked = new URL(link.authorize_url);
    expect(asked.searchParams.get('scope')).toBe('moderator:read:followers');
    const page = await visit(link.authorize_url);
    expect(page.status).toBe(200);
    expect(page.text).toContain('desk is connected');
    expect(page.text).toContain('<strong>first</strong>');
    expect(await botOf('first')).toMatchObject({ name: 'desk', twitch_user_id: user.id, state: 'ok' });
    expect(await authorization(world, link.id)).toMatchObject({
      state: 'completed',
      bot_account_id: (await botOf('first'))?.id,
    });
    // The same address again: the state is used, Twitch is not asked, nothing changes.
    const [before, calls] = [await bots(), tokenCalls()];
    const again = await visit(page.url);
    expect([again.status, again.text.includes('state_used')]).toEqual([400, true]);
    expect([await bots(), tokenCalls()]).toEqual([before, calls]);
    expect((await authorization(world, link.id)).state).toBe('completed');
    const [state, code] = [page.url.searchParams.get('state'), page.url.searchParams.get('code')];
    expect([state?.length, code?.length]).toEqual([43, 30]);
    for (const secret of [state ?? '', code ?? '']) {
      expect(page.text + again.text).not.toContain(secret);
      expect(world.logs.join('')).not.toContain(secret);
    }
  });

  it('is good for one of two browsers at once', async () => {
    someone('racer');
    const link = await startLink(world, { name: 'racer' });
    const redirect = await fetch(link.authorize_url, { redirect: 'manual' });
    const back = redirect.headers.get('location') ?? '';
    const calls = tokenCalls();
    const pages = await Promise.all([visit(back), visit(back), visit(back)]);
    expect(pages.map((page) => page.status).toSorted((a, b) => a - b)).toEqual([200, 400, 400]);
    expect(tokenCalls()).toBe(calls + 1);
    expect((await bots()).filter((bot) => bot.twitch_login === 'racer')).toHaveLength(1);
  });

  it('that the relay never made, or that lacks its state, is nothing', async () => {
    const calls = tokenCalls();
    const cases = [
      ['?code=abc&state=nonsense', 'state_unknown'],
      [`?code=abc&state=${'x'.repeat(43)}`, 'state_unknown'],
      ['?code=abc&state=%00%ff', 'state_unknown'],
      ['?code=abc', 'state_missing'],
      ['', 'state_missing'],
      ['?error=access_denied', 'state_missing'],
    ] as const;
    for (const [query, code] of cases) {
      const page = await visit(`${world.url}/oauth/callback${query}`);
      expect([query, page.status, page.text.includes(code)]).toEqual([query, 400, true]);
    }
    expect(tokenCalls()).toBe(calls);
  });

  it('for a known Twitch user replaces tokens and makes no second row', async () => {
    const user = world.sim.addUser({ login: 'known' });
    const old = await world.addBot('other', []);
    world.sim.signIn(old.user.id);
    const page = await visit((await startLink(world, { scopes: ['bits:read'] })).authorize_url);
    expect(page.text).toContain('other is connected again');
    expect(await botOf('other')).toMatchObject({ id: old.id, name: 'other', scopes: ['bits:read'] });
    expect(await botOf(user.login)).toBeUndefined();
  });
});

describe('nothing comes of it when', () => {
  it('the user says no', async () => {
    someone('shy');
    const link = await startLink(world);
    world.sim.denyNextConsent();
    const page = await visit(link.authorize_url);
    expect([page.status, page.text.includes('Twitch was told no')]).toEqual([403, true]);
    expect(await authorization(world, link.id)).toMatchObject({ state: 'denied', code: 'access_denied' });
    expect(await botOf('shy')).toBeUndefined();
    expect((await visit(page.url)).text).toContain('state_used');
  });

  it('less is granted than was asked for, and what was granted is given back', async () => {
    const user = someone('careful');
    const link = await startLink(world, { scopes: ['bits:read', 'user:read:chat'] });
    world.sim.grantOnlyNext(['bits:read']);
    const page = await visit(link.authorize_url);
    expect(page.status).toBe(403);
    expect(page.text).toContain('missing: user:read:chat');
    expect(await authorization(world, link.id)).toMatchObject({ state: 'failed', code: 'missing_scopes' });
    expect(await botOf('careful')).toBeUndefined();
    expect(world.sim.revokes().map(({ userId }) => userId)).toContain(user.id);
  });

  it('another account is signed in than the link is for', async () => {
    const mine = await world.addBot('mine', ['bits:read']);
    someone('stranger');
    const link = await startLink(world, { bot_account_id: mine.id });
    const page = await visit(link.authorize_url);
    expect(page.status).toBe(409);
    expect(page.text).toMatch(/grant of mine was asked for, but stranger/);
    expect(await authorization(world, link.id)).toMatchObject({ state: 'failed', code: 'wrong_user' });
    expect(await botOf('stranger')).toBeUndefined();
    expect(await botOf('mine')).toMatchObject({ state: 'ok', scopes: ['bits:read'] });
  });

  it('the code is made up, or Twitch is away, or the name is taken', async () => {
    someone('unlucky');
    const made = await startLink(world);
    const state = new URL(made.authorize_url).searchParams.get('state') ?? '';
    const faked = await visit(`${world.url}/oauth/callback?state=${state}&code=made-up`);
    expect([faked.status, faked.text.includes('code_invalid')]).toEqual([400, true]);
    expect((await authorization(world, made.id)).code).toBe('code_invalid');

    const fault = world.sim.arm({ name: 'auth', on: 'token', status: 503 });
    const away = await startLink(world);
    const page = await visit(away.authorize_url);
    expect([page.status, page.text.includes('twitch_unreachable')]).toEqual([503, true]);
    expect(fault.fired()).toBeGreaterThan(0);
    fault.disarm();

    const taken = await startLink(world, { name: 'mine' });
    const refused = await visit(taken.authorize_url);
    expect([refused.status, refused.text.includes('name_taken')]).toEqual([409, true]);
    expect(await botOf('unlucky')).toBeUndefined();
  });

  it('the link is older than ten minutes', async () => {
    someone('late');
    const link = await startLink(world);
    const redirect = await fetch(link.authorize_url, { redirect: 'manual' });
    await world.clock.advance(600_001);
    expect((await authorization(world, link.id)).state).toBe('expired');
    const calls = tokenCalls();
    const page = await visit(redirect.headers.get('location') ?? '');
    expect([page.status, page.text.includes('state_expired')]).toEqual([400, true]);
    expect(tokenCalls()).toBe(calls);
    expect(await botOf('late')).toBeUndefined();
  });
});
