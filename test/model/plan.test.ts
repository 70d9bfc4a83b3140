// The plan of one bot's upstream: examples of each rule, then what must hold of any plan. It must never call anybody.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  planUpstream,
  socketsPerBot,
  subscriptionsPerSocket,
  type ActualSubscription,
  type Confirmation,
  type Plan,
  type PlanInput,
  type PlanSession,
  type PlanTopic,
} from '../../src/domain/plan.ts';

const now = 10_000_000;
const listLagMs = 60_000;

const topic = (id: string, over: Partial<PlanTopic> = {}): PlanTopic => ({
  id,
  wanted: true,
  disposable: over.wanted === false,
  blocked: false,
  retryAt: null,
  subscriptionId: null,
  ...over,
});
const session = (slot: number, ids = [`s${slot}`], live = true): PlanSession => ({
  slot,
  live,
  ids: new Set(ids),
});
const listed = (
  id: string,
  topicId: string,
  sessionId: string | null,
  status = 'enabled',
): ActualSubscription => ({ id, topicId, sessionId, status, enabled: status === 'enabled' });
const confirmation = (subscriptionId: string, slot = 0, at = 0): Confirmation => ({
  subscriptionId,
  slot,
  at,
});

function plan(over: Partial<PlanInput>): Plan {
  return planUpstream({
    now,
    topics: [],
    sessions: [session(0)],
    confirmed: new Map(),
    listing: [],
    listLagMs,
    ...over,
  });
}

const nothing: Plan = { keep: [], adopt: [], lost: [], create: [], remove: [], forget: [], sockets: 0 };

