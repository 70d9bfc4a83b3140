// Who wants what: filters that change only when the wishes do, and "wanted" whenever that is not known.
import { describe, expect, it } from 'vitest';
import { Audience } from '../../src/fanout/audience.ts';
import type { InterestRow } from '../../src/fanout/port.ts';

class Rows {
  rows: InterestRow[] = [];
  asked: (readonly string[] | undefined)[] = [];
  away = false;
  gate: Promise<void> = Promise.resolve();

  async loadInterests(services?: readonly string[]): Promise<InterestRow[]> {
    this.asked.push(services);
    const rows = this.rows.filter((row) => !services || services.includes(row.serviceAccountId));
    await this.gate;
    if (this.away) throw new Error('away');
    return rows;
  }
}

const row = (
  serviceAccountId: string,
  topicId: string,
  createdSeq = 0,
  type = 'channel.follow',
  endpointId: string | null = null,
): InterestRow => ({
  serviceAccountId,
  topicId,
  createdSeq,
  type,
  endpointId,
});

async function setUp(rows: InterestRow[]) {
  const source = new Rows();
  source.rows = rows;
  const audience = new Audience(source);
  await audience.reload();
  const changes: string[][] = [];
  audience.onChange((services) => changes.push([...services].toSorted()));
  return { source, audience, changes };
}

describe('audience', () => {
  it('gives each service its topics, the earliest interest counting, and each topic its services', async () => {
    const { audience } = await setUp([
      row('a', 't1', 9),
      row('a', 't1', 4),
      row('a', 't2', 5),
      row('b', 't1', 7),
    ]);
    expect([...audience.filter('a', null).topics]).toEqual([
      ['t1', 4],
      ['t2', 5],
    ]);
    expect([...audience.servicesOf('t1')].toSorted()).toEqual(['a', 'b']);
    expect(audience.filter('nobody', null).topics.size).toBe(0);
    expect([audience.isWanted('t2'), audience.isWanted('t3')]).toEqual([true, false]);
  });

  it('gives each way its own topics: the sockets, every endpoint, and all of them together', async () => {
    const follow = 'channel.follow';
    const { audience, source, changes } = await setUp([
      row('a', 't1', 9),
      row('a', 't1', 4, follow, 'e1'),
      row('a', 't2', 5, follow, 'e1'),
      row('a', 't3', 6, follow, 'e2'),
    ]);
    const topics = (via: Parameters<typeof audience.filter>[2]) => [
      ...audience.filter('a', null, via).topics,
    ];
    expect(topics('websocket')).toEqual([['t1', 9]]);
    expect(topics({ endpointId: 'e1' })).toEqual([
      ['t1', 4],
      ['t2', 5],
    ]);
    expect(topics({ endpointId: 'e2' })).toEqual([['t3', 6]]);
    expect(topics({ endpointId: 'unknown' })).toEqual([]);
    expect(topics('any')).toEqual([
      ['t1', 4],
      ['t2', 5],
      ['t3', 6],
    ]);
    expect(['t1', 't2', 't3'].every((topic) => audience.isWanted(topic))).toBe(true);
    const keys = ['websocket', 'any', { endpointId: 'e1' }, { endpointId: 'e2' }] as const;
    expect(new Set(keys.map((via) => audience.filter('a', null, via).key)).size).toBe(4);

    // The same topics over another way are a change.
    source.rows = [row('a', 't1', 9), row('a', 't1', 4, follow, 'e2')];
    await audience.reload(['a']);
    expect(changes).toEqual([['a']]);
    expect(topics({ endpointId: 'e1' })).toEqual([]);
    expect(topics({ endpointId: 'e2' })).toEqual([['t1', 4]]);
    expect(audience.isWanted('t2')).toBe(false);
  });

  it('keeps the same filter object until the wishes change, whatever the spelling of the types', async () => {
    const { source, audience, changes } = await setUp([row('a', 't1'), row('b', 't1')]);
    const before = {
      a: audience.filter('a', null),
      b: audience.filter('b', null),
      typed: audience.filter('a', ['x', 'y']),
    };
    await audience.reload();
    expect(audience.filter('a', null)).toBe(before.a);
    expect(audience.filter('a', ['y', 'x', 'y'])).toBe(before.typed);
    expect(changes).toEqual([]);
    source.rows = [...source.rows, row('a', 't2', 3)];
    await audience.reload(['a']);
    expect(source.asked.at(-1)).toEqual(['a']);
    const after = audience.filter('a', null);
    expect(after.key).not.toBe(before.a.key);
    expect([...after.topics.keys()]).toEqual(['t1', 't2']);
    expect([...before.a.topics.keys()]).toEqual(['t1']);
    expect(audience.filter('b', null)).toBe(before.b);
    expect(changes).toEqual([['a']]);
    expect(new Set([after.key, before.a.key, before.b.key, before.typed.key]).size).toBe(4);
  });

  it('forgets a topic with its last interest', async () => {
    const { source, audience, changes } = await setUp([row('a', 't1'), row('b', 't1')]);
    source.rows = [row('b', 't1')];
    await audience.reload(['a']);
    expect([...audience.servicesOf('t1')]).toEqual(['b']);
    source.rows = [];
    await audience.reload();
    expect(audience.isWanted('t1')).toBe(false);
    expect(changes).toEqual([['a'], ['b']]);
  });

  it('reads once for all who ask while a read is under way, and not with that one', async () => {
    const { source, audience } = await setUp([]);
    let open = () => {};
    source.gate = new Promise((resolve) => (open = resolve));
    const first = audience.reload(['a']);
    await Promise.resolve();
    await Promise.resolve();
    source.rows = [row('b', 't1'), row('c', 't1')];
    const later = [audience.reload(['b']), audience.reload(['c'])];
    open();
    await Promise.all([first, ...later]);
    expect(source.asked.slice(1)).toEqual([['a'], ['b', 'c']]);
    expect(audience.servicesOf('t1').size).toBe(2);
  });

  it('calls everything wanted before the first read and after a failed one, then reads all', async () => {
    const source = new Rows();
    const audience = new Audience(source);
    expect(audience.isWanted('t')).toBe(true);
    await audience.reload();
    expect(audience.isWanted('t')).toBe(false);
    source.away = true;
    await expect(audience.reload(['a'])).rejects.toThrow('away');
    expect(audience.isWanted('t')).toBe(true);
    source.away = false;
    source.rows = [row('a', 't1'), row('b', 't2')];
    await audience.reload(['b']);
    expect(source.asked.at(-1)).toBeUndefined();
    expect(['t', 't1', 't2'].map((topic) => audience.isWanted(topic))).toEqual([false, true, true]);
  });

  it('survives clients that ask for ever new types', async () => {
    const { audience } = await setUp([row('a', 't1')]);
    const keys = new Set(Array.from({ length: 300 }, (_, n) => audience.filter('a', [`type-${n}`]).key));
    expect(keys.size).toBe(300);
    expect(audience.filter('a', ['type-5']).topics.size).toBe(1);
  });
});
