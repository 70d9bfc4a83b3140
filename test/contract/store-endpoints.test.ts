// What the store promises about webhook endpoints, on whichever database this run is about: they live as long as their
// interests, their secrets are told once and stored sealed, their positions never go back.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { WebhookRows } from '../../src/delivery/webhooks/ports.ts';
import { healthySince } from '../../src/domain/endpoint.ts';
import { endpointOf, key, otherKey, storeRig, url } from './store-rig.ts';

const rig = storeRig();
const secretShape = /^whsec_[A-Za-z0-9+/]{43}=$/;
/** The dispatcher's view; does not compile unless the store fits the dispatcher's port. */
const rows = (): WebhookRows => rig.store.webhookRows;
const endpointChanges = () =>
  rig.changes.flatMap((change) => (change.kind === 'endpoint' ? [[change.endpointId, change.what]] : []));
const count = async (sql: string): Promise<number> => {
  const answer = await rig.database.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`);
  return answer.rows[0]?.n ?? -1;
};

describe('life', () => {
  test('the first interest with a URL makes the endpoint and is told its secret; the last one takes it along', async () => {
    const first = await endpointOf(rig, { createdSeq: 41 });
    expect(first.secret).toMatch(secretShape);
    expect(rig.changes.map(({ kind }) => kind)).toEqual(['interests', 'endpoint']);
    const second = await endpointOf(rig, { broadcaster: '2', createdSeq: 50 });
    expect(second).toMatchObject({ id: first.id, secret: null });
    expect(await endpointOf(rig)).toEqual({ ...first, secret: null });
    expect((await endpointOf(rig, { webhookUrl: `${url}/2` })).id).not.toBe(first.id);
    expect(await rig.store.endpoints.get(rig.service.id, first.id)).toEqual({
      id: first.id,
      serviceAccountId: rig.service.id,
      url,
      description: '',
      settings: { retryProfile: 'durable', order: 'broadcaster', maxAgeSeconds: null, concurrency: 8 },
      health: healthySince(expect.any(Number) as number),
      ackedSeq: 41,
      owed: 0,
      previousSecretValidUntil: null,
      createdAt: expect.any(Number) as number,
    });
    rig.changes.length = 0;
    expect(await rig.store.interests.remove(rig.service.id, first.interestId)).toBe(true);
    expect(endpointChanges()).toEqual([]);
    expect(await rig.store.interests.remove(rig.service.id, second.interestId)).toBe(true);
    expect(await rig.store.interests.remove(rig.service.id, second.interestId)).toBe(false);
    expect(rig.changes.map(({ kind }) => kind)).toEqual(['interests', 'interests', 'endpoint']);
    expect(endpointChanges()).toEqual([[first.id, 'removed']]);
    expect(await rig.store.endpoints.get(rig.service.id, first.id)).toBeUndefined();
    expect((await endpointOf(rig)).secret).toMatch(secretShape);
  });

  test('a given secret becomes that of the endpoint, and is passed over where there is one', async () => {
    const given = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
    const made = await endpointOf(rig, { webhookSecret: given });
    expect(made.secret).toBe(given);
    const later = await endpointOf(rig, { broadcaster: '2', webhookSecret: 'whsec_other' });
    expect(later.secret).toBeNull();
    expect(await rows().dispatchable(made.id)).toMatchObject([
      { id: made.id, url, secrets: [{ secret: given, validUntil: null }], ackedSeq: 0 },
    ]);
  });

  test('an endpoint belongs to one service: the same URL of another is another one, and out of reach', async () => {
    const mine = await endpointOf(rig);
    const { service: other } = await rig.store.services.create('other');
    const theirs = await endpointOf(rig, { serviceAccountId: other.id });
    expect(theirs.id).not.toBe(mine.id);
    const { endpoints } = rig.store;
    expect(await endpoints.get(rig.service.id, theirs.id)).toBeUndefined();
    expect(await endpoints.update(rig.service.id, theirs.id, { description: 'x' })).toBeUndefined();
    expect(await endpoints.rotateSecret(rig.service.id, theirs.id, 0)).toBeUndefined();
    expect(await endpoints.enable(rig.service.id, theirs.id)).toBeUndefined();
    expect(await endpoints.get(rig.service.id, 'no id')).toBeUndefined();
    expect(await endpoints.idOf(rig.service.id, url)).toBe(mine.id);
    expect(await endpoints.idOf(other.id, url)).toBe(theirs.id);
    expect(await endpoints.idOf(rig.service.id, `${url}/2`)).toBeUndefined();
    expect((await endpoints.list(rig.service.id, { limit: 10 })).map(({ id }) => id)).toEqual([mine.id]);
    expect(await rig.store.services.remove(other.clientId)).toBeDefined();
    expect(await count('endpoint')).toBe(1);
    expect(rig.changes.at(-2)).toMatchObject({ kind: 'service', what: 'removed' });
  });

  test('an id in capital letters names the same endpoint, to whoever hears of the change as well', async () => {
    const { id, secret } = await endpointOf(rig);
    const { endpoints, webhookRows } = rig.store;
    rig.changes.length = 0;
    const renewed = await endpoints.rotateSecret(rig.service.id, id.toUpperCase(), 60);
    expect((await webhookRows.endpoint(id))?.secrets.map((live) => live.secret)).toEqual([
      renewed?.webhookSecret,
      secret,
    ]);
    await endpoints.update(rig.service.id, id.toUpperCase(), { concurrency: 3 });
    expect(await endpoints.enable(rig.service.id, id.toUpperCase())).toMatchObject({ id });
    const told = rig.changes.map((change) => (change.kind === 'endpoint' ? change.endpointId : change.kind));
    expect(told).toEqual([id, id, id]);
  });

  test('pages are in the order of ids', async () => {
    for (const path of ['a', 'b', 'c']) await endpointOf(rig, { webhookUrl: `${url}/${path}` });
    const first = await rig.store.endpoints.list(rig.service.id, { limit: 2 });
    const rest = await rig.store.endpoints.list(rig.service.id, { limit: 2, after: first.at(-1)?.id });
    const ids = [...first, ...rest].map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids).size).toBe(3);
    expect(await rig.store.endpoints.list(rig.service.id, { limit: 2, after: 'x' })).toEqual([]);
  });

  test('nothing is left of a wish whose bot or service is unknown', async () => {
    const unknown = { ...rig.wish().topic, botAccountId: randomUUID() };
    await expect(rig.store.interests.create(rig.wish({ topic: unknown }))).rejects.toMatchObject({
      code: 'unknown_bot',
    });
    const nobody = rig.wish({ serviceAccountId: randomUUID() });
    await expect(rig.store.interests.create(nobody)).rejects.toMatchObject({ code: 'unknown_service' });
    expect([await count('endpoint'), await count('interest'), await count('topic')]).toEqual([0, 0, 0]);
    expect(rig.changes).toEqual([]);
  });
});

describe('settings and secrets', () => {
  test('a change sets what it names and is announced', async () => {
    const { id } = await endpointOf(rig);
    rig.changes.length = 0;
    const changed = await rig.store.endpoints.update(rig.service.id, id, {
      description: 'the bot\0 box',
      order: 'none',
      maxAgeSeconds: 60,
      concurrency: 2,
    });
    const settings = { retryProfile: 'durable', order: 'none', maxAgeSeconds: 60, concurrency: 2 };
    expect(changed).toMatchObject({ description: 'the bot\u{fffd} box', settings });
    const again = await rig.store.endpoints.update(rig.service.id, id, {
      retryProfile: 'realtime',
      maxAgeSeconds: null,
    });
    expect(again).toMatchObject({
      description: 'the bot\u{fffd} box',
      settings: { ...settings, retryProfile: 'realtime', maxAgeSeconds: null },
    });
    expect(await rows().dispatchable(id)).toMatchObject([{ settings: again?.settings }]);
    expect(await rig.store.endpoints.update(rig.service.id, id, {})).toEqual(again);
    expect(endpointChanges()).toEqual([
      [id, 'changed'],
      [id, 'changed'],
    ]);
  });

  test('both secrets sign during the grace, the newest first; none is in any row in plain text', async () => {
    const { id, secret: first } = await endpointOf(rig);
    rig.changes.length = 0;
    const rotatedAt = rig.clock.now();
    const second = await rig.store.endpoints.rotateSecret(rig.service.id, id, 60);
    const until = second?.previousValidUntil;
    expect(second?.webhookSecret).toMatch(secretShape);
    // Seconds are not milliseconds: a receiver that is given a minute has one.
    expect(until).toBeGreaterThanOrEqual(rotatedAt + 60_000);
    expect(until).toBeLessThanOrEqual(rig.clock.now() + 60_000);
    const live = async () => (await rows().dispatchable(id))[0]?.secrets;
    const current = { secret: second?.webhookSecret, validUntil: null };
    expect(await live()).toEqual([current, { secret: first, validUntil: until }]);
    expect((await rig.store.endpoints.get(rig.service.id, id))?.previousSecretValidUntil).toBe(until);
    await rig.clock.advance(60_001);
    expect(await live()).toEqual([current]);
    const third = await rig.store.endpoints.rotateSecret(rig.service.id, id, 0);
    expect(third?.previousValidUntil).toBeNull();
    expect(await live()).toEqual([{ secret: third?.webhookSecret, validUntil: null }]);
    expect(endpointChanges()).toEqual([
      [id, 'changed'],
      [id, 'changed'],
    ]);
    const kept = JSON.stringify((await rig.database.pool.query('SELECT * FROM endpoint, interest')).rows);
    for (const secret of [first, second?.webhookSecret, third?.webhookSecret])
      expect(kept).not.toContain(secret?.slice('whsec_'.length, -1));
    expect(kept).toContain('v1.');
  });

  test('of rotations at once each previous secret is one that was handed out', async () => {
    const { id } = await endpointOf(rig);
    const all = await Promise.all(
      Array.from({ length: 10 }, () => rig.store.endpoints.rotateSecret(rig.service.id, id, 60)),
    );
    const handedOut = all.map((rotated) => rotated?.webhookSecret);
    expect(new Set(handedOut).size).toBe(10);
    const [row] = await rows().dispatchable(id);
    expect(row?.secrets).toHaveLength(2);
    for (const { secret } of row?.secrets ?? []) expect(handedOut).toContain(secret);
  });

  test('what a retired key sealed is sealed again with the first one', async () => {
    const { id, secret: first } = await endpointOf(rig);
    const second = await rig.store.endpoints.rotateSecret(rig.service.id, id, 60);
    const both = rig.storeWith(otherKey, key);
    expect(await both.endpoints.reseal()).toBe(1);
    expect(await both.endpoints.reseal()).toBe(0);
    const [row] = await rig.storeWith(otherKey).webhookRows.dispatchable(id);
    expect(row?.secrets.map(({ secret }) => secret)).toEqual([second?.webhookSecret, first]);
    expect(await rig.storeWith(key).endpoints.reseal()).toBe(0);
  });

  test('a secret that no key opens leaves out its endpoint alone; it shows why, and a new secret heals it', async () => {
    const lost = await endpointOf(rig);
    const after = rig.storeWith(otherKey);
    const fine = await after.interests.create(rig.wish({ webhookUrl: `${url}/2` }));
    expect((await after.webhookRows.dispatchable()).map(({ id }) => id)).toEqual([fine.interest.endpointId]);
    expect(await after.webhookRows.endpoint(lost.id)).toBeUndefined();
    expect(await after.endpoints.get(rig.service.id, lost.id)).toMatchObject({
      health: { state: 'disabled', code: 'secret_unreadable' },
    });
    expect(await rows().dispatchable(lost.id)).toHaveLength(1);
    const told: unknown[] = [];
    after.onChange((change) => told.push(change));
    const rotated = await after.endpoints.rotateSecret(rig.service.id, lost.id, 60);
    expect(rotated?.previousValidUntil).toBeNull();
    expect(told).toMatchObject([{ kind: 'endpoint', endpointId: lost.id, what: 'enabled' }]);
    expect(await after.webhookRows.dispatchable(lost.id)).toMatchObject([
      { secrets: [{ secret: rotated?.webhookSecret, validUntil: null }], health: { state: 'healthy' } },
    ]);
  });

  test('a secret moved to another row does not open', async () => {
    const one = await endpointOf(rig);
    const two = await endpointOf(rig, { webhookUrl: `${url}/2` });
    await rig.database.pool.query(
      'UPDATE endpoint SET secret = (SELECT secret FROM endpoint WHERE id = $1) WHERE id = $2',
      [one.id, two.id],
    );
    expect((await rows().dispatchable()).map(({ id }) => id)).toEqual([one.id]);
  });
});

describe('health', () => {
  test('is kept, passed over once disabled, and whole again when somebody enables the endpoint', async () => {
    const { id } = await endpointOf(rig);
    const open = {
      ...healthySince(1_000),
      state: 'open' as const,
      code: 'failing',
      reason: 'five failures in a row',
      failuresInRow: 5,
      failingSince: 500,
      probeAt: 31_000,
      probes: 2,
    };
    await rows().saveHealth(id, open);
    expect((await rows().dispatchable(id))[0]?.health).toEqual(open);
    const disabled = { ...open, state: 'disabled' as const, code: 'gone', probeAt: null };
    await rows().saveHealth(id, disabled);
    await rows().saveHealth(id, open);
    expect(await rows().dispatchable()).toEqual([]);
    expect((await rows().endpoint(id))?.health).toEqual(disabled);
    expect((await rig.store.endpoints.get(rig.service.id, id))?.health).toEqual(disabled);
    rig.changes.length = 0;
    const enabled = await rig.store.endpoints.enable(rig.service.id, id);
    expect(enabled?.health).toEqual(healthySince(enabled?.health.since ?? 0));
    expect(enabled?.health.since).toBeGreaterThan(1_000);
    const since = enabled?.health.since;
    await rig.clock.advance(5_000);
    expect((await rig.store.endpoints.enable(rig.service.id, id))?.health.since).toBe(since);
    expect(endpointChanges()).toEqual([
      [id, 'enabled'],
      [id, 'enabled'],
    ]);
    await rows().saveHealth(randomUUID(), open);
  });

  test('the endpoints of a disabled service are not worked on', async () => {
    const { id } = await endpointOf(rig);
    await rig.store.services.patch(rig.service.clientId, { enabled: false });
    expect(await rows().dispatchable()).toEqual([]);
    expect(await rows().dispatchable(id)).toEqual([]);
    expect((await rows().endpoint(id))?.id).toBe(id);
    expect(await rows().dispatchable('no id')).toEqual([]);
    expect(await rows().endpoint(randomUUID())).toBeUndefined();
  });
});

describe('positions', () => {
  const save = (endpointId: string, ackedSeq: number, sentSeq: number, open: boolean) =>
    rows().savePositions([{ endpointId, ackedSeq, sentSeq, wholeAt: 7_000, open }]);

  test('a first start, and one after a clean end, begin with 1 and what was sent', async () => {
    const { id } = await endpointOf(rig, { createdSeq: 40 });
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 40, mark: 40, attempt: 1 });
    await save(id, 60, 60, false);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 60, mark: 60, attempt: 1 });
    expect(await rows().open(randomUUID(), 90)).toBeUndefined();
  });

  test('tell since when something may be gone: from its making, then what was saved last', async () => {
    const madeAt = rig.clock.now();
    const { id } = await endpointOf(rig);
    rig.clock.jump(60_000);
    const first = await rows().open(id, 90);
    expect(first?.wholeAt).toBeGreaterThanOrEqual(madeAt);
    expect(first?.wholeAt).toBeLessThan(madeAt + 30_000);
    await save(id, 50, 70, true);
    expect((await rows().open(id, 90))?.wholeAt).toBe(7_000);
    expect((await rows().open(id, 90))?.wholeAt).toBe(7_000);
  });

  test('after a clean end with events outstanding those carry the next number, which never sinks', async () => {
    const { id } = await endpointOf(rig, { createdSeq: 40 });
    await rows().open(id, 90);
    await save(id, 50, 70, false);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 50, mark: 70, attempt: 2 });
    await save(id, 60, 60, false);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 60, mark: 70, attempt: 3 });
    await save(id, 70, 70, false);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 70, mark: 70, attempt: 3 });
  });

  test('after an unclean end everything up to the head may have been sent, and the number never starts over', async () => {
    const { id } = await endpointOf(rig, { createdSeq: 40 });
    await rows().open(id, 40);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 40, mark: 90, attempt: 2 });
    expect(await rows().open(id, 80)).toMatchObject({ ackedSeq: 40, mark: 90, attempt: 3 });
    await save(id, 90, 90, true);
    expect(await rows().open(id, 90)).toMatchObject({ ackedSeq: 90, mark: 90, attempt: 3 });
  });

  test('never go back; several go in one call; those that are gone are passed over', async () => {
    const { id } = await endpointOf(rig);
    const { id: other } = await endpointOf(rig, { webhookUrl: `${url}/2` });
    await rows().savePositions([
      { endpointId: id, ackedSeq: 30, sentSeq: 40, wholeAt: 1, open: false },
      { endpointId: id, ackedSeq: 20, sentSeq: 35, wholeAt: 1, open: false },
      { endpointId: randomUUID(), ackedSeq: 1, sentSeq: 1, wholeAt: 1, open: true },
      { endpointId: other, ackedSeq: 9_007_199_254_740_991, sentSeq: 0, wholeAt: 1, open: false },
    ]);
    await save(id, 5, 6, false);
    await rows().savePositions([]);
    const acked = async (endpoint: string) => (await rows().dispatchable(endpoint))[0]?.ackedSeq;
    expect([await acked(id), await acked(other)]).toEqual([30, 9_007_199_254_740_991]);
    expect(await rows().open(id, 0)).toMatchObject({ ackedSeq: 30, mark: 40, attempt: 2 });
  });
});
