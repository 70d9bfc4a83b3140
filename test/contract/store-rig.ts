// A store on the database that this run is about, with what webhook tests need of it: a bot, services, wishes with a URL.
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { TopicSpec } from '../../src/domain/topic.ts';
import type { BotGrant } from '../../src/store/bots.ts';
import type { Database } from '../../src/store/database.ts';
import { createSealer } from '../../src/store/seal.ts';
import type { Sealer } from '../../src/store/seal.ts';
import { createStore } from '../../src/store/store.ts';
import type { Store, StoreChange } from '../../src/store/store.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { sharedDatabase } from '../support/test-database.ts';
import type { TestDatabase } from '../support/test-database.ts';

export const key = Buffer.alloc(32, 1).toString('base64');
export const otherKey = Buffer.alloc(32, 2).toString('hex');
export const url = 'https://receiver.test/hook';

export interface StoreRig {
  database: Database;
  clock: ShiftClock;
  store: Store;
  changes: StoreChange[];
  botId: string;
  service: { readonly id: string; readonly clientId: string };
  wish: (more?: Partial<Wish> & { broadcaster?: string }) => Wish;
  /** The same rows through other keys. */
  storeWith: (...keys: string[]) => Store;
}

interface Wish {
  readonly serviceAccountId: string;
  readonly topic: TopicSpec;
  readonly transport: 'websocket' | 'webhook';
  readonly webhookUrl: string | null;
  readonly webhookSecret?: string;
  readonly createdSeq: number;
}

/** Empty before each test, but for one bot and one service. */
export function storeRig(): StoreRig {
  const rig = {} as StoreRig;
  let place: TestDatabase;
  beforeAll(async () => {
    place = await sharedDatabase();
    rig.database = await place.open();
  });
  afterAll(async () => place[Symbol.asyncDispose]());
  beforeEach(async () => {
    await place.reset();
    rig.clock = new ShiftClock();
    const made = (sealer: Sealer) => createStore(rig.database, sealer, rig.clock);
    rig.storeWith = (...keys) => made(createSealer(keys));
    rig.store = rig.storeWith(key);
    const { bot } = await rig.store.bots.upsert(grantOf('1'));
    rig.botId = bot.id;
    rig.service = (await rig.store.services.create('worker')).service;
    rig.wish = ({ broadcaster = '1', ...more } = {}) => ({
      serviceAccountId: rig.service.id,
      topic: topicOf(bot.id, broadcaster),
      transport: 'webhook',
      webhookUrl: url,
      createdSeq: 0,
      ...more,
    });
    rig.changes = [];
    rig.store.onChange((change) => rig.changes.push(change));
  });
  return rig;
}

/** What a Twitch user grants. */
export const grantOf = (user: string, more: Partial<BotGrant> = {}): BotGrant => ({
  twitchUserId: user,
  twitchLogin: `login${user}`,
  scopes: [],
  accessToken: `access-${user}`,
  refreshToken: null,
  expiresAt: null,
  ...more,
});

export const topicOf = (botAccountId: string, broadcaster: string): TopicSpec => ({
  provider: 'twitch',
  botAccountId,
  type: 'channel.follow',
  version: '2',
  condition: { broadcaster_user_id: broadcaster },
});

/** An interest without an endpoint. */
export async function socketInterest(rig: StoreRig, more: Parameters<StoreRig['wish']>[0] = {}) {
  const wish = rig.wish({ transport: 'websocket', webhookUrl: null, ...more });
  return (await rig.store.interests.create(wish)).interest;
}

/** The endpoint of a wish, and its secret if the wish made it. */
export async function endpointOf(rig: StoreRig, more: Parameters<StoreRig['wish']>[0] = {}) {
  const { interest, webhookSecret } = await rig.store.interests.create(rig.wish(more));
  if (interest.endpointId === null) throw new Error('a webhook interest without an endpoint');
  return { id: interest.endpointId, interestId: interest.id, secret: webhookSecret };
}
