// The bench's own judgement: its flags, and what its measurements come to. A bench that counts wrongly would prove nothing.
import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../bench/webhooks/options.ts';
import { render } from '../../bench/webhooks/render.ts';
import { detailsOf, lineOf, percentile } from '../../bench/webhooks/result.ts';
import type { Measured } from '../../bench/webhooks/result.ts';
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
  burst: { sent: [], startedAt: 1_000, sentAt: 1_500 },
  paced: { sent: [], startedAt: 9_000, sentAt: 9_500 },
  pacedPerSecond: 200,
  arrivals: new Map(),
  gaps: [],
  shares: { relay: 0.97, receiver: 0.3, generator: undefined },
  setting: { broadcasters: 64, concurrency: 64, database: '15' },
  ...more,
});

describe('flags of the bench', () => {
  it('has defaults, and says what is wrong without showing a password', () => {
    expect(parseOptions([])).toMatchObject({
      kind: 'run',
      options: { events: 20_000, json: false, profileDir: undefined },
    });
    expect(parseOptions(['--help']).kind).toBe('help');
    for (const argv of [
      ['--events', '999'],
      ['--events', '1e4'],
      ['--database-url', 'mysql://u:hunter2@h/d'],
      ['--nonsense'],
    ]) {
      const parsed = parseOptions(argv);
      expect(parsed.kind === 'wrong' && parsed.message, argv.join(' ')).toMatch(/\w/u);
      expect(JSON.stringify(parsed)).not.toContain('hunter2');
    }
  });
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
    const line = lineOf(
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

  it('can be read', () => {
    const text = render(measured({}));
    expect(text).toContain('relay 97 %, receiver 30 %, generator unknown');
    expect(text).toContain('p50 –');
  });
});
