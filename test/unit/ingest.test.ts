// Ingest over a log that can be away, refuse and lose answers.
import { describe, expect, it } from 'vitest';
import { gapEvent } from '../../src/domain/relay-event.ts';
import { topicId } from '../../src/domain/topic.ts';
import { appendFault } from '../../src/ingest/append-fault.ts';
import type { IngestDeps } from '../../src/ingest/ingest.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { gapEvent as gapShape } from '../../src/protocol/event.ts';
import { bot, draft, notification, until, uuid } from '../contract/log-fixtures.ts';
import { connectionRefused, MemoryLog } from '../contract/log-memory.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function setUp(options: Partial<IngestDeps> = {}) {
  const log = new MemoryLog();
  const clock = new ShiftClock();
  const ingest = createIngest({ log, clock, isWanted: () => true, random: () => 1, ...options });
  const ids = () => log.records.map((record) => record.id);
  const settled = () => until(() => ingest.stats().pending === 0);
  return { log, clock, ingest, ids, settled };
}

const gapOf = (body: string) => gapShape.parse((JSON.parse(`{${body}}`) as { event: unknown }).event);
const relay = (id: string) => draft(id, { provider: 'relay', type: 'relay.gap' });

/** A promise that is opened by hand. */
function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

describe('what is kept', () => {
  it('commits a notification under its topic, unchanged', async () => {
    const { log, ingest, settled } = setUp();
    const sent = notification('a', { condition: { broadcaster_user_id: '1', reward_id: '' } });
    ingest.notification(sent);
    await settled();
    expect(log.records).toMatchObject([
      {
        id: 'a',
        seq: 1,
        body: sent.body,
        eventTimestamp: sent.eventTimestamp,
        receivedAt: sent.receivedAt,
        audience: { kind: 'topic', topicId: topicId({ ...sent, condition: { broadcaster_user_id: '1' } }) },
      },
    ]);
  });

  it('tells topics apart although a subscription id comes back with another condition', async () => {
    const { log, ingest, settled } = setUp();
    for (const [id, who] of [
      ['a', '1'],
      ['b', '2'],
      ['c', '1'],
    ] as const)
      ingest.notification(notification(id, { condition: { broadcaster_user_id: who } }));
    await settled();
    const topics = log.records.map((record) =>
      record.audience.kind === 'topic' ? record.audience.topicId : '',
    );
    expect(topics[0]).toBe(topics[2]);
    expect(topics[0]).not.toBe(topics[1]);
  });

  it('drops repetitions and what nobody wants, and counts both', async () => {
    const { log, ingest, ids, settled } = setUp({
      isWanted: (topic) => topic !== topicId(notification('x', { type: 'unwanted' })),
    });
    ingest.notification(notification('a'));
    ingest.notification(notification('a'));
    expect(ingest.notification(notification('b', { type: 'unwanted' }))).toBe('unwanted');
    await settled();
    ingest.notification(notification('a'));
    log.commitElsewhere([draft('old')]);
    ingest.notification(notification('old'));
    await settled();
    expect(ids()).toEqual(['a', 'old']);
    expect(ingest.stats()).toMatchObject({
      duplicatesTotal: 3,
      unwantedTotal: 1,
      committedTotal: 1,
      failing: null,
    });
  });
});

