// Which record is for which reader.
import { describe, expect, it } from 'vitest';
import type { Audience, LogRecord } from '../../src/domain/event.ts';
import { matches, type Filter } from '../../src/domain/filter.ts';

const record = (audience: Audience, over: Partial<LogRecord> = {}): LogRecord => ({
  id: 'm',
  provider: 'twitch',
  type: 'stream.online',
  version: '1',
  eventTimestamp: 't',
  receivedAt: 0,
  botAccountId: 'bot',
  audience,
  body: '',
  seq: 100,
  ...over,
});
const filter = (over: Partial<Filter> = {}): Filter => ({
  key: 'k',
  serviceAccountId: 'me',
  topics: new Map([['mine', 50]]),
  types: null,
  ...over,
});
const topic = (topicId: string): Audience => ({ kind: 'topic', topicId });

describe('a record is for the reader', () => {
  it('whose service has an interest in its topic', () => {
    expect(matches(filter(), record(topic('mine')))).toBe(true);
    expect(matches(filter(), record(topic('other')))).toBe(false);
  });

  it('only if it was logged after the interest was made', () => {
    expect([49, 50, 51].map((seq) => matches(filter(), record(topic('mine'), { seq })))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('if any of its topics is', () => {
    const gap = (...topicIds: string[]) =>
      record({ kind: 'topics', topicIds }, { provider: 'relay', type: 'relay.gap' });
    expect(matches(filter(), gap('other', 'mine'))).toBe(true);
    expect(matches(filter(), gap('other'))).toBe(false);
    expect(matches(filter(), gap())).toBe(false);
  });

  it('if it is about its own service, and no other', () => {
    const about = (serviceAccountId: string) =>
      record({ kind: 'service', serviceAccountId }, { provider: 'relay', type: 'relay.interest.active' });
    expect(matches(filter(), about('me'))).toBe(true);
    expect(matches(filter(), about('you'))).toBe(false);
  });

  it('if its type is asked for, or tells about the relay itself', () => {
    const narrowed = filter({ types: new Set(['channel.follow']) });
    expect(matches(narrowed, record(topic('mine')))).toBe(false);
    expect(matches(narrowed, record(topic('mine'), { type: 'channel.follow' }))).toBe(true);
    expect(matches(narrowed, record(topic('mine'), { provider: 'relay', type: 'relay.gap' }))).toBe(true);
  });
});
