// How old events are when they leave: what is counted, under which path, and what is left out.
import { describe, expect, it } from 'vitest';
import type { Batch, EventFeed, OutRecord } from '../../src/delivery/port.ts';
import type { SendRequest, Sender } from '../../src/delivery/webhooks/ports.ts';
import { createBusinessEvents } from '../../src/observability/business-events.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { measuredFeed, measuredSender } from '../../src/wiring/observers.ts';
import { ShiftClock } from '../support/shift-clock.ts';

function rig() {
  const clock = new ShiftClock();
  const metrics = createMetrics();
  const log = createLogger({ level: 'silent', format: 'json', destination: { write: () => {} } });
  const told = createBusinessEvents(metrics, log, new Set());
  const ago = (ms: number) => new Date(clock.now() - ms).toISOString();
  const count = async (path: string, le = '+Inf') => {
    const { body } = await metrics.render();
    const sample = `relay_delivery_seconds_bucket{le="${le}",path="${path}"} `;
    return Number(
      body
        .split('\n')
        .find((line) => line.startsWith(sample))
        ?.slice(sample.length),
    );
  };
  return { clock, told, ago, count };
}

describe('the feed of sockets', () => {
  const batchOf = (timestamps: readonly string[]): Batch => ({
    records: timestamps.map((eventTimestamp) => ({ eventTimestamp }) as unknown as OutRecord),
    through: 1,
    bytes: Buffer.alloc(0),
    seqs: [1],
  });
  const feedOf = (answer: Batch | Promise<Batch>) => ({ batch: () => answer }) as unknown as EventFeed;
  const read = (feed: EventFeed) => feed.batch(0, {} as never, 10, 'plain');

  it('counts every event of a read with the age of the oldest', async () => {
    const { clock, told, ago, count } = rig();
    await read(measuredFeed(feedOf(batchOf([ago(4_000), ago(5)])), clock, told));
    expect(await count('plain')).toBe(2);
    expect([await count('plain', '2.5'), await count('plain', '5')]).toEqual([0, 2]);
  });

  it('leaves out history from the database, nothing at all, and a time that is none', async () => {
    const { clock, told, ago, count } = rig();
    for (const answer of [Promise.resolve(batchOf([ago(1)])), batchOf([]), batchOf(['when?'])])
      expect(await read(measuredFeed(feedOf(answer), clock, told))).toEqual(await answer);
    expect(await count('plain')).toBe(0);
  });
});

it('a webhook counts once its receiver took it, a repetition under a path of its own', async () => {
  const { clock, told, ago, count } = rig();
  const outcome = { status: null, response: null, retryAfterMs: null, startedAt: 0, durationMs: 1 };
  const send = async (kind: 'success' | 'timeout', attempt: number, body: string) => {
    const inner: Sender = { send: async () => ({ ...outcome, kind }), close: async () => {} };
    const request: SendRequest = { url: '', body, id: 'i', cursor: 'c', attempt, secrets: [] };
    return measuredSender(inner, clock, told).send(request, new AbortController().signal);
  };
  const event = `{"id":"i","type":"t","event_timestamp":"${ago(700)}","event":{}}`;
  expect((await send('timeout', 1, event)).kind).toBe('timeout');
  expect(await count('webhook')).toBe(0);
  await send('success', 1, event);
  await send('success', 2, event);
  await send('success', 1, '{"no":"time"}');
  expect([await count('webhook'), await count('webhook', '0.5'), await count('webhook_again')]).toEqual([
    1, 0, 1,
  ]);
});
