// Where one stretch of the fault programme ends and the next begins, for a reader and for the log: nothing is judged twice,
// nothing falls between, and the judging of one disturbs nothing that comes meanwhile.
import { describe, expect, it } from 'vitest';
import { encodeCursor } from '../../src/domain/cursor.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { Auditor } from '../faults/auditor.ts';
import { countMissing } from '../faults/catch-up.ts';
import type { Happening, StageBot, Topic } from '../faults/contract.ts';
import { numberMember } from '../faults/happenings.ts';
import { Inbox } from '../faults/inbox.ts';
import { judge, type ConsumerEvidence, type DeclaredGap } from '../faults/oracle.ts';
import { itemsPerStep } from '../faults/slices.ts';
import { atOnce } from '../support/at-once.ts';

const bot: StageBot = { id: 'bot', userId: '1', accessToken: '', refreshToken: '' };
const topic: Topic = { index: 0, topicId: 'topic', type: 'channel.update', broadcasterId: '2', bot };
const sent = { topicOf: () => 0, isFaithful: () => undefined };
const at = (n: number) => 1_000_000 + n;
const happening = (n: number): Happening => ({ n, topic: 0, at: at(n), messageIds: [`m${n}`] });
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

const anInbox = () => new Inbox({ name: 'reader', via: 'relay.v1', topics: new Set([0]) }, sent, [topic]);
const give = (inbox: Inbox, n: number, attempt = 1) =>
  inbox.take({
    text: Buffer.from(`{"${numberMember}":${n}}`),
    attempt,
    cursor: encodeCursor('epoch', n),
    accepted: true,
    connection: 1,
    resumed: undefined,
  });

const judging = (page: ConsumerEvidence, numbers: readonly number[]) =>
  judge({
    fault: { from: 0, to: 0, mayLose: false, topics: null },
    keepaliveMs: 1_000,
    happenings: numbers.map(happening),
    log: numbers.map((n) => ({ n, topic: 0, id: `m${n}`, seq: n })),
    gaps: [],
    consumers: [page],
  });
const clean = { lost: 0, undeclared: 0, unmarkedDuplicates: 0, markedDuplicates: 0, disordered: 0 };

describe('the page of a reader', () => {
  const count = 3 * itemsPerStep;

  it('does not change while it is judged; what comes meanwhile is judged with the next', () => {
    const inbox = anInbox();
    for (const n of range(0, count)) give(inbox, n);
    const first = inbox.turnPage();
    const steps = judging(first, range(0, count));
    expect(steps.next().done).toBe(false);
    give(inbox, 5);
    give(inbox, 6, 2);
    give(inbox, count);
    expect(atOnce(steps)).toMatchObject({ ...clean, sent: count });
    atOnce(inbox.remember(first));
    const second = atOnce(judging(inbox.turnPage(), [count]));
    expect(second).toMatchObject({ ...clean, sent: 1, unmarkedDuplicates: 1, markedDuplicates: 1 });
  });

  it('what was not given before it was turned is lost, even if it comes while the page is judged', () => {
    const inbox = anInbox();
    for (const n of range(1, count)) give(inbox, n);
    const steps = judging(inbox.turnPage(), range(0, count));
    steps.next();
    give(inbox, 0);
    expect(atOnce(steps)).toMatchObject({ ...clean, lost: 1 });
  });

  it('takes along the interests that it was for, and leaves none behind', () => {
    const inbox = anInbox();
    inbox.during.set(3, [{ from: 1, to: 2 }]);
    const page = inbox.turnPage();
    inbox.during.set(4, []);
    expect([...(page.during ?? [])]).toEqual([[3, [{ from: 1, to: 2 }]]]);
    expect([...inbox.during.keys()]).toEqual([4]);
  });

  it('remembers the last giving of the latest happenings', () => {
    const inbox = anInbox();
    const rounds = [range(0, 30_000), range(30_000, 60_000), [59_999]];
    for (const [i, numbers] of rounds.entries()) {
      for (const n of numbers) give(inbox, n, i + 1);
      atOnce(inbox.remember(inbox.turnPage()));
    }
    const { earlier } = inbox.turnPage();
    expect(earlier.get(0)).toBeUndefined();
    expect(earlier.get(29_999)).toEqual({ attempt: 1, connection: 1 });
    expect(earlier.get(59_999)).toEqual({ attempt: 3, connection: 1 });
  });
});

const logged = (n: number) =>
  ({
    id: `m${n}`,
    provider: 'twitch',
    topic_id: 'topic',
    cursor: encodeCursor('epoch', n),
    event: { [numberMember]: n },
  }) as unknown as RelayEvent;

it('the page of the log is handed over as it was when it was turned', () => {
  const auditor = new Auditor(sent, [topic]);
  const take = (n: number) => auditor.take({ events: [logged(n)], after: '', request: 1 });
  take(1);
  const page = auditor.turnPage();
  expect(auditor.has(1)).toBe(false);
  take(2);
  expect(page.log.map(({ n }) => n)).toEqual([1]);
  expect(auditor.turnPage().log.map(({ n }) => n)).toEqual([2]);
  expect(auditor.read).toBe(2);
});

describe('what is still missing on a page', () => {
  const gap: DeclaredGap = {
    id: 'gap',
    cause: 'upstream_silence',
    topics: [0],
    from: at(2),
    to: at(2),
    isOwn: false,
    eventIds: [],
  };
  const missing = (log: readonly number[], gaps: readonly DeclaredGap[], inbox: Inbox) =>
    atOnce(
      countMissing({
        happenings: { recent: [1, 2, 3].map(happening) },
        population: { auditor: { gaps, has: (n) => log.includes(n) }, inboxes: [inbox] },
      }),
    );
  const given = (...numbers: number[]) => {
    const inbox = anInbox();
    for (const n of numbers) give(inbox, n);
    return inbox;
  };

  it('is nothing when all is logged and given', () => {
    expect(missing([1, 2, 3], [], given(1, 2, 3))).toBe(0);
  });

  it('is what is not logged, what is not given, and a gap that a reader was not told of', () => {
    expect(missing([1, 3], [], given(1, 3))).toBe(1);
    expect(missing([1, 2, 3], [], given(1, 3))).toBe(1);
    expect(missing([1, 3], [gap], given(1, 3))).toBe(1);
    const told = given(1, 3);
    told.gaps.push(gap);
    expect(missing([1, 3], [gap], told)).toBe(0);
  });

  it('is what was owed for a time, from its beginning on', () => {
    const other = () => new Inbox({ name: 'other', via: 'plain', topics: new Set() }, sent, [topic]);
    expect(missing([1, 2, 3], [], other())).toBe(0);
    const passing = other();
    passing.during.set(0, [{ from: at(2), to: Infinity }]);
    expect(missing([1, 2, 3], [], passing)).toBe(2);
  });
});
