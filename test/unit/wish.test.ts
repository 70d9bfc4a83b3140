// From a request to the topic it means: filling, checking, refusing with the field's name.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { botObstacle, broadcasterOf, lackingScopes, resolveWish, type Wish } from '../../src/domain/wish.ts';
import { readBroadcaster } from '../../src/domain/wish-broadcaster.ts';
import { webhookRefusal, webhookUrlOf } from '../../src/domain/wish-webhook.ts';
import { catalogue, findType } from '../../src/upstream/twitch/catalog.ts';

const bot = {
  id: 'bot-1',
  name: 'botty',
  provider: 'twitch',
  twitchUserId: '900',
  scopes: ['user:read:chat', 'moderator:read:followers'],
  enabled: true,
  state: 'ok',
};
const wish = (eventType: string, more: Partial<Wish> = {}): Wish => ({
  eventType,
  version: null,
  condition: null,
  broadcasterUserId: null,
  transport: 'websocket',
  webhookUrl: null,
  ...more,
});
const topicOf = (given: Wish) => {
  const outcome = resolveWish(given, bot, catalogue);
  if (!outcome.ok) throw new Error(outcome.error.message);
  return outcome.topic;
};
const refusal = (given: Wish) => {
  const outcome = resolveWish(given, bot, catalogue);
  if (outcome.ok) throw new Error('was not refused');
  return { ...outcome.error, paths: outcome.error.errors.map((error) => error.path) };
};

describe('a wish becomes a topic', () => {
  test('with the newest version and the fields that only the bot can fill', () => {
    expect(topicOf(wish('channel.follow', { broadcasterUserId: '1' }))).toEqual({
      provider: 'twitch',
      botAccountId: 'bot-1',
      type: 'channel.follow',
      version: '2',
      condition: { broadcaster_user_id: '1', moderator_user_id: '900' },
    });
    expect(topicOf(wish('channel.subscribe')).condition).toEqual({ broadcaster_user_id: '900' });
    expect(topicOf(wish('channel.online', { broadcasterUserId: '1' })).type).toBe('stream.online');
  });

  test('a raid is towards the broadcaster unless the condition says from', () => {
    expect(topicOf(wish('channel.raid', { broadcasterUserId: '1' })).condition).toEqual({
      to_broadcaster_user_id: '1',
    });
    const from = { condition: { from_broadcaster_user_id: '1', to_broadcaster_user_id: '' } };
    expect(topicOf(wish('channel.raid', from)).condition).toEqual({ from_broadcaster_user_id: '1' });
    expect(topicOf(wish('channel.raid', { ...from, broadcasterUserId: '1' })).condition).toEqual({
      from_broadcaster_user_id: '1',
    });
    expect(broadcasterOf({ from_broadcaster_user_id: '1' })).toBe('1');
    const both = { condition: { from_broadcaster_user_id: '1', to_broadcaster_user_id: '2' } };
    expect(refusal(wish('channel.raid', both)).paths).toEqual(['condition']);
    expect(refusal(wish('channel.raid')).paths).toEqual(['condition']);
    expect(refusal(wish('channel.raid', { ...from, broadcasterUserId: '2' })).paths).toEqual([
      'broadcaster_user_id',
    ]);
  });

  test('an unknown type is passed through when it is spelt out', () => {
    const spelt = { version: '7', condition: { b: '2', a: '1' }, broadcasterUserId: '3' };
    const topic = topicOf(wish('channel.brand_new', spelt));
    expect([topic.version, topic.condition]).toEqual(['7', { a: '1', b: '2', broadcaster_user_id: '3' }]);
    const contradiction = { ...spelt, condition: { broadcaster_user_id: '4' } };
    expect(refusal(wish('channel.brand_new', contradiction)).paths).toEqual(['broadcaster_user_id']);
  });
});