describe('examples', () => {
  it('does nothing and needs no socket when nobody wants anything', () => {
    expect(plan({})).toEqual(nothing);
    expect(plan({ listing: 'unknown' })).toEqual(nothing);
  });

  it('creates what is wanted and not there, on the live session', () => {
    expect(plan({ topics: [topic('a')] })).toEqual({
      ...nothing,
      create: [{ topicId: 'a', slot: 0 }],
      sockets: 1,
    });
  });

  it('asks for a socket first when none is live', () => {
    for (const sessions of [[], [session(0, [], false)]])
      expect(plan({ topics: [topic('a')], sessions })).toEqual({ ...nothing, sockets: 1 });
  });

  it('reuses what lives on its own session, also under an id from before a hand-over', () => {
    const sessions = [session(0, ['before', 'after'])];
    expect(plan({ topics: [topic('a')], sessions, listing: [listed('x', 'a', 'before')] })).toEqual({
      ...nothing,
      keep: ['a'],
      adopt: [{ topicId: 'a', subscriptionId: 'x', slot: 0, sessionId: 'before' }],
      sockets: 1,
    });
  });

  it('removes a zombie that is recorded as ours and creates it anew', () => {
    const made = plan({
      topics: [topic('a', { subscriptionId: 'x' })],
      listing: [listed('x', 'a', 'dead')],
    });
    expect(made.create).toEqual([{ topicId: 'a', slot: 0 }]);
    expect(made.remove).toEqual([{ subscriptionId: 'x', topicId: null }]);
  });

  it('leaves the subscriptions of others alone, whether of a topic of ours or not', () => {
    const made = plan({
      topics: [topic('a')],
      listing: [listed('theirs', 'a', 'elsewhere'), listed('other', 'z', 'elsewhere')],
    });
    expect(made.remove).toEqual([]);
    expect(made.create).toEqual([{ topicId: 'a', slot: 0 }]);
  });

  it('removes what nobody wants, with what is on its own sessions besides', () => {
    const made = plan({
      topics: [topic('a', { wanted: false, subscriptionId: 'x' })],
      confirmed: new Map([['a', confirmation('x')]]),
      listing: [listed('x', 'a', 's0'), listed('twin', 'a', 's0'), listed('of none', 'z', 's0')],
    });
    expect(made.remove).toEqual([
      { subscriptionId: 'x', topicId: 'a' },
      { subscriptionId: 'twin', topicId: null },
      { subscriptionId: 'of none', topicId: null },
    ]);
    expect(made.forget).toEqual([]);
  });

  it('forgets an unwanted topic that has nothing upstream', () => {
    expect(plan({ topics: [topic('a', { wanted: false })] })).toEqual({ ...nothing, forget: ['a'] });
    const paused = topic('a', { wanted: false, disposable: false });
    expect(plan({ topics: [paused] })).toEqual(nothing);
  });

  it('with an unknown list removes only what is recorded and believes what is confirmed', () => {
    const made = plan({
      listing: 'unknown',
      topics: [
        topic('kept', { subscriptionId: 'k' }),
        topic('unwanted', { wanted: false, subscriptionId: 'u' }),
        topic('new'),
      ],
      confirmed: new Map([['kept', confirmation('k')]]),
    });
    expect(made).toEqual({
      ...nothing,
      keep: ['kept'],
      create: [{ topicId: 'new', slot: 0 }],
      remove: [{ subscriptionId: 'u', topicId: 'unwanted' }],
      sockets: 1,
    });
  });

  it('does not doubt a young confirmation because a list lacks it, but does an old one', () => {
    const topics = [topic('a', { subscriptionId: 'x' })];
    const young = plan({ topics, confirmed: new Map([['a', confirmation('x', 0, now - listLagMs + 1)]]) });
    expect(young).toMatchObject({ keep: ['a'], lost: [], create: [] });
    const old = plan({ topics, confirmed: new Map([['a', confirmation('x', 0, now - listLagMs)]]) });
    expect(old).toMatchObject({
      keep: [],
      lost: [{ topicId: 'a', status: null }],
      create: [{ topicId: 'a', slot: 0 }],
    });
  });

  it('believes a list that says the subscription has ended, however young the confirmation', () => {
    const made = plan({
      topics: [topic('a', { subscriptionId: 'x' })],
      confirmed: new Map([['a', confirmation('x', 0, now)]]),
      listing: [listed('x', 'a', 's0', 'user_removed')],
    });
    expect(made.lost).toEqual([{ topicId: 'a', status: 'user_removed' }]);
    expect(made.keep).toEqual([]);
  });

  it('adopts the living twin of a lost subscription, does not remove it, and blames nobody', () => {
    const made = plan({
      topics: [topic('a', { subscriptionId: 'x' })],
      confirmed: new Map([['a', confirmation('x')]]),
      listing: [listed('x', 'a', 's0', 'user_removed'), listed('twin', 'a', 's0')],
    });
    expect(made.lost).toEqual([{ topicId: 'a', status: null }]);
    expect(made.adopt).toEqual([{ topicId: 'a', subscriptionId: 'twin', slot: 0, sessionId: 's0' }]);
    expect(made.remove.map((each) => each.subscriptionId)).not.toContain('twin');
    expect(made.create).toEqual([]);
  });

  it('spreads 301 topics over two sockets', () => {
    const topics = Array.from({ length: 301 }, (_, n) => topic(`t${n}`));
    expect(plan({ topics }).sockets).toBe(2);
    expect(plan({ topics }).create).toHaveLength(subscriptionsPerSocket);
    const both = plan({ topics, sessions: [session(0), session(1)] });
    expect(both.create).toHaveLength(301);
    const full = new Map(topics.slice(0, 300).map(({ id }) => [id, confirmation(`x${id}`, 0, now)]));
    expect(plan({ topics, sessions: [session(0), session(1)], confirmed: full }).create).toEqual([
      { topicId: 't300', slot: 1 },
    ]);
  });

  it('stops at three full sockets', () => {
    const topics = Array.from({ length: 1_000 }, (_, n) => topic(`t${n}`));
    const made = plan({ topics, sessions: [0, 1, 2].map((slot) => session(slot)) });
    expect(made.sockets).toBe(socketsPerBot);
    expect(made.create).toHaveLength(socketsPerBot * subscriptionsPerSocket);
  });

  it('counts strays on its session as taking room, since they go only after the creates', () => {
    const strays = Array.from({ length: subscriptionsPerSocket }, (_, n) => listed(`x${n}`, 'z', 's0'));
    expect(plan({ topics: [topic('a')], listing: strays }).create).toEqual([]);
  });

  it('leaves a blocked topic and one that is not due alone, and opens no socket for them alone', () => {
    const topics = [topic('blocked', { blocked: true }), topic('later', { retryAt: now + 1 })];
    expect(plan({ topics })).toEqual(nothing);
    expect(plan({ topics: [topic('due', { retryAt: now })] }).create).toEqual([{ topicId: 'due', slot: 0 }]);
    expect(plan({ topics: [...topics, topic('due')] }).sockets).toBe(1);
  });

  it('takes a retry further off than anybody is told to wait for a clock that went back', () => {
    const longestRetryMs = 120_000;
    const far = [topic('far', { retryAt: now + longestRetryMs + 1 })];
    expect(plan({ topics: far, longestRetryMs }).create).toEqual([{ topicId: 'far', slot: 0 }]);
    const near = [topic('near', { retryAt: now + longestRetryMs })];
    expect(plan({ topics: near, longestRetryMs })).toEqual(nothing);
  });

  // One hopeless wish would else hold up all others whenever there is little room, or a pass ends early.
  it('puts what failed before behind what was never tried', () => {
    const topics = [topic('again', { retryAt: now }), topic('first'), topic('second')];
    expect(plan({ topics }).create.map((each) => each.topicId)).toEqual(['first', 'second', 'again']);
  });

  it('fills the emptiest socket first, and of equal ones the first', () => {
    const confirmed = new Map([
      ['a', confirmation('xa', 0, now)],
      ['b', confirmation('xb', 0, now)],
      ['c', confirmation('xc', 1, now)],
    ]);
    const topics = [...confirmed.keys(), 'd', 'e', 'f'].map((id) => topic(id));
    const made = plan({ topics, confirmed, sessions: [session(1), session(0)] });
    expect(made.create.map((each) => each.slot)).toEqual([1, 0, 1]);
  });

  it('counts neither what has ended nor what was lost as taking room', () => {
    const ended = Array.from({ length: subscriptionsPerSocket }, (_, n) =>
      listed(`x${n}`, 'z', 's0', 'user_removed'),
    );
    expect(plan({ topics: [topic('a')], listing: ended }).create).toHaveLength(1);
    const topics = Array.from({ length: subscriptionsPerSocket }, (_, n) => topic(`t${n}`));
    const confirmed = new Map(topics.map(({ id }) => [id, confirmation(`x${id}`)]));
    const listing = topics.slice(1).map(({ id }) => listed(`x${id}`, id, 's0'));
    expect(plan({ topics, confirmed, listing }).create).toEqual([{ topicId: 't0', slot: 0 }]);
  });

  it('needs no socket for what is not wanted or blocked', () => {
    const wanted = Array.from({ length: subscriptionsPerSocket }, (_, n) => topic(`t${n}`));
    const others = [topic('unwanted', { wanted: false }), topic('blocked', { blocked: true })];
    expect(plan({ topics: [...wanted, ...others] }).sockets).toBe(1);
    expect(plan({ topics: others }).sockets).toBe(0);
  });

  it('removes what lives for an unwanted topic although nobody wrote it down, and never adopts it', () => {
    const made = plan({
      topics: [topic('a', { wanted: false })],
      listing: [listed('x', 'a', 's0')],
    });
    expect(made).toEqual({ ...nothing, remove: [{ subscriptionId: 'x', topicId: 'a' }] });
  });

  it('calls nobody about what is recorded and has ended by itself', () => {
    const made = plan({
      topics: [topic('a', { subscriptionId: 'x' })],
      listing: [listed('x', 'a', 'dead', 'websocket_disconnected')],
    });
    expect(made.remove).toEqual([]);
    expect(made.create).toEqual([{ topicId: 'a', slot: 0 }]);
  });
});

