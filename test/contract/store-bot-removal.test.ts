// What the store promises about taking a bot out, on whichever database this run is about: from the first moment nobody
// may use it, in the end nothing of it is left, and bringing it in again in between loses neither the row nor a token.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { topicId } from '../../src/domain/topic.ts';
import { endpointOf, grantOf, socketInterest, storeRig, topicOf, url } from './store-rig.ts';

const rig = storeRig();
const bots = () => rig.store.bots;
const count = async (table: string): Promise<number> => {
  const answer = await rig.database.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
  return answer.rows[0]?.n ?? -1;
};

describe('a change', () => {
  test('of name and switch is told, and a taken name is refused', async () => {
    const { bot: other } = await bots().upsert(grantOf('2', { name: 'other' }));
    rig.changes.length = 0;
    expect(await bots().patch(rig.botId, { name: 'main' })).toMatchObject({ name: 'main', enabled: true });
    expect(await bots().patch(rig.botId, { enabled: false })).toMatchObject({ name: 'main', enabled: false });
    expect(rig.changes).toEqual([
      { kind: 'bot', botAccountId: rig.botId },
      { kind: 'bot', botAccountId: rig.botId },
    ]);
    await expect(bots().patch(rig.botId, { name: 'other', enabled: true })).rejects.toMatchObject({
      code: 'name_taken',
      status: 409,
    });
    expect(await bots().get(rig.botId)).toMatchObject({ name: 'main', enabled: false });
    expect(await bots().patch(randomUUID(), { name: 'x' })).toBeUndefined();
    expect(await bots().patch('no id', {})).toBeUndefined();
    expect(rig.changes).toHaveLength(2);
    expect(await bots().byTwitchUser('2')).toEqual(other);
    expect(await bots().byTwitchUser('3')).toBeUndefined();
  });
});

describe('a bot that is being taken out', () => {
  test('is known to the reconciler alone, wanted by nobody, and its name is free', async () => {
    const { service: other } = await rig.store.services.create('other');
    await socketInterest(rig);
    await endpointOf(rig);
    await socketInterest(rig, { serviceAccountId: other.id });
    await rig.store.services.patch(rig.service.clientId, {
      accessMode: 'restricted',
      botAccountIds: [rig.botId],
    });
    rig.changes.length = 0;
    expect(await bots().startRemoval(rig.botId)).toEqual({ interests: 3 });
    expect(rig.changes).toEqual([
      {
        kind: 'interests',
        botAccountIds: [rig.botId],
        serviceAccountIds: [rig.service.id, other.id].toSorted(),
      },
      { kind: 'bot', botAccountId: rig.botId },
    ]);
    expect(await bots().startRemoval(rig.botId)).toBeUndefined();
    expect(rig.changes).toHaveLength(2);

    const { id, ...seen } = { id: rig.botId, list: await bots().list(), get: await bots().get(rig.botId) };
    expect(seen).toEqual({ list: [], get: undefined });
    expect(await bots().byTwitchUser('1')).toBeUndefined();
    expect(await bots().patch(id, { name: 'x' })).toBeUndefined();
    expect(await bots().ids()).toEqual([id]);
    const any = await bots().getAny(id);
    expect(any?.removedAt).toBeGreaterThan(0);
    expect(await bots().tokens(id)).toMatchObject({ accessToken: 'access-1' });

    expect(await rig.store.topics.forBot(id)).toMatchObject([{ wanted: false, interestCount: 3 }]);
    expect(await rig.store.interests.filters()).toEqual([]);
    const mine = await rig.store.interests.list(rig.service.id, { limit: 10 });
    expect(mine.map(({ allowed }) => allowed)).toEqual([false, false]);
    expect((await rig.store.services.list()).flatMap(({ botAccountIds }) => botAccountIds)).toEqual([]);
    const { bot: second } = await bots().upsert(grantOf('2', { name: 'login1' }));
    expect((await bots().list()).map((bot) => bot.id)).toEqual([second.id]);
    expect(await bots().startRemoval(randomUUID())).toBeUndefined();
    expect(await bots().startRemoval('no id')).toBeUndefined();
  });

  test('takes no new interest', async () => {
    await bots().startRemoval(rig.botId);
    rig.changes.length = 0;
    for (const transport of [socketInterest, endpointOf])
      await expect(transport(rig)).rejects.toMatchObject({ code: 'unknown_bot', status: 404 });
    expect([await count('interest'), await count('topic'), await count('endpoint')]).toEqual([0, 0, 0]);
    expect(rig.changes).toEqual([]);
  });

  test('can be taken out again after it came back, and twice under one name', async () => {
    for (const user of ['1', '2', '3']) {
      const { bot } = await bots().upsert(grantOf(user, { name: 'same' }));
      expect(bot.name).toBe('same');
      expect(await bots().startRemoval(bot.id)).toEqual({ interests: 0 });
    }
    expect(await bots().ids()).toHaveLength(3);
  });
});

