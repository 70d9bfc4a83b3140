// Webhook delivery when something breaks: the database, the process, the time that the log is kept.
import { describe, expect, it } from 'vitest';
import { World, eventOf, hang, turns, until } from './dispatcher-rig.ts';

describe('the database away', () => {
  it('holds the cursor before what failed, until it is in the retry set', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.fault = (call) => (call === 'park' ? 'refuse' : undefined);
    world.receivers.answer = ({ id }) => (id === 'event-2' ? 'server_error' : 'success');
    world.feed.append('a');
    world.feed.append('b', 2);
    world.feed.append('c');
    await world.start();
    await until(() => world.receivers.accepted().length === 2);
    await world.pass(3_000, 250);
    expect(world.rows.fired.get('park')).toBeGreaterThan(2);
    expect(world.rows.at('e1').ackedSeq).toBe(1);
    expect(world.receivers.log()).not.toContain('event-3#1');
    world.rows.fault = () => undefined;
    world.receivers.answer = () => 'success';
    await world.pass(20_000, 500);
    await until(() => world.receivers.accepted().length === 4);
    expect(world.receivers.log().filter((entry) => entry.startsWith('event-2'))).toEqual([
      'event-2#1',
      'event-2#2',
    ]);
    expect(world.rows.at('e1').ackedSeq).toBe(4);
  });

  it('costs neither a park nor a claim nor a settlement whose answer was lost', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    const losing = new Set(['park', 'claim', 'settle']);
    world.rows.fault = (call) => (losing.delete(call) ? 'lose' : undefined);
    world.receivers.answer = ({ attempt }) => (attempt === 1 ? 'server_error' : 'success');
    world.feed.append('a', 2);
    await world.start();
    await world.pass(60_000, 500);
    await until(() => world.rows.owed('e1').length === 0);
    expect([...world.rows.fired.keys()].toSorted()).toEqual(['claim', 'park', 'settle']);
    expect(world.receivers.accepted().toSorted()).toEqual(['event-1', 'event-2']);
    expect(new Set(world.receivers.log()).size).toBe(world.receivers.sent.length);
  });

  it('lets no new work begin on an endpoint while something of the old is to be written', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.fault = (call) => (call === 'park' ? 'refuse' : undefined);
    world.receivers.answer = async ({ id }) => {
      if (id === 'event-1') return 'server_error';
      await until(() => world.rows.fired.get('park'));
      return 'gone';
    };
    world.feed.append('a');
    world.feed.append('b');
    await world.start();
    await until(() => world.rows.at('e1').health.state === 'disabled');
    world.receivers.answer = () => 'success';
    world.rows.enable('e1', world.clock.now());
    await world.pass(2_000, 250);
    expect(world.receivers.sent).toHaveLength(2);
    world.rows.fault = () => undefined;
    await world.pass(15_000, 500);
    await until(() => world.receivers.accepted().length === 2);
    expect(world.receivers.log().toSorted()).toEqual(['event-1#1', 'event-1#2', 'event-2#1', 'event-2#2']);
  });

  it('delays the start of an endpoint, and reading', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.rows.fault = (call) => (call === 'dispatchable' || call === 'open' ? 'refuse' : undefined);
    world.feed.failReads = 2;
    world.feed.append('a');
    const starting = world.start();
    await world.pass(3_000, 250);
    world.rows.fault = (call) => (call === 'open' ? 'refuse' : undefined);
    await world.pass(10_000, 250);
    world.rows.fault = () => undefined;
    await world.pass(30_000, 250);
    await starting;
    await until(() => world.receivers.accepted().length === 1);
    expect(world.rows.fired.get('dispatchable')).toBeGreaterThan(1);
    expect(world.rows.fired.get('open')).toBeGreaterThan(1);
    expect(world.feed.failsFired).toBe(2);
  });
});

