// Topics' rows under those who lock several: patches that share a statement, a grant, a bot's end. Everybody takes them in
// the order of their ids, so nobody waits in a circle. The embedded database serves nobody else during a transaction: there no
// circle can arise.
import { beforeEach, describe, expect, test } from 'vitest';
import { topicId } from '../../src/domain/topic.ts';
import { testDatabaseUrl } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { grantOf, socketInterest, storeRig, topicOf } from './store-rig.ts';

const rig = storeRig();
const lock = 'SELECT 1 FROM topic WHERE id = $1 FOR NO KEY UPDATE';
let ids: string[];

beforeEach(async () => {
  const broadcasters = new Map(
    ['0', '1', '2', '3', '4', '5'].map((each) => [topicId(topicOf(rig.botId, each)), each]),
  );
  ids = [...broadcasters.keys()].toSorted();
  // Made and written in the opposite order: so does whoever takes them as they lie in the table come upon them.
  for (const id of ids.toReversed()) await socketInterest(rig, { broadcaster: broadcasters.get(id) ?? '' });
  for (const id of ids.toReversed())
    await rig.store.topics.update(id, { state: 'revoked', code: 'authorization_revoked' });
});

async function isWaiting(): Promise<boolean> {
  const { rowCount } = await rig.database.pool.query(
    `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rowCount === 1;
}

const gaps = () =>
  Promise.all(ids.map((id) => rig.store.topics.update(id, { gapFrom: 1, gapCause: 'revoked' })));
const remove = async () => {
  await rig.store.bots.startRemoval(rig.botId);
  return rig.store.bots.finishRemoval(rig.botId);
};

describe.runIf(testDatabaseUrl())('whoever holds the first may have the last:', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['gathered patches', gaps],
    ['a grant', () => rig.store.bots.upsert(grantOf('1'))],
    ["a bot's end", remove],
  ])('%s', async (_, work) => {
    const client = await rig.database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query(lock, [ids[0]]);
      const working = work();
      working.catch(() => undefined);
      await until(isWaiting);
      await client.query(lock, [ids.at(-1)]);
      await client.query('COMMIT');
      await working;
    } finally {
      client.release(true);
    }
  });
});

test('what a grant makes due keeps the gap that was written beside it', async () => {
  await Promise.all([gaps(), rig.store.bots.upsert(grantOf('1'))]);
  const topics = await rig.store.topics.forBot(rig.botId);
  expect(topics.map(({ state, code, gapFrom }) => [state, code, gapFrom])).toEqual(
    ids.map(() => ['pending', null, 1]),
  );
});
