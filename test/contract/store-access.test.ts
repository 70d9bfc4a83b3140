// What the store promises about which service may use which bot, on whichever database this run is about: one rule
// decides what counts, whoever asks; who gains or loses by a change is told exactly.
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { mayUse } from '../../src/domain/access.ts';
import type { ServicePatch } from '../../src/store/services.ts';
import { createSealer } from '../../src/store/seal.ts';
import { createStore } from '../../src/store/store.ts';
import { endpointOf, grantOf, key, socketInterest, storeRig, topicOf, url } from './store-rig.ts';

const rig = storeRig();
let second: string;
beforeEach(async () => {
  second = (await rig.store.bots.upsert(grantOf('2'))).bot.id;
  rig.changes.length = 0;
});

const patch = (change: ServicePatch) => rig.store.services.patch(rig.service.clientId, change);
const told = () =>
  rig.changes.map((change) => {
    if (change.kind === 'service') return change.what;
    return change.kind === 'interests' ? change.botAccountIds.toSorted() : change.kind;
  });
const ofSecond = (broadcaster = '1') => ({ topic: topicOf(second, broadcaster) });

describe('a change of access', () => {
  test('names the interests that it suspends and resumes, once, and nothing that it does not concern', async () => {
    const { service: other } = await rig.store.services.create('other');
    const mine = await socketInterest(rig);
    const theirs = await endpointOf(rig, ofSecond());
    const more = await socketInterest(rig, ofSecond('2'));
    await socketInterest(rig, { ...ofSecond(), serviceAccountId: other.id });
    rig.changes.length = 0;
    const affected = (id: string, botAccountId: string) =>
      expect.objectContaining({ id, botAccountId, serviceAccountId: rig.service.id }) as object;
    const two = [affected(theirs.interestId, second), affected(more.id, second)];
    const lists = async (change: ServicePatch) => {
      rig.changes.length = 0;
      const answer = await patch(change);
      return [answer?.suspended, answer?.resumed, told()];
    };
    const both = (found: unknown) => expect(found).toHaveLength(2);

    const restricted = await patch({ accessMode: 'restricted', botAccountIds: [rig.botId, rig.botId] });
    expect(restricted?.suspended).toEqual(expect.arrayContaining(two));
    both(restricted?.suspended);
    expect(restricted?.resumed).toEqual([]);
    expect(restricted?.suspended.find(({ id }) => id === more.id)?.topicId).toBe(more.topic.id);
    expect(restricted?.service).toMatchObject({
      id: rig.service.id,
      accessMode: 'restricted',
      botAccountIds: [rig.botId],
      enabled: true,
    });
    expect(told()).toEqual(['access', [second]]);
    expect(await lists({ accessMode: 'restricted', botAccountIds: [rig.botId] })).toEqual([[], [], []]);
    expect(await lists({})).toEqual([[], [], []]);

    const [suspended, resumed, hints] = await lists({ botAccountIds: [second.toUpperCase()] });
    expect(suspended).toEqual([affected(mine.id, rig.botId)]);
    both(resumed);
    expect(hints).toEqual(['access', [rig.botId, second].toSorted()]);
    expect((await lists({ botAccountIds: [second, rig.botId] })).slice(0, 2)).toEqual([
      [],
      [affected(mine.id, rig.botId)],
    ]);
    // The list changes, and with it nothing: it was every bot, and is every bot.
    expect(await lists({ accessMode: 'all' })).toEqual([[], [], ['access']]);
    expect(await lists({ botAccountIds: [] })).toEqual([[], [], ['access']]);
    expect((await lists({ accessMode: 'restricted' }))[0]).toHaveLength(3);
    expect((await lists({ accessMode: 'all' }))[1]).toHaveLength(3);
    expect(await rig.store.services.patch('nobody', { accessMode: 'restricted' })).toBeUndefined();
  });

  test('is told beside enabling, which suspends and resumes nothing by itself', async () => {
    await socketInterest(rig);
    await socketInterest(rig, ofSecond());
    rig.changes.length = 0;
    expect(await patch({ enabled: false })).toMatchObject({ suspended: [], resumed: [] });
    expect(told()).toEqual(['disabled', [rig.botId, second].toSorted()]);
    rig.changes.length = 0;
    const answer = await patch({ enabled: true, accessMode: 'restricted', botAccountIds: [second] });
    expect(answer?.suspended).toHaveLength(1);
    expect(answer?.service).toMatchObject({ enabled: true, accessMode: 'restricted' });
    expect(told()).toEqual(['enabled', 'access', [rig.botId, second].toSorted()]);
  });

  test('with a bot that is not there changes nothing, and names it', async () => {
    await rig.store.bots.startRemoval(second);
    rig.changes.length = 0;
    const unknown = randomUUID();
    const asked = {
      enabled: false,
      accessMode: 'restricted',
      botAccountIds: [rig.botId, unknown, second],
    } as const;
    await expect(patch(asked)).rejects.toMatchObject({
      code: 'unknown_bot',
      status: 422,
      message: expect.stringMatching(new RegExp(`${unknown}, ${second}|${second}, ${unknown}`)) as string,
      errors: [{ path: 'bot_account_ids' }],
    });
    await expect(patch({ botAccountIds: ['no id'] })).rejects.toMatchObject({ code: 'unknown_bot' });
    expect(await rig.store.services.list()).toMatchObject([
      { enabled: true, accessMode: 'all', botAccountIds: [] },
    ]);
    expect(rig.changes).toEqual([]);
  });

  test('twenty at once end in one of them, and what they tell adds up', async () => {
    await socketInterest(rig);
    await socketInterest(rig, ofSecond());
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        patch({ accessMode: 'restricted', botAccountIds: index % 2 === 0 ? [rig.botId] : [second] }),
      ),
    );
    const [service] = await rig.store.services.list();
    expect(service?.botAccountIds).toHaveLength(1);
    for (const interest of await rig.store.interests.list(rig.service.id, { limit: 9 })) {
      const of = (list: 'suspended' | 'resumed') =>
        answers.flatMap((answer) => answer?.[list] ?? []).filter(({ id }) => id === interest.id).length;
      expect(of('suspended') - of('resumed')).toBe(interest.allowed ? 0 : 1);
    }
  });

  test('of a service with hundreds of interests is a moment', async () => {
    const wishes = Array.from({ length: 250 }, (_, index) => ofSecond(String(index)));
    for (let from = 0; from < wishes.length; from += 50)
      await Promise.all(wishes.slice(from, from + 50).map((wish) => socketInterest(rig, wish)));
    const startedAt = performance.now();
    expect((await patch({ accessMode: 'restricted' }))?.suspended).toHaveLength(250);
    expect(await rig.store.interests.filters()).toHaveLength(0);
    expect((await patch({ accessMode: 'all' }))?.resumed).toHaveLength(250);
    expect(await rig.store.interests.filters()).toHaveLength(250);
    expect(await rig.store.topics.forBot(second)).toHaveLength(250);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

describe('one more bot', () => {
  test('is allowed once, resumes what waited for it, and matters only to a restricted service', async () => {
    const { services } = rig.store;
    const interest = await socketInterest(rig, ofSecond());
    rig.changes.length = 0;
    expect(await services.allowBot(rig.service.id, rig.botId)).toEqual({ suspended: [], resumed: [] });
    expect(rig.changes).toEqual([]);
    await patch({ accessMode: 'restricted' });
    rig.changes.length = 0;
    const [first, again] = [
      await services.allowBot(rig.service.id, second),
      await services.allowBot(rig.service.id, second),
    ];
    expect(first.resumed).toMatchObject([{ id: interest.id, botAccountId: second }]);
    expect(again.resumed).toEqual([]);
    expect(told()).toEqual(['access', [second]]);
    expect((await services.list())[0]?.botAccountIds).toEqual([rig.botId, second].toSorted());
  });

  test('that is gone, or of a service that is gone, changes nothing', async () => {
    const { services } = rig.store;
    const nothing = { suspended: [], resumed: [] };
    await rig.store.bots.startRemoval(second);
    expect(await services.allowBot(rig.service.id, second)).toEqual(nothing);
    expect(await services.allowBot(rig.service.id, randomUUID())).toEqual(nothing);
    expect(await services.allowBot(randomUUID(), rig.botId)).toEqual(nothing);
    expect(await services.allowBot('no id', 'no id')).toEqual(nothing);
    expect((await services.list())[0]?.botAccountIds).toEqual([]);
  });

  test('and its removal at the same moment leave no list that names it', async () => {
    const { bots, services } = rig.store;
    await patch({ accessMode: 'restricted' });
    for (let round = 0; round < 10; round++) {
      const { bot } = await bots.upsert(grantOf(`5${round}`));
      await Promise.all([
        services.allowBot(rig.service.id, bot.id),
        bots.startRemoval(bot.id).then(() => bots.finishRemoval(bot.id)),
        patch({ botAccountIds: [rig.botId, second] }),
      ]);
      expect((await services.list())[0]?.botAccountIds).not.toContain(bot.id);
    }
  });
});

describe('a log-in', () => {
  test('carries what the service may use, by secret and by token', async () => {
    const { service, clientSecret } = await rig.store.services.create('third');
    expect(service).toMatchObject({ accessMode: 'all', botAccountIds: [] });
    await rig.store.services.patch(service.clientId, { accessMode: 'restricted', botAccountIds: [second] });
    const access = { accessMode: 'restricted', botAccountIds: [second] };
    const { services } = rig.store;
    expect(await services.authenticate(service.clientId, clientSecret)).toMatchObject({
      ok: true,
      service: access,
    });
    const token = await rig.store.wsTokens.issue(service.id, 60);
    expect(await rig.store.wsTokens.redeem(token)).toMatchObject(access);
  });

  test('of a new service is for no bot when that is the default', async () => {
    const careful = createStore(rig.database, createSealer([key]), rig.clock, { serviceBotDefault: 'none' });
    const { service, clientSecret } = await careful.services.create('careful');
    expect(service).toMatchObject({ accessMode: 'restricted', botAccountIds: [] });
    expect(await careful.services.authenticate(service.clientId, clientSecret)).toEqual({
      ok: true,
      service,
    });
    expect(await socketInterest(rig, { serviceAccountId: service.id })).toMatchObject({ allowed: false });
    expect(await rig.store.interests.filters(service.id)).toEqual([]);
    expect((await rig.store.services.list()).map(({ accessMode }) => accessMode)).toEqual([
      'restricted',
      'all',
    ]);
  });
});

describe('what counts', () => {
  test('is the same for whoever asks: an enabled service, a bot that it may use, and that stays', async () => {
    const { service: other } = await rig.store.services.create('other');
    const services = [rig.service, other];
    const placed = await Promise.all(
      services.flatMap(({ id: serviceAccountId }) =>
        [rig.botId, second].flatMap((botId) => [
          socketInterest(rig, { serviceAccountId, topic: topicOf(botId, 'same') }),
          endpointOf(rig, { serviceAccountId, topic: topicOf(botId, serviceAccountId), webhookUrl: url }),
        ]),
      ),
    );
    expect(placed).toHaveLength(8);
    const someBots = fc.subarray([0, 1]);
    const access = fc.record({
      enabled: fc.boolean(),
      accessMode: fc.constantFrom('all' as const, 'restricted' as const),
      bots: someBots,
    });
    const counted = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.tuple(access, access), fc.boolean(), async (accesses, isLeaving) => {
        const { bot } = await rig.store.bots.upsert(grantOf('2'));
        if (bot.id !== second) throw new Error('the second bot is another one');
        const botIds = [rig.botId, second];
        for (const [index, { bots, ...rest }] of accesses.entries()) {
          const botAccountIds = bots.flatMap((which) => botIds[which] ?? []);
          await rig.store.services.patch(services[index]?.clientId ?? '', { ...rest, botAccountIds });
        }
        if (isLeaving) await rig.store.bots.startRemoval(second);

        const all = await rig.store.services.list();
        const expected = new Set<string>();
        for (const service of all) {
          for (const interest of await rig.store.interests.list(service.id, { limit: 100 })) {
            const { botAccountId } = interest.topic;
            const isAllowed = mayUse(service, botAccountId) && !(isLeaving && botAccountId === second);
            expect(interest.allowed).toBe(isAllowed);
            if (isAllowed && service.enabled)
              expected.add(`${service.id} ${interest.topic.id} ${interest.endpointId}`);
          }
        }
        const filters = await rig.store.interests.filters();
        expect(
          new Set(filters.map((row) => `${row.serviceAccountId} ${row.topicId} ${row.endpointId}`)),
        ).toEqual(expected);
        const single = await Promise.all(all.map(({ id }) => rig.store.interests.filters(id)));
        expect(single.flat()).toHaveLength(filters.length);
        for (const topic of await rig.store.topics.all())
          expect(topic.wanted).toBe(filters.some(({ topicId }) => topicId === topic.id));
        counted.add(filters.length);
      }),
      { numRuns: 25 },
    );
    expect(counted.size).toBeGreaterThan(2);
  });

  test('decides what an endpoint is sent, not whether it is worked on', async () => {
    const { id } = await endpointOf(rig, ofSecond());
    await patch({ accessMode: 'restricted' });
    expect(await rig.store.interests.filters()).toEqual([]);
    expect((await rig.store.webhookRows.dispatchable()).map((row) => row.id)).toEqual([id]);
    expect(await rig.store.endpoints.get(rig.service.id, id)).toMatchObject({ health: { state: 'healthy' } });
    await patch({ accessMode: 'all' });
    expect(await rig.store.interests.filters()).toMatchObject([{ endpointId: id }]);
  });
});