describe('a crash', () => {
  it('repeats what was under way with a raised number, and loses nothing', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id }) => (id === 'event-1' || id === 'event-5' ? hang() : 'success');
    world.feed.append('a', 4);
    world.feed.append('b', 4);
    world.feed.append('c', 4);
    const first = await world.start();
    await until(() => world.receivers.accepted().length === 4);
    await world.pass(300);
    first.crash();
    world.feed.append('a', 1);
    world.receivers.answer = () => 'success';
    await world.start();
    await until(() => new Set(world.receivers.accepted()).size === 13);
    await turns(10);
    expect(new Set(world.receivers.log()).size).toBe(world.receivers.sent.length);
    expect(world.receivers.log()).toContain('event-1#2');
    expect(world.receivers.log()).toContain('event-5#2');
    await world.pass(300);
    expect(world.rows.at('e1').ackedSeq).toBe(13);
  });

  it('with owed deliveries under way repeats them too, and none that is parked twice', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ id, attempt }) =>
      id !== 'event-1' ? 'success' : attempt === 1 ? 'server_error' : hang();
    world.feed.append('a');
    world.feed.append('b');
    world.rows.fault = (call) => (call === 'savePositions' ? 'refuse' : undefined);
    const first = await world.start();
    await world.pass(6_000, 500);
    await until(() => world.receivers.log().includes('event-1#2'));
    expect(world.rows.fired.get('savePositions')).toBeGreaterThan(0);
    expect(world.rows.at('e1').ackedSeq).toBe(0);
    first.crash();
    world.rows.fault = () => undefined;
    world.receivers.answer = () => 'success';
    await world.start();
    await until(() => new Set(world.receivers.accepted()).size === 2);
    await world.pass(10_000, 500);
    // The claim raised the endpoint's own number, too.
    expect(world.receivers.log().slice(0, 3)).toEqual(['event-1#1', 'event-2#1', 'event-1#2']);
    expect(world.receivers.log().slice(3).toSorted()).toEqual(['event-1#3', 'event-2#3']);
    expect(world.rows.owed('e1')).toEqual([]);
  });
});

describe('a clean restart', () => {
  it('repeats nothing that was delivered, and starts numbers anew', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 20);
    const first = await world.start();
    await until(() => world.receivers.accepted().length === 20);
    await first.stop();
    expect(world.rows.at('e1')).toMatchObject({ ackedSeq: 20, sentSeq: 20, open: false });
    world.feed.append('a');
    await world.start();
    await until(() => world.receivers.accepted().length === 21);
    expect(world.receivers.log().at(-1)).toBe('event-21#1');
    expect(world.receivers.sent).toHaveLength(21);
  });

  it('waits for what is under way, cuts off what hangs at its deadline, and leaves nothing', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    let finish = (): void => undefined;
    world.receivers.answer = ({ id }) =>
      id === 'event-1' ? new Promise((resolve) => (finish = () => resolve('success'))) : hang();
    world.feed.append('a');
    world.feed.append('b');
    const first = await world.start();
    await until(() => world.receivers.sent.length === 2);
    let isStopped = false;
    const stopping = first.stop(5_000).then(() => (isStopped = true));
    finish();
    await world.pass(4_800, 400);
    expect(isStopped).toBe(false);
    await world.pass(300, 100);
    await stopping;
    expect(world.clock.pending).toBe(0);
    expect(world.rows.at('e1')).toMatchObject({ ackedSeq: 1, sentSeq: 2, open: false });
    expect(world.rows.attempts.map(({ seq, outcome }) => `${seq} ${outcome}`)).toEqual([
      '1 success',
      '2 aborted',
    ]);
    world.receivers.answer = () => 'success';
    await world.start();
    await until(() => world.receivers.log().includes('event-2#2'));
    expect(world.receivers.log()).not.toContain('event-1#2');
  });

  it('ends within its time with the database away', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = () => {
      world.rows.fault = () => 'refuse';
      return 'server_error';
    };
    world.feed.append('a');
    const first = await world.start();
    await until(() => world.receivers.sent.length === 1);
    let isStopped = false;
    const stopping = first.stop(1_000).then(() => (isStopped = true));
    await until(async () => {
      await world.pass(500, 100);
      return isStopped;
    });
    await stopping;
    expect(world.rows.fired.get('park')).toBeGreaterThan(0);
    expect(world.clock.pending).toBe(0);
    world.rows.fault = () => undefined;
    world.receivers.answer = () => 'success';
    await world.start();
    await until(() => world.receivers.log().includes('event-1#2'));
  });
});