/** Twitch and our memory of it, small enough to meet every clash. */
interface World {
  readonly topics: readonly PlanTopic[];
  readonly sessions: readonly PlanSession[];
  readonly confirmed: ReadonlyMap<string, Confirmation>;
  readonly listing: readonly ActualSubscription[];
}

const topicIds = ['a', 'b', 'c', 'd', 'e'];
const aSession = fc.constantFrom('s0', 's1', 'before', 'dead', 'elsewhere', null);
const aTopic = (id: string) =>
  fc.record({
    id: fc.constant(id),
    wanted: fc.boolean(),
    disposable: fc.constant(true),
    blocked: fc.boolean(),
    retryAt: fc.constantFrom(null, now - 1, now + 1),
    subscriptionId: fc.constantFrom(null, 'listed', `gone ${id}`),
  });
const aWorld: fc.Arbitrary<World> = fc
  .record({
    topics: fc.tuple(...topicIds.slice(0, 4).map(aTopic)),
    live: fc.tuple(fc.boolean(), fc.boolean()),
    list: fc.array(
      fc.record({
        topicId: fc.constantFrom(...topicIds),
        sessionId: aSession,
        status: fc.constantFrom('enabled', 'enabled', 'user_removed', 'websocket_disconnected'),
      }),
      { maxLength: 8 },
    ),
    confirms: fc.array(fc.record({ pick: fc.nat(), age: fc.constantFrom(0, 1_000_000) }), { maxLength: 4 }),
    unlisted: fc.boolean(),
  })
  .map(({ topics, live, list, confirms, unlisted }) => {
    const sessions = [session(0, ['s0', 'before'], live[0]), session(1, ['s1'], live[1])];
    const listing = list.map((each, n) => listed(`x${n}`, each.topicId, each.sessionId, each.status));
    const recorded = topics.map((each) => ({
      ...each,
      subscriptionId:
        each.subscriptionId === 'listed'
          ? (listing.find((item) => item.topicId === each.id)?.id ?? null)
          : each.subscriptionId,
      disposable: !each.wanted,
    }));
    const confirmed = new Map<string, Confirmation>();
    for (const { pick, age } of confirms) {
      const item = listing[pick % Math.max(1, listing.length)];
      const slot = item && sessions.find((each) => each.ids.has(item.sessionId ?? ''));
      if (item && slot?.live && topics.some((each) => each.id === item.topicId))
        confirmed.set(
          item.topicId,
          confirmation(unlisted ? `unlisted ${item.topicId}` : item.id, slot.slot, now - age),
        );
    }
    return { topics: recorded, sessions, confirmed, listing };
  });