describe('interests of a bot', () => {
  test('are listed and removed together, with the endpoints whose last ones they are', async () => {
    const { bot: second } = await bots().upsert(grantOf('2'));
    const { service: other } = await rig.store.services.create('other');
    const sole = await endpointOf(rig);
    const shared = await endpointOf(rig, { webhookUrl: `${url}/2` });
    const kept = await endpointOf(rig, { webhookUrl: `${url}/2`, topic: topicOf(second.id, '1') });
    const socket = await socketInterest(rig, { serviceAccountId: other.id });
    const all = [sole.interestId, shared.interestId, socket.id];
    const { interests } = rig.store;
    expect((await interests.ofBot(rig.botId)).map(({ id }) => id)).toEqual(all.toSorted());
    expect(await interests.ofBot(second.id)).toEqual([
      { id: kept.interestId, serviceAccountId: rig.service.id, botAccountId: second.id },
    ]);
    rig.changes.length = 0;
    await interests.removeOfBot(rig.botId, [...all, kept.interestId, randomUUID(), 'no id']);
    expect(await interests.ofBot(rig.botId)).toEqual([]);
    expect(await interests.ofBot(second.id)).toHaveLength(1);
    expect(rig.changes).toEqual([
      {
        kind: 'interests',
        botAccountIds: [rig.botId],
        serviceAccountIds: expect.arrayContaining([rig.service.id, other.id]) as string[],
      },
      { kind: 'endpoint', endpointId: sole.id, serviceAccountId: rig.service.id, what: 'removed' },
    ]);
    await interests.removeOfBot(rig.botId, all);
    expect(rig.changes).toHaveLength(2);
    expect(await rig.store.endpoints.get(rig.service.id, shared.id)).toBeDefined();
    expect(await rig.store.endpoints.get(rig.service.id, sole.id)).toBeUndefined();
  });

  test('hundreds of them are removed in a moment', async () => {
    const wishes = Array.from({ length: 200 }, (_, index) => ({
      broadcaster: String(index),
      webhookUrl: `${url}/${index % 20}`,
    }));
    for (let from = 0; from < wishes.length; from += 50)
      await Promise.all(wishes.slice(from, from + 50).map((wish) => endpointOf(rig, wish)));
    expect(await bots().startRemoval(rig.botId)).toEqual({ interests: 200 });
    rig.changes.length = 0;
    const startedAt = performance.now();
    const ids = (await rig.store.interests.ofBot(rig.botId)).map(({ id }) => id);
    await rig.store.interests.removeOfBot(rig.botId, ids);
    expect(await bots().finishRemoval(rig.botId)).toBe(true);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    expect(rig.changes.filter(({ kind }) => kind === 'endpoint')).toHaveLength(20);
    expect(rig.changes.filter(({ kind }) => kind === 'interests')).toHaveLength(1);
    expect([await count('interest'), await count('endpoint'), await count('topic')]).toEqual([0, 0, 0]);
  });
});

