// Spot checks of the table against what Twitch's pages say, and its small queries.
import { describe, expect, test } from 'vitest';
import {
  aliases,
  canonicalName,
  eventTypes,
  findType,
  nearestTypes,
  newestLive,
  versionsOf,
} from '../../src/upstream/twitch/catalog.ts';

describe('the catalogue', () => {
  test('has 88 entries of 79 types, none twice', () => {
    expect(eventTypes).toHaveLength(88);
    expect(new Set(eventTypes.map((entry) => entry.type)).size).toBe(79);
    expect(new Set(eventTypes.map((entry) => `${entry.type}@${entry.version}`)).size).toBe(88);
  });

  test('every token user and every choice is a field of the condition', () => {
    for (const entry of eventTypes) {
      const fields = [...entry.condition, ...entry.optionalCondition];
      for (const field of [...(entry.exactlyOneOf ?? []), ...(entry.tokenUser ? [entry.tokenUser] : [])]) {
        expect(fields, entry.type).toContain(field);
      }
    }
  });

  test('channel.moderate needs one scope of each of seven groups, version 2 of eight', () => {
    expect(findType('channel.moderate', '1')?.scopesAllOf).toHaveLength(7);
    expect(findType('channel.moderate', '2')?.scopesAllOf).toHaveLength(8);
    expect(findType('channel.moderate', '2')?.scopesAllOf).toContainEqual(['moderator:read:vips']);
    expect(findType('channel.moderate', '2')?.scopesAnyOf).toEqual([]);
  });

  test('the special ones', () => {
    const ends = ['from_broadcaster_user_id', 'to_broadcaster_user_id'];
    expect(findType('channel.raid')).toMatchObject({
      condition: [],
      optionalCondition: ends,
      exactlyOneOf: ends,
    });
    expect(findType('channel.follow', '1')?.status).toBe('removed');
    expect(findType('channel.follow')).toMatchObject({ version: '2', tokenUser: 'moderator_user_id' });
    expect(findType('channel.hype_train.end', '1')?.status).toBe('removed');
    expect(findType('channel.update', '1')?.status).toBe('deprecated');
    expect(newestLive('channel.guest_star_session.begin')).toMatchObject({ version: 'beta', status: 'beta' });
    expect(findType('drop.entitlement.grant')).toMatchObject({ websocket: false, batched: true });
    expect(eventTypes.filter((entry) => !entry.websocket)).toHaveLength(5);
    expect(findType('user.whisper.message')?.tokenUser).toBe('user_id');
  });

  test('aliases lead to real types, names that objects have by birth lead nowhere', () => {
    expect(Object.values(aliases).every((name) => newestLive(name))).toBe(true);
    expect(canonicalName('channel.online')).toBe('stream.online');
    expect(canonicalName('constructor')).toBe('constructor');
    expect(versionsOf('constructor')).toEqual([]);
    expect(findType('channel.follow', '3')).toBeUndefined();
  });

  test('the nearest types come first', () => {
    expect(nearestTypes('channel.folow', 2)[0]).toBe('channel.follow');
    expect(nearestTypes('Channel.Chat.Mesage', 1)).toEqual(['channel.chat.message']);
    expect(nearestTypes('', 3)).toHaveLength(3);
  });
});