const planOf = (world: World, listing: PlanInput['listing'] = world.listing) =>
  planUpstream({ ...world, listing, now, listLagMs });

/** The world after the plan was carried out, with every call answered well. */
function carryOut(world: World, made: Plan): World {
  const gone = new Set(made.remove.map((each) => each.subscriptionId));
  const forgotten = new Set([
    ...made.forget,
    ...made.remove.flatMap(({ topicId }) => (topicId === null ? [] : [topicId])),
  ]);
  const confirmed = new Map(world.confirmed);
  for (const { topicId } of made.lost) confirmed.delete(topicId);
  for (const { topicId, subscriptionId, slot } of made.adopt)
    confirmed.set(topicId, confirmation(subscriptionId, slot, now));
  for (const { topicId, slot } of made.create)
    confirmed.set(topicId, confirmation(`new ${topicId}`, slot, now));
  for (const id of forgotten) confirmed.delete(id);
  const created = made.create.map(({ topicId, slot }) => listed(`new ${topicId}`, topicId, `s${slot}`));
  return {
    sessions: world.sessions,
    confirmed,
    listing: [...world.listing.filter(({ id }) => !gone.has(id)), ...created],
    topics: world.topics
      .filter(({ id }) => !forgotten.has(id))
      .map((each) => ({
        ...each,
        subscriptionId: confirmed.get(each.id)?.subscriptionId ?? each.subscriptionId,
      })),
  };
}

const sets = (made: Plan) => ({
  keep: new Set(made.keep),
  lost: new Set(made.lost.map((each) => each.topicId)),
  create: new Set(made.create.map((each) => each.topicId)),
  forget: new Set(made.forget),
  sockets: made.sockets,
});

