// The bench's own judgement: its flags, and what its measurements come to. A bench that counts wrongly would prove nothing.
import { describe, expect, it } from 'vitest';
import { render } from '../../bench/webhooks/render.ts';
import { percentile } from '../../bench/kit/statistics.ts';
import { headerOf, pathOf, RequestReader } from '../../bench/webhooks/request-reader.ts';
import { detailsOf, lineOf, lostIn } from '../../bench/webhooks/result.ts';
import type { BenchResult, Measured, Turn } from '../../bench/webhooks/result.ts';
import type { GapEvent } from '../../src/client/index.ts';

const sent = (id: string, at: number, topicId = 't1') => ({ id, topicId, at });
const gap = (more: Partial<GapEvent>): GapEvent => ({
  cause: 'upstream_reconnect',
  bot_account_id: null,
  topic_ids: [],
  from: new Date(0).toISOString(),
  to: new Date(0).toISOString(),
  ...more,
});
const measured = (more: Partial<Measured>): Measured => ({
  warm: { sent: [], startedAt: 0, sentAt: 500 },
  burst: { sent: [], startedAt: 1_000, sentAt: 1_500 },
  paced: { sent: [], startedAt: 9_000, sentAt: 9_500 },
  arrivals: new Map(),
  gaps: [],
  shares,
  database: '15',
  ...more,
});
const shares = { contender: 0.97, receiver: 0.3, generator: undefined, machine: 0.9 };
const turn = (name: string, role: Turn['role'], round: number, perSecond: number, lost = 0): Turn => ({
  ...detailsOf(measured({})),
  name,
  role,
  round,
  per_second: perSecond,
  lost,
});
const result = (...turns: readonly Turn[]): BenchResult => ({
  turns,
  setting: {
    broadcasters: 64,
    concurrency: 64,
    pacedPerSecond: 100,
    database: '15',
    fsync: 'on',
    synchronousCommit: 'on',
  },
});

describe('results of the bench', () => {
  it('takes the burst from the first sending to its own last arrival', () => {
    const details = detailsOf(
      measured({
        burst: { sent: [sent('a', 1_000), sent('b', 1_100)], startedAt: 1_000, sentAt: 1_500 },
        paced: { sent: [sent('c', 9_000)], startedAt: 9_000, sentAt: 9_001 },
        arrivals: new Map([
          ['a', { at: 3_000, requests: 1 }],
          ['b', { at: 2_000, requests: 3 }],
          ['c', { at: 9_004.25, requests: 1 }],
        ]),
      }),
    );
    expect(details).toEqual({
      sent: 3,
      delivered: 3,
      seconds: 2,
      per_second: 1,
      p50_ms: 4.3,
      p99_ms: 4.3,
      maxMs: 4.3,
      lost: 0,
      declared: 0,
      requests: 5,
      generatorSeconds: 0.5,
      shares,
    });
  });

  it('counts as lost what neither came nor is declared, by name or by topic and window', () => {
    const events = [sent('a', 100), sent('b', 200), sent('c', 100, 't2'), sent('d', 100), sent('e', 150)];
    const named = gap({ cause: 'delivery_failed', topic_ids: ['t1', 't2'], event_ids: ['b'] });
    const window = gap({
      topic_ids: ['t1'],
      from: new Date(100).toISOString(),
      to: new Date(150).toISOString(),
    });
    const line = detailsOf(
      measured({
        burst: { sent: events, startedAt: 100, sentAt: 200 },
        arrivals: new Map([['d', { at: 300, requests: 1 }]]),
        gaps: [named, window],
      }),
    );
    // `a` lies in the window, `b` is named; `c` is of another topic, `e` at the end, which is exclusive.
    expect(line).toMatchObject({ delivered: 1, lost: 2, p50_ms: null, p99_ms: null });
  });

  it('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect([0.5, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 99, 100]);
    expect([percentile([7], 0.5), percentile([], 0.5)]).toEqual([7, null]);
  });

  it('compares the relay in each round with the best of the others, and takes the middle of the rounds', () => {
    const rounds = result(
      turn('relay', 'ours', 0, 3_000),
      turn('a', 'queue', 0, 1_000),
      turn('b', 'queue', 0, 1_500),
      turn('loop', 'ceiling', 0, 4_000),
      turn('loop', 'ceiling', 1, 2_000),
      turn('b', 'queue', 1, 500),
      turn('a', 'queue', 1, 1_000),
      turn('relay', 'ours', 1, 1_000),
      turn('relay', 'ours', 2, 4_000),
      turn('a', 'queue', 2, 800),
      turn('loop', 'ceiling', 2, 4_000),
    );
    // 3000/1500, 1000/1000, 4000/800; and 3/4, 1/2, 1/1.
    expect(lineOf(rounds)).toMatchObject({
      rounds: 3,
      per_second: 3_000,
      per_second_min: 1_000,
      webhooks_vs_queue: 2,
      webhooks_vs_queue_min: 1,
      webhooks_vs_queue_max: 5,
      webhooks_vs_ceiling: 0.75,
      a_per_second: 1_000,
      b_per_second: 1_000,
      loop_per_second: 4_000,
    });
  });

  it('has no ratio without peers, and counts what anybody lost', () => {
    const alone = lineOf(result(turn('relay', 'ours', 0, 3_000)));
    expect(Object.keys(alone).filter((name) => name.includes('_vs_'))).toEqual([]);
    expect(lostIn(result(turn('relay', 'ours', 0, 1, 0), turn('a', 'queue', 0, 1, 3)))).toBe(3);
  });

  it('can be read', () => {
    const text = render(result(turn('relay', 'ours', 0, 3_000), turn('a', 'queue', 0, 1_500)));
    expect(text).toContain('contender 97 %, receiver 30 %, generator unknown, machine 90 %');
    expect(text).toContain('webhooks_vs_queue 2 (2–2)');
    expect(text).toContain('–');
  });
});

describe('requests of one connection', () => {
  const request = (id: string, body: string) =>
    `POST /events/7 HTTP/1.1\r\nhost: x\r\nWebhook-Id: ${id}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

  it('come out whole, however their bytes arrive', () => {
    const bytes = Buffer.from(
      request('a', '{"a":1}') + request('b', '') + request('c', '{"c":"é"}'),
      'latin1',
    );
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new RequestReader();
      const found = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...reader.read(bytes.subarray(at, at + size)));
      expect(
        found.map(({ head, body }) => [pathOf(head), headerOf(head, 'webhook-id'), body.length]),
      ).toEqual([
        ['/events/7', 'a', 7],
        ['/events/7', 'b', 0],
        ['/events/7', 'c', 9],
      ]);
    }
  });

  it('are refused without a length, and have no header that they have not', () => {
    expect(() => new RequestReader().read(Buffer.from('POST / HTTP/1.1\r\nhost: x\r\n\r\n'))).toThrow(
      /length/,
    );
    expect(headerOf(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n'), 'webhook-id')).toBeUndefined();
  });
});