describe('retention', () => {
  it('that overtakes the cursor is declared, and delivery goes on with what is kept', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1', { ackedSeq: 1 });
    world.feed.append('a', 5);
    world.clock.jump(10_000);
    const [kept] = world.feed.append('a', 2);
    world.feed.removeThrough(5);
    await world.start();
    await until(() => world.receivers.accepted().length === 2);
    expect(world.receivers.log()).toEqual(['event-6#1', 'event-7#1']);
    expect(world.told()).toEqual(['relay.gap retention']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({
      endpoint_id: 'e1',
      to: new Date(kept?.receivedAt ?? 0).toISOString(),
    });
    await world.pass(300);
    expect(world.rows.at('e1').ackedSeq).toBe(7);
  });

  it('during a long downtime is declared from when the endpoint last had everything, however often the start dies', async () => {
    await using world = new World();
    const dayMs = 24 * 3_600_000;
    world.rows.addEndpoint('e1', { wholeAt: world.clock.now() });
    world.feed.append('a', 2);
    const first = await world.start();
    await until(() => world.receivers.accepted().length === 2);
    await world.pass(300);
    const { wholeAt } = world.rows.at('e1');
    expect(wholeAt).toBeGreaterThan(world.clock.now() - 5_000);
    first.crash();
    world.feed.append('a', 3);
    world.clock.jump(30 * dayMs);
    world.feed.append('a');
    world.feed.removeThrough(5);
    world.failDeclares = Infinity;
    const second = await world.start();
    await world.pass(2_000, 250);
    expect(world.failures.some(({ what }) => what === 'declare')).toBe(true);
    second.crash();
    world.failDeclares = 0;
    await world.start();
    await until(() => world.receivers.accepted().length === 3);
    // Nothing that was behind the cursor then was older than the longest time that anything is kept.
    expect(world.declared.map(eventOf)[0]).toMatchObject({
      from: new Date(wholeAt - 7 * dayMs).toISOString(),
      to: new Date(world.feed.records.get(6)?.receivedAt ?? 0).toISOString(),
    });
    await world.pass(300);
    expect(world.rows.at('e1').wholeAt).toBeGreaterThan(wholeAt + 29 * dayMs);
  });

  it('that took a part is declared once, and the rest of that part is delivered', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.feed.append('a', 5);
    for (const seq of [1, 2, 4]) world.feed.records.delete(seq);
    world.feed.floor = 4;
    world.feed.oldest = 1;
    await world.start();
    await until(() => world.receivers.accepted().length === 2);
    await world.pass(300);
    expect(world.receivers.log()).toEqual(['event-3#1', 'event-5#1']);
    expect(world.told()).toEqual(['relay.gap retention']);
    expect(world.rows.at('e1').ackedSeq).toBe(5);
  });

  it('that overtakes a waiting endpoint bounds the gap by what it has read', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    const [read] = world.feed.append('a');
    await world.start();
    await until(() => world.receivers.accepted().length === 1);
    world.feed.failReads = 1;
    world.clock.jump(5_000);
    world.feed.append('a', 3);
    await until(() => world.feed.failsFired === 1);
    world.feed.removeThrough(4);
    await world.pass(1_000, 250);
    expect(world.told()).toEqual(['relay.gap retention']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({
      from: new Date(read?.receivedAt ?? 0).toISOString(),
    });
  });

  it('that took an owed event is declared before the delivery goes', async () => {
    await using world = new World();
    world.rows.addEndpoint('e1');
    world.receivers.answer = ({ attempt }) => (attempt === 1 ? 'server_error' : 'success');
    world.feed.append('a');
    world.feed.append('b');
    await world.start();
    await until(() => world.rows.owed('e1').length === 2);
    world.feed.removeThrough(1);
    await world.pass(6_000, 500);
    await until(() => world.rows.owed('e1').length === 0);
    expect(world.told()).toEqual(['relay.gap retention']);
    expect(world.declared.map(eventOf)[0]).toMatchObject({ events: 1 });
    expect(world.receivers.accepted()).toEqual(['event-2']);
  });
});