describe('any plan', () => {
  const many = { numRuns: 600 };

  it('never both keeps and creates a topic, and creates only what is wanted, on a live socket', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const made = planOf(world);
        const created = made.create.map((each) => each.topicId);
        expect(made.keep.filter((id) => created.includes(id))).toEqual([]);
        expect(new Set(created).size).toBe(created.length);
        for (const { topicId, slot } of made.create) {
          expect(world.topics.find(({ id }) => id === topicId)).toMatchObject({
            wanted: true,
            blocked: false,
          });
          expect(world.sessions.find((each) => each.slot === slot)?.live).toBe(true);
        }
      }),
      many,
    );
  });

  it('never removes what it keeps or adopts', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const made = planOf(world);
        const gone = new Set(made.remove.map((each) => each.subscriptionId));
        const after = new Map(world.confirmed);
        for (const { topicId } of made.lost) after.delete(topicId);
        for (const adopted of made.adopt)
          after.set(adopted.topicId, confirmation(adopted.subscriptionId, adopted.slot));
        for (const id of made.keep) {
          expect(after.has(id)).toBe(true);
          expect(gone.has(after.get(id)?.subscriptionId ?? '')).toBe(false);
        }
        expect(gone.size).toBe(made.remove.length);
      }),
      many,
    );
  });

  it('once carried out leaves nothing to do', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const after = carryOut(world, planOf(world));
        expect(planOf(after)).toMatchObject({ adopt: [], lost: [], create: [], remove: [], forget: [] });
        expect(planOf(after, 'unknown')).toMatchObject({ adopt: [], lost: [], create: [], remove: [] });
      }),
      many,
    );
  });

  it('does not depend on the order of topics or list', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const turned = {
          ...world,
          topics: world.topics.toReversed(),
          listing: world.listing.toReversed(),
        };
        expect(sets(planOf(turned))).toEqual(sets(planOf(world)));
      }),
      many,
    );
  });

  it('with an unknown list removes only what is recorded or confirmed, and loses nothing', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const made = planOf(world, 'unknown');
        const ours = new Set(world.topics.map((each) => each.subscriptionId));
        for (const { subscriptionId } of world.confirmed.values()) ours.add(subscriptionId);
        expect(made.remove.filter((each) => !ours.has(each.subscriptionId))).toEqual([]);
        expect(made.lost).toEqual([]);
        expect(made.adopt).toEqual([]);
      }),
      many,
    );
  });

  it('never removes what is on a foreign session unless it is recorded as ours', () => {
    fc.assert(
      fc.property(aWorld, (world) => {
        const ours = new Set(world.sessions.filter((each) => each.live).flatMap((each) => [...each.ids]));
        const recorded = new Set(world.topics.map((each) => each.subscriptionId));
        for (const { subscriptionId } of planOf(world).remove) {
          const item = world.listing.find((each) => each.id === subscriptionId);
          if (item && !recorded.has(item.id)) expect(ours.has(item.sessionId ?? '')).toBe(true);
        }
      }),
      many,
    );
  });

  it('never puts more than 300 on a socket', () => {
    const crowd = fc.record({
      wanted: fc.integer({ min: 0, max: 1_200 }),
      settled: fc.integer({ min: 0, max: 300 }),
      strays: fc.integer({ min: 0, max: 300 }),
      sockets: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(crowd, ({ wanted, settled, strays, sockets }) => {
        const topics = Array.from({ length: wanted }, (_, n) => topic(`t${n}`));
        const confirmed = new Map(
          topics.slice(0, settled).map(({ id }) => [id, confirmation(`x${id}`, 0, now)]),
        );
        const listing = Array.from({ length: strays }, (_, n) => listed(`y${n}`, `z${n}`, 's0'));
        const made = plan({
          topics,
          confirmed,
          listing,
          sessions: [0, 1, 2].slice(0, sockets).map((slot) => session(slot)),
        });
        for (let slot = 0; slot < sockets; slot++) {
          const before = slot === 0 ? confirmed.size + strays : 0;
          const added = made.create.filter((each) => each.slot === slot).length;
          if (added > 0) expect(before + added).toBeLessThanOrEqual(subscriptionsPerSocket);
        }
        expect(made.sockets).toBeLessThanOrEqual(socketsPerBot);
      }),
      { numRuns: 60 },
    );
  });
});
