// Gaps: written down before anything claims coverage past them, and not forgotten before their event is durable.
import { describe, expect, it } from 'vitest';
import type { EventDraft } from '../../src/domain/event.ts';
import { deferred, type Deferred } from '../../src/runtime/deferred.ts';
import { silentObserver } from '../../src/upstream/observer.ts';
import type { UpstreamSink } from '../../src/upstream/port.ts';
import type { TopicPatch, UpstreamStore } from '../../src/upstream/store-port.ts';
import { Coverage } from '../../src/upstream/twitch/coverage.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function setUp() {
  const rows = new Map<string, number | null>();
  const declared: (Deferred<void> & { draft: EventDraft })[] = [];
  const unused = () => Promise.reject(new Error('not part of this'));
  const state = { writable: true };
  const store: UpstreamStore = {
    bot: unused,
    botIds: unused,
    interestsOfBot: unused,
    removeInterests: unused,
    forgetBot: unused,
    topics: unused,
    forgetTopic: unused,
    interestsOf: unused,
    saveCoverage: unused,
    updateTopic(id: string, patch: TopicPatch) {
      if (!state.writable) return Promise.reject(new Error('the database is away'));
      if (patch.gapFrom !== undefined) rows.set(id, patch.gapFrom);
      return Promise.resolve();
    },
  };
  const sink: UpstreamSink = {
    notification: () => undefined,
    durableUntil: (_botId, at) => at,
    declare(draft) {
      const each = Object.assign(deferred<void>(), { draft });
      declared.push(each);
      return each.promise;
    },
  };
  const coverage = new Coverage({
    botId: 'bot',
    clock: new ShiftClock(),
    sink,
    store,
    observer: silentObserver,
  });
  return { coverage, rows, declared, state };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a gap', () => {
  it('is in the row until its event is durable, and coverage stands still meanwhile', async () => {
    const { coverage, rows, declared } = setUp();
    coverage.open('t', 100, 'upstream_silence');
    expect(await coverage.persist()).toBe(true);
    expect(rows.get('t')).toBe(100);
    coverage.close('t', 200);
    expect(await coverage.persist()).toBe(false);
    expect(rows.get('t')).toBe(100);
    coverage.flush();
    expect(await coverage.persist()).toBe(false);
    expect(rows.get('t')).toBe(100);
    expect(JSON.parse(`{${declared[0]?.draft.body ?? ''}}`)).toMatchObject({
      event: {
        cause: 'upstream_silence',
        topic_ids: ['t'],
        from: new Date(100).toISOString(),
        to: new Date(200).toISOString(),
      },
    });
    declared[0]?.resolve();
    await turn();
    expect(rows.get('t')).toBeNull();
    expect(await coverage.persist()).toBe(true);
  });

  it('that closes before it was ever written down does not wipe an older one from the row', async () => {
    const { coverage, rows } = setUp();
    rows.set('t', 50);
    coverage.open('t', 50, 'restart');
    coverage.close('t', 200);
    expect(await coverage.persist()).toBe(false);
    expect(rows.get('t')).toBe(50);
  });

  it('is still owed when the relay stops before its event is durable', async () => {
    const { coverage, rows, declared } = setUp();
    coverage.open('t', 100, 'upstream_reconnect');
    await coverage.persist();
    coverage.close('t', 200);
    coverage.flush();
    declared[0]?.reject(new Error('stopped'));
    await turn();
    expect(await coverage.persist()).toBe(false);
    expect(rows.get('t')).toBe(100);
    coverage.flush();
    expect(declared).toHaveLength(2);
  });

  it('that opens again while the last one is being declared is written down after it', async () => {
    const { coverage, rows, declared } = setUp();
    coverage.open('t', 100, 'upstream_reconnect');
    coverage.close('t', 200);
    coverage.flush();
    coverage.open('t', 300, 'revoked');
    expect(await coverage.persist()).toBe(false);
    declared[0]?.resolve();
    await turn();
    expect(rows.get('t')).toBe(300);
    expect(await coverage.persist()).toBe(true);
  });

  it('keeps its earliest beginning, and the cause of that', async () => {
    const { coverage, rows } = setUp();
    coverage.open('t', 100, 'revoked');
    coverage.open('t', 300, 'upstream_silence');
    await coverage.persist();
    expect(rows.get('t')).toBe(100);
    coverage.open('t', 50, 'restart');
    await coverage.persist();
    expect(rows.get('t')).toBe(50);
  });

  it('lets nobody claim coverage while it cannot be written down', async () => {
    const { coverage, rows, state } = setUp();
    state.writable = false;
    coverage.open('t', 100, 'upstream_silence');
    await expect(coverage.persist()).rejects.toThrow('away');
    state.writable = true;
    expect(await coverage.persist()).toBe(true);
    expect(rows.get('t')).toBe(100);
  });

  it('is one event for all topics with the same cause and beginning', () => {
    const { coverage, declared } = setUp();
    for (const id of ['a', 'b', 'c']) coverage.open(id, id === 'c' ? 150 : 100, 'upstream_silence');
    for (const [id, to] of [
      ['a', 200],
      ['b', 250],
      ['c', 200],
    ] as const)
      coverage.close(id, to);
    coverage.flush();
    expect(declared.map(({ draft }) => draft.audience)).toEqual([
      { kind: 'topics', topicIds: ['a', 'b'] },
      { kind: 'topics', topicIds: ['c'] },
    ]);
    expect(declared[0]?.draft.body).toContain(new Date(250).toISOString());
  });

  it('of a topic that nobody wants is nobody’s business', async () => {
    const { coverage, declared } = setUp();
    coverage.open('t', 100, 'revoked');
    coverage.forget('t');
    coverage.close('t', 200);
    coverage.flush();
    expect(declared).toEqual([]);
    expect(await coverage.persist()).toBe(true);
    await coverage.declare([], 0, 1, 'restart');
    expect(declared).toEqual([]);
  });
});

describe('what somebody else covered', () => {
  it('is not missing; only what lies behind it is, and a topic that nobody had is owed nothing', async () => {
    const { coverage, declared, rows } = setUp();
    const restart = { cause: 'restart' as const };
    coverage.open('early', 0, 'restart');
    coverage.close('early', 500);
    coverage.open('late', 0, 'restart');
    coverage.close('late', 1_500);
    coverage.open('hole', 0, 'restart');
    coverage.close('hole', 500);
    coverage.missed('hole', { from: 900, to: 1_200, cause: 'upstream_reconnect' });
    coverage.open('never', 0, 'restart');
    coverage.open('nobody', 0, 'restart');
    const ends = ['early', 'late', 'hole', 'never'].map((id) => [id, { from: 1_000, ...restart }] as const);
    coverage.coveredByOther(new Map(ends));
    expect(['early', 'late', 'hole', 'never', 'nobody'].map((id) => coverage.windowsOf(id))).toMatchObject([
      [],
      [{ from: 1_000, to: 1_500 }],
      [{ from: 1_000, to: 1_200 }],
      [{ from: 1_000, to: Number.POSITIVE_INFINITY }],
      [],
    ]);
    coverage.flush();
    for (const each of declared) each.resolve();
    await turn();
    await coverage.persist();
    expect(rows.get('early')).toBeNull();
    expect(rows.get('never')).toBe(1_000);
  });
});