describe('a wish is refused', () => {
  test('for its type and version', () => {
    expect(refusal(wish('channel.folow', { version: '2' }))).toMatchObject({
      status: 422,
      code: 'unknown_type',
    });
    expect(refusal(wish('channel.folow')).message).toContain('nearest: channel.follow');
    expect(refusal(wish('channel.follow', { version: '3' }))).toMatchObject({
      code: 'unknown_version',
      paths: ['version'],
    });
    expect(refusal(wish('channel.follow', { version: '3' })).message).toContain('known: 1, 2');
    expect(refusal(wish('channel.follow', { version: '1' }))).toMatchObject({ code: 'type_removed' });
    expect(refusal(wish('drop.entitlement.grant'))).toMatchObject({ code: 'not_over_websocket' });
    expect(refusal(wish('__proto__'))).toMatchObject({ code: 'unknown_type' });
  });

  test('for its condition, naming every field', () => {
    const paths = (type: string, more: Partial<Wish>) => refusal(wish(type, more)).paths;
    expect(paths('channel.follow', {})).toEqual(['broadcaster_user_id']);
    expect(paths('user.update', {})).toEqual(['condition.user_id']);
    expect(paths('user.update', { broadcasterUserId: '1', condition: { user_id: '1' } })).toEqual([
      'broadcaster_user_id',
    ]);
    expect(paths('channel.follow', { condition: { x: '1', broadcaster_user_id: 'name' } })).toEqual([
      'condition.x',
      'condition.broadcaster_user_id',
    ]);
    expect(
      paths('channel.follow', { broadcasterUserId: '1', condition: { moderator_user_id: '5' } }),
    ).toEqual(['condition.moderator_user_id']);
    expect(paths('channel.subscribe', { broadcasterUserId: '1' })).toEqual(['broadcaster_user_id']);
    expect(
      paths('channel.follow', { broadcasterUserId: '1', condition: { broadcaster_user_id: '2' } }),
    ).toEqual(['broadcaster_user_id']);
  });

  test('for its transport', () => {
    const url = (webhookUrl: string | null) =>
      refusal(wish('stream.online', { transport: 'webhook', webhookUrl, broadcasterUserId: '1' }));
    const long = `https://host/hidden${'é'.repeat(400)}`;
    for (const bad of [
      null,
      '',
      'nonsense',
      'ftp://host/',
      'http://u@host/',
      'https://u:hidden@host/',
      long,
    ]) {
      expect(url(bad)).toMatchObject({ code: 'validation', paths: ['webhook_url'] });
      expect(url(bad).message).not.toContain('hidden');
    }
    expect(url(long).message).toContain('2419 characters');
    expect(refusal(wish('stream.online', { webhookUrl: 'https://host/' })).paths).toEqual(['webhook_url']);
  });
});

describe('a webhook', () => {
  test('gives the same topic as a socket would', () => {
    const hook = { transport: 'webhook', webhookUrl: 'https://host/hook?a=b' } as const;
    expect(topicOf(wish('stream.online', { ...hook, broadcasterUserId: '1' }))).toEqual(
      topicOf(wish('stream.online', { broadcasterUserId: '1' })),
    );
    const local = { ...hook, webhookUrl: 'http://127.0.0.1:8080' };
    expect(webhookRefusal(local)).toBeUndefined();
  });

  test('has one spelling of its URL, without what no request carries', () => {
    for (const text of [
      'HTTPS://Host:443/a/../hook?x=%20y#part',
      ' https://host/hook?x=%20y#',
      'https://host/./hook?x= y',
    ]) {
      expect(webhookUrlOf(text)).toBe('https://host/hook?x=%20y');
    }
    expect(webhookUrlOf('http://127.1:8080')).toBe('http://127.0.0.1:8080/');
    expect(webhookUrlOf('https://host/hook/')).not.toBe(webhookUrlOf('https://host/hook'));
  });

  test('keeps its spelling when it is spelt once more', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (rest) => {
        const text = `https://host/${rest}`;
        const once = webhookUrlOf(text);
        expect(webhookUrlOf(once)).toBe(once);
        expect(once).not.toContain('#');
        expect(webhookRefusal({ transport: 'webhook', webhookUrl: once })).toBeUndefined();
      }),
    );
  });
});

describe('what keeps a bot from a wish', () => {
  test('being disabled, having no grant, lacking scopes', () => {
    const rule = findType('channel.follow');
    expect(botObstacle(bot, rule)).toBeUndefined();
    expect(botObstacle({ ...bot, enabled: false }, rule)).toMatchObject({ code: 'bot_disabled' });
    expect(botObstacle({ ...bot, state: 'reauth_required' }, rule)).toMatchObject({
      code: 'bot_reauth_required',
    });
    const lacking = botObstacle({ ...bot, scopes: [] }, rule);
    expect(lacking).toMatchObject({ code: 'missing_scopes' });
    expect(lacking?.message).toContain('moderator:read:followers');
    expect(botObstacle({ ...bot, scopes: [] }, undefined)).toBeUndefined();
  });

  test('channel.moderate lacks what no group is covered by', () => {
    const rule = findType('channel.moderate', '1');
    if (!rule) throw new Error('channel.moderate is gone');
    expect(lackingScopes(rule, [])).toHaveLength(7);
    const granted = rule.scopesAllOf.map((group) => group.at(-1) ?? '');
    expect(lackingScopes(rule, granted)).toEqual([]);
    expect(lackingScopes(rule, granted.slice(1))).toEqual([rule.scopesAllOf[0]]);
  });
});

test('a broadcaster may be an id, a login or an address', () => {
  expect(readBroadcaster(' 123 ')).toEqual({ kind: 'id', id: '123' });
  for (const text of [
    'Forsen',
    '@forsen',
    'twitch.tv/forsen',
    'https://www.twitch.tv/Forsen/videos?x=1',
    'http://m.twitch.tv/forsen',
  ]) {
    expect(readBroadcaster(text)).toEqual({ kind: 'login', login: 'forsen' });
  }
  for (const text of ['', 'a b', 'https://example.com/forsen', 'https://nottwitch.tv/forsen', 'twitch.tv/']) {
    expect(readBroadcaster(text)).toEqual({ kind: 'unreadable' });
  }
});