describe('batches', () => {
  it('commits in groups: the next one leaves when the last one has landed', async () => {
    const { log, ingest, ids, settled } = setUp({ limits: { maxBatchEvents: 4 } });
    const held = gate();
    log.gate = held.promise;
    ingest.notification(notification('0'));
    await new Promise((resolve) => setImmediate(resolve));
    for (let n = 1; n < 10; n++) ingest.notification(notification(String(n)));
    expect(ingest.stats().pending).toBe(10);
    held.open();
    await settled();
    expect(log.batches.map((batch) => batch.length)).toEqual([1, 4, 4, 1]);
    expect(ids()).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
  });

  it('bounds a batch by bytes, but never to nothing', async () => {
    const { log, ingest, settled } = setUp({ limits: { maxBatchBytes: 3_000 } });
    for (const [id, size] of [
      ['a', 10],
      ['b', 10_000],
      ['c', 10],
      ['d', 10],
    ] as const)
      ingest.notification(notification(id, { body: `"event":"${'x'.repeat(size)}"` }));
    await settled();
    expect(log.batches.map((batch) => batch.map((each) => each.id))).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  it('keeps declarations in order between notifications and resolves them when durable', async () => {
    const { log, ingest, ids } = setUp();
    const held = gate();
    log.gate = held.promise;
    ingest.notification(notification('a'));
    let durable = false;
    const declared = ingest.declare(relay('gap')).then(() => (durable = true));
    ingest.notification(notification('b'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(durable).toBe(false);
    held.open();
    await declared;
    expect(ids()).toEqual(['a', 'gap', 'b']);
  });
});

describe('a database that is away', () => {
  it('holds, backs off, says so, and goes on in order without losing or repeating anything', async () => {
    const told: string[] = [];
    const { log, clock, ingest, ids, settled } = setUp({
      observer: { failing: (fault) => told.push(fault), recovered: () => told.push('back') },
    });
    log.away = connectionRefused();
    ingest.notification(notification('a'));
    await until(() => ingest.stats().failing !== null);
    ingest.notification(notification('b'));
    const declared = ingest.declare(relay('gap'));
    for (let n = 0; n < 5; n++) await clock.advance(5_000);
    expect(ingest.stats()).toMatchObject({ failing: 'ECONNREFUSED', pending: 3, committedTotal: 0 });
    log.away = undefined;
    await clock.advance(5_000);
    await settled();
    await declared;
    expect(ids()).toEqual(['a', 'b', 'gap']);
    expect(ingest.stats()).toMatchObject({ failing: null, committedTotal: 3, duplicatesTotal: 0 });
    expect(told).toEqual(['ECONNREFUSED', 'back']);
  });

  it('does not write twice what was committed when the answer was lost', async () => {
    const { log, clock, ingest, ids, settled } = setUp();
    log.loseAnswers = 1;
    ingest.notification(notification('a'));
    await until(() => ingest.stats().failing !== null);
    ingest.notification(notification('b'));
    await clock.advance(5_000);
    await settled();
    expect(ids()).toEqual(['a', 'b']);
    expect(ingest.stats()).toMatchObject({ committedTotal: 2, duplicatesTotal: 0 });
  });

  it('drops past the bound and declares the window, per bot with its topics, behind what was held', async () => {
    const { log, clock, ingest, ids, settled } = setUp({ limits: { maxHeldEvents: 4 } });
    const other = uuid(0x999);
    log.away = connectionRefused();
    for (let n = 0; n < 4; n++) ingest.notification(notification(String(n), { receivedAt: 1_000 + n }));
    ingest.notification(notification('lost 1', { receivedAt: 2_000 }));
    ingest.notification(notification('lost 2', { receivedAt: 2_500, type: 'channel.raid' }));
    ingest.notification(notification('lost 3', { receivedAt: 2_600, botAccountId: other }));
    const declared = ingest.declare(relay('never dropped'));
    await until(() => ingest.stats().failing !== null);
    expect(ingest.stats()).toMatchObject({ pending: 5, droppedTotal: 3 });
    expect(ingest.durableUntil(bot, 9_000)).toBe(1_000);
    expect(ingest.durableUntil(other, 9_000)).toBe(2_600);
    log.away = undefined;
    await clock.advance(5_000);
    await declared;
    ingest.notification(notification('lost 1', { receivedAt: 9_000 }));
    await settled();
    expect(ids().slice(0, 5)).toEqual(['0', '1', '2', '3', 'never dropped']);
    const gaps = log.records.filter((record) => record.provider === 'relay' && record.id !== 'never dropped');
    expect(gaps.map((gap) => gapOf(gap.body))).toEqual([
      {
        cause: 'relay_overflow',
        bot_account_id: bot,
        topic_ids: [topicId(notification('x')), topicId(notification('x', { type: 'channel.raid' }))],
        from: new Date(2_000).toISOString(),
        to: new Date(2_501).toISOString(),
      },
      {
        cause: 'relay_overflow',
        bot_account_id: other,
        topic_ids: [topicId(notification('x', { botAccountId: other }))],
        from: new Date(2_600).toISOString(),
        to: new Date(2_601).toISOString(),
      },
    ]);
    // A dropped message that the platform repeats is not a repetition to us.
    expect(ids()).toContain('lost 1');
    expect(ingest.durableUntil(bot, 9_500)).toBe(9_500);
  });

  it('bounds what it holds by bytes as well', async () => {
    const { log, ingest } = setUp({ limits: { maxHeldBytes: 5_000 } });
    log.away = connectionRefused();
    for (let n = 0; n < 5; n++) ingest.notification(notification(String(n), { body: 'x'.repeat(2_000) }));
    expect(ingest.stats()).toMatchObject({ pending: 2, droppedTotal: 3 });
    await ingest.stop(0);
  });
});

describe('a record that the database refuses', () => {
  it('is singled out, counted and turned into a gap; everything else is committed in order', async () => {
    const refused: string[] = [];
    const { log, ingest, ids, settled } = setUp({ observer: { refused: (each) => refused.push(each.id) } });
    log.refuses = (each) => each.id.startsWith('poison');
    for (let n = 0; n < 40; n++) {
      ingest.notification(
        notification(n === 17 || n === 18 || n === 39 ? `poison ${n}` : String(n), { receivedAt: n }),
      );
    }
    await settled();
    expect(refused).toEqual(['poison 17', 'poison 18', 'poison 39']);
    const expected = Array.from({ length: 40 }, (_, n) =>
      n === 17 || n === 18 || n === 39 ? 'gap' : String(n),
    );
    expect(log.records.map((record) => (record.provider === 'relay' ? 'gap' : record.id))).toEqual(expected);
    const gap = log.records.find((record) => record.provider === 'relay');
    expect(gapOf(gap?.body ?? '')).toMatchObject({
      cause: 'upstream_malformed',
      from: new Date(17).toISOString(),
      to: new Date(18).toISOString(),
    });
    expect(ids()).toHaveLength(40);
    expect(ingest.stats()).toMatchObject({ refusedTotal: 3, failing: null });
  });

  it('rejects a declaration that is refused, and is not blocked by a gap that is refused too', async () => {
    const { log, ingest, ids, settled } = setUp();
    log.refuses = (each) => each.botAccountId === 'broken' || each.id === 'bad';
    ingest.notification(notification('x', { botAccountId: 'broken' }));
    await expect(ingest.declare(relay('bad'))).rejects.toMatchObject({ code: 'event_refused' });
    ingest.notification(notification('fine'));
    await settled();
    expect(ids()).toEqual(['fine']);
    expect(ingest.stats().refusedTotal).toBe(3);
  });

  it.each([
    ['08006', 'away'],
    ['57P01', 'away'],
    ['53300', 'away'],
    ['40001', 'away'],
    ['57014', 'away'],
    ['25006', 'away'],
    ['42P01', 'away'],
    ['23505', 'away'],
    ['ECONNREFUSED', 'away'],
    ['ECONNRESET', 'away'],
    ['ETIMEDOUT', 'away'],
    ['22021', 'refused'],
    ['22P02', 'refused'],
    ['23502', 'refused'],
    ['23514', 'refused'],
    ['54000', 'refused'],
  ])('takes %s as %s', (code, fault) => {
    expect(appendFault(Object.assign(new Error('x'), { code }))).toBe(fault);
  });

  it('takes an unknown failure as away', () => {
    expect(appendFault(new Error('Query read timeout'))).toBe('away');
    expect(appendFault('odd')).toBe('away');
  });
});

describe('durableUntil', () => {
  it('stays behind the oldest of that bot that waits, also behind the window of a gap that waits', async () => {
    const { log, ingest, settled } = setUp();
    const held = gate();
    log.gate = held.promise;
    expect(ingest.durableUntil(bot, 5_000)).toBe(5_000);
    ingest.notification(notification('a', { receivedAt: 4_000 }));
    ingest.notification(notification('b', { receivedAt: 3_000 }));
    expect(ingest.durableUntil(bot, 5_000)).toBe(3_000);
    expect(ingest.durableUntil(uuid(2), 5_000)).toBe(5_000);
    held.open();
    await settled();
    expect(ingest.durableUntil(bot, 5_000)).toBe(5_000);
  });
});

describe('stop', () => {
  it('commits what is held, then takes nothing more', async () => {
    const { clock, ingest, ids } = setUp();
    ingest.notification(notification('a', { receivedAt: 1 }));
    await ingest.stop();
    ingest.notification(notification('late', { receivedAt: 2 }));
    await expect(ingest.declare(relay('late too'))).rejects.toMatchObject({ code: 'stopping' });
    expect(ids()).toEqual(['a']);
    expect(ingest.durableUntil(bot, 5)).toBe(2);
    expect(clock.pending).toBe(0);
  });

  it('gives up after the grace; what was not written stays uncovered', async () => {
    const { log, clock, ingest } = setUp();
    log.away = connectionRefused();
    ingest.notification(notification('a', { receivedAt: 7 }));
    const declared = ingest.declare(
      gapEvent({ cause: 'restart', botAccountId: bot, topicIds: [], from: 1, to: 2 }, 8),
    );
    const outcome = expect(declared).rejects.toMatchObject({ code: 'stopping' });
    const stopping = ingest.stop(1_000);
    await clock.advance(1_000);
    await Promise.all([stopping, outcome]);
    expect(ingest.durableUntil(bot, 100)).toBe(7);
    await until(() => clock.pending === 0);
  });
});
