// Endpoints under everybody at once, on whichever database this run is about: no endpoint without an interest, no secret
// that nobody or two were told, nobody waiting in a circle.
import { expect, describe, test } from 'vitest';
import { topicId } from '../../src/domain/topic.ts';
import { testDatabaseUrl } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { endpointOf, storeRig, url } from './store-rig.ts';

const rig = storeRig();
const endpointChanges = () =>
  rig.changes.flatMap((change) => (change.kind === 'endpoint' ? [[change.endpointId, change.what]] : []));
const count = async (sql: string): Promise<number> => {
  const answer = await rig.database.pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`);
  return answer.rows[0]?.n ?? -1;
};

describe('many at once', () => {
  test('of forty wishes with one URL one is told the secret', async () => {
    const all = await Promise.all(
      Array.from({ length: 40 }, (_, index) => endpointOf(rig, { broadcaster: String(index % 5) })),
    );
    expect(new Set(all.map(({ id }) => id)).size).toBe(1);
    expect(all.filter(({ secret }) => secret !== null)).toHaveLength(1);
    expect(await count('interest')).toBe(5);
    expect(endpointChanges()).toEqual([[all[0]?.id, 'created']]);
  });

  test('creating and removing at once leaves no half, and each endpoint is told to one caller', async () => {
    const secrets = new Map<string, string[]>();
    const told = new Set<string>();
    await Promise.all(
      Array.from({ length: 24 }, async (_, worker) => {
        for (let turn = 0; turn < 6; turn++) {
          const broadcaster = String((worker + turn) % 3);
          const { id, interestId, secret } = await endpointOf(rig, { broadcaster });
          told.add(id);
          if (secret !== null) secrets.set(id, [...(secrets.get(id) ?? []), secret]);
          if (worker % 4 === 0 || turn < 5) await rig.store.interests.remove(rig.service.id, interestId);
          if (turn % 2 === 0)
            await rig.store.topics.removeIfUnwanted(topicId(rig.wish({ broadcaster }).topic));
        }
      }),
    );
    expect([...told].filter((id) => secrets.get(id)?.length !== 1)).toEqual([]);
    expect(await count('interest WHERE endpoint_id IS NULL')).toBe(0);
    expect(
      await count('endpoint e WHERE NOT EXISTS (SELECT 1 FROM interest i WHERE i.endpoint_id = e.id)'),
    ).toBe(0);
    // Every endpoint was announced once, and its end too if it has ended.
    const changes = endpointChanges();
    for (const id of told) {
      const what = changes.filter(([endpointId]) => endpointId === id).map(([, kind]) => kind);
      const lives = await rig.store.endpoints.get(rig.service.id, id);
      expect(new Set(what)).toEqual(new Set(lives ? ['created'] : ['created', 'removed']));
      expect(what).toHaveLength(lives ? 1 : 2);
    }
    for (const { id } of await rig.store.interests.list(rig.service.id, { limit: 100 }))
      await rig.store.interests.remove(rig.service.id, id);
    expect(await count('endpoint')).toBe(0);
  });

  test('a service can be removed while its endpoints are worked on and wished for', async () => {
    const endpoints = await Promise.all(
      Array.from({ length: 6 }, (_, index) => endpointOf(rig, { webhookUrl: `${url}/${index}` })),
    );
    const key1 = { seq: 1, run: '', attempt: 1, spent: 0, nextAt: 1, blocksUntil: null, bornAt: 1 };
    const positions = endpoints.map(({ id }) => ({
      endpointId: id,
      ackedSeq: 1,
      sentSeq: 1,
      wholeAt: 1,
      open: true,
    }));
    const owed = endpoints.map(({ id }) => ({ ...key1, endpointId: id }));
    let removed = false;
    const work = async () => {
      while (!removed) {
        await rig.store.webhookRows.savePositions(positions.toReversed());
        await rig.store.webhookRows.park(owed);
        await rig.store.webhookRows.claim(endpoints[0]?.id ?? '', '', 5, 10);
        await rig.store.webhookRows.settle(
          owed.map((delivery) => ({ ...delivery, next: { ...delivery, spent: 1 } })),
        );
      }
    };
    const wishes = async () => {
      while (!removed) {
        await endpointOf(rig, { broadcaster: '2', webhookUrl: `${url}/0` }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'unknown_service' });
        });
      }
    };
    const remove = rig.store.services.remove(rig.service.clientId).finally(() => (removed = true));
    await Promise.all([work(), work(), wishes(), remove]);
    expect([await count('endpoint'), await count('delivery'), await count('interest')]).toEqual([0, 0, 0]);
  });

  // The embedded database serves nobody else during a transaction, so there no circle can arise.
  test.runIf(testDatabaseUrl())(
    'removing a service takes endpoints in the order of everybody else',
    async () => {
      for (let index = 0; index < 8; index++) await endpointOf(rig, { webhookUrl: `${url}/${index}` });
      const inTable = await rig.database.pool.query<{ id: string }>('SELECT id FROM endpoint ORDER BY ctid');
      const ids = inTable.rows.map(({ id }) => id);
      const lowest = ids.toSorted((one, two) => (one < two ? -1 : 1))[0];
      // One that a cascade would come upon before the lowest, unless that is the very first.
      const other = ids.find((id) => id !== lowest);
      const lock = 'SELECT 1 FROM endpoint WHERE id = $1 FOR NO KEY UPDATE';
      const client = await rig.database.pool.connect();
      try {
        await client.query('BEGIN');
        await client.query(lock, [lowest]);
        const removed = rig.store.services.remove(rig.service.clientId);
        const waiting = `pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
        await until(async () => (await count(waiting)) === 1);
        await client.query(lock, [other]);
        await client.query('COMMIT');
        expect(await removed).toBeDefined();
      } finally {
        client.release(true);
      }
    },
  );
});