describe('the end of a removal', () => {
  test('takes along whatever is left of the bot, and nothing of others', async () => {
    const { bot: second } = await bots().upsert(grantOf('2'));
    const mine = await endpointOf(rig);
    await socketInterest(rig, { topic: topicOf(second.id, '1') });
    expect(await bots().finishRemoval(rig.botId)).toBe(false);
    await bots().startRemoval(rig.botId);
    rig.changes.length = 0;
    expect(await bots().finishRemoval(rig.botId)).toBe(true);
    expect(rig.changes).toEqual([
      { kind: 'interests', botAccountIds: [rig.botId], serviceAccountIds: [rig.service.id] },
      { kind: 'endpoint', endpointId: mine.id, serviceAccountId: rig.service.id, what: 'removed' },
      { kind: 'bot', botAccountId: rig.botId },
    ]);
    expect(await bots().ids()).toEqual([second.id]);
    expect((await rig.store.topics.all()).map(({ id }) => id)).toEqual([topicId(topicOf(second.id, '1'))]);
    expect(await bots().finishRemoval(rig.botId)).toBe(false);
    expect(await bots().finishRemoval('no id')).toBe(false);
    const { bot, created } = await bots().upsert(grantOf('1'));
    expect(created).toBe(true);
    expect(bot.id).not.toBe(rig.botId);
  });

  test('does not come when the bot is brought in again: it is as a new one, and what is left counts again', async () => {
    await bots().patch(rig.botId, { name: 'main', enabled: false });
    await rig.store.services.allowBot(rig.service.id, rig.botId);
    await socketInterest(rig);
    await bots().startRemoval(rig.botId);
    rig.changes.length = 0;
    const { bot, created } = await bots().upsert(grantOf('1', { accessToken: 'new' }));
    expect(created).toBe(false);
    expect(bot).toMatchObject({ id: rig.botId, name: 'login1', enabled: true, removedAt: null, state: 'ok' });
    expect(rig.changes).toEqual([
      { kind: 'interests', botAccountIds: [rig.botId], serviceAccountIds: [rig.service.id] },
      { kind: 'bot', botAccountId: rig.botId },
    ]);
    expect(await bots().finishRemoval(rig.botId)).toBe(false);
    expect(await bots().list()).toEqual([bot]);
    expect(await bots().tokens(rig.botId)).toMatchObject({ accessToken: 'new' });
    expect(await rig.store.topics.forBot(rig.botId)).toMatchObject([{ wanted: true }]);
    expect(await rig.store.interests.filters()).toHaveLength(1);
    expect((await rig.store.services.list())[0]?.botAccountIds).toEqual([]);
    expect((await bots().upsert(grantOf('1', { name: 'main' }))).bot.name).toBe('main');
  });

  test('a name that went to somebody else meanwhile is refused, and the removal goes on', async () => {
    await bots().startRemoval(rig.botId);
    await bots().upsert(grantOf('2', { name: 'login1' }));
    await expect(bots().upsert(grantOf('1'))).rejects.toMatchObject({ code: 'name_taken' });
    expect(await bots().get(rig.botId)).toBeUndefined();
    expect((await bots().upsert(grantOf('1', { name: 'again' }))).bot).toMatchObject({ name: 'again' });
  });

  test('and a grant at the same moment: the user has a bot afterwards, with the new tokens', async () => {
    let finished = 0;
    /** How many turns of the event loop the grant is ahead: more after it came second, fewer after it came first. */
    let lead = 0;
    for (let round = 1; round <= 20; round++) {
      const { bot } = await bots().upsert(grantOf('9'));
      const { interest } = await rig.store.interests.create(rig.wish({ topic: topicOf(bot.id, '1') }));
      await bots().startRemoval(bot.id);
      const granted = bots().upsert(grantOf('9', { accessToken: `new-${round}` }));
      for (let turn = 0; turn < lead; turn++) await new Promise(setImmediate);
      const [isGone] = await Promise.all([bots().finishRemoval(bot.id), granted]);
      lead = isGone ? lead * 2 + 1 : Math.floor(lead / 2);
      finished += isGone ? 1 : 0;
      const now = await bots().byTwitchUser('9');
      expect(now).toMatchObject({ removedAt: null, enabled: true, name: 'login9' });
      expect(now?.id === bot.id).toBe(!isGone);
      expect(await bots().tokens(now?.id ?? '')).toMatchObject({ accessToken: `new-${round}` });
      const left = await rig.store.interests.get(rig.service.id, interest.id);
      expect(left?.allowed).toBe(isGone ? undefined : true);
    }
    // Both ends were seen: otherwise nothing was raced.
    expect(finished).toBeGreaterThan(0);
    expect(finished).toBeLessThan(20);
  });

  test('and everything else that removes at the same moment: nobody waits in a circle, and nothing is left', async () => {
    const { interests, services } = rig.store;
    for (let round = 0; round < 5; round++) {
      const { bot } = await bots().upsert(grantOf('9'));
      const { service } = await services.create(`passing-${round}`);
      const made = await Promise.all(
        [rig.service.id, service.id].flatMap((serviceAccountId) =>
          ['1', '2', '3', '4'].map((broadcaster) =>
            endpointOf(rig, {
              serviceAccountId,
              topic: topicOf(bot.id, broadcaster),
              webhookUrl: `${url}/${Number(broadcaster) % 2}`,
            }),
          ),
        ),
      );
      const ids = made.map(({ interestId }) => interestId);
      await bots().startRemoval(bot.id);
      const [isGone] = await Promise.all([
        bots().finishRemoval(bot.id),
        interests.removeOfBot(bot.id, ids),
        services.remove(service.clientId),
        interests.removeOfBot(bot.id, ids.toReversed()),
        services.patch(rig.service.clientId, { accessMode: 'restricted', botAccountIds: [rig.botId] }),
        ...ids.slice(0, 4).map((id) => interests.remove(rig.service.id, id)),
      ]);
      expect(isGone).toBe(true);
      expect([await count('interest'), await count('endpoint'), await count('topic')]).toEqual([0, 0, 0]);
    }
    expect(await bots().ids()).toEqual([rig.botId]);
  });

  test('and wishes at the same moment: what is not refused is removed with the bot', async () => {
    const wishes = Array.from({ length: 30 }, (_, index) => String(index));
    const make = (broadcaster: string) =>
      endpointOf(rig, { broadcaster, webhookUrl: `${url}/${broadcaster}` }).then(
        () => 'made',
        (error: unknown) => error,
      );
    await make('0');
    const [, outcomes] = await Promise.all([
      bots()
        .startRemoval(rig.botId)
        .then(() => bots().finishRemoval(rig.botId)),
      Promise.all(wishes.map(make)),
    ]);
    for (const outcome of outcomes)
      if (outcome !== 'made') expect(outcome).toMatchObject({ code: 'unknown_bot', status: 404 });
    expect(await bots().ids()).toEqual([]);
    expect([await count('interest'), await count('endpoint'), await count('topic')]).toEqual([0, 0, 0]);
  });
});
