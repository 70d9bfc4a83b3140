// The relay.v1 connection as a table: every phase and every input, and what must become of it; then the rules that hold
// whatever the order of inputs. A missing cell does not compile.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allowance,
  attemptOf,
  nextTickAt,
  openConnection,
  positionOf,
  resumeFrom,
  step,
} from '../../src/delivery/gateway/connection-state.ts';
import type {
  ConnectionState,
  Effect,
  Input,
  InputKind,
  Phase,
} from '../../src/delivery/gateway/connection-types.ts';
import { phases } from '../../src/delivery/gateway/connection-types.ts';
import { windowSize } from '../../src/delivery/gateway/window.ts';

const now = 1_000_000;
const base = { ackMode: 'cumulative', maxInFlight: 4, heartbeatMs: 25_000, attempt: 1 } as const;

/** Sent 11 to 13 of a log that ends at 20, acknowledged 11. */
function openState(): ConnectionState {
  const fresh = openConnection({ ...base, position: 10, mark: 10, head: 20 }, now);
  const sent = step(fresh, { kind: 'sent', seqs: [11, 12, 13], through: 13, head: 20, oldest: null }, now);
  return step(sent.state, { kind: 'ack', seq: 11 }, now).state;
}

const states: Record<Phase, () => ConnectionState> = {
  open: openState,
  draining: () => step(openState(), { kind: 'drain', inMs: 500, reason: 'r', close: 'restart' }, now).state,
  closing: () => step(openState(), { kind: 'takeover' }, now).state,
  closed: () => step(openState(), { kind: 'socketClosed' }, now).state,
};

const inputs: { readonly [K in InputKind]: Extract<Input, { kind: K }> } = {
  ack: { kind: 'ack', seq: 12 },
  sent: { kind: 'sent', seqs: [14], through: 15, head: 20, oldest: null },
  flushed: { kind: 'flushed', through: 13 },
  pong: { kind: 'pong' },
  pingFlushed: { kind: 'pingFlushed' },
  tick: { kind: 'tick', head: 20 },
  malformed: { kind: 'malformed', message: 'm' },
  takeover: { kind: 'takeover' },
  unauthorized: { kind: 'unauthorized', message: 'm' },
  disabled: { kind: 'disabled', message: 'm' },
  expired: { kind: 'expired', message: 'm' },
  drain: { kind: 'drain', inMs: 900, reason: 'r', close: 'going_away' },
  abort: { kind: 'abort', reason: 'going_away', message: 'm' },
  socketClosed: { kind: 'socketClosed' },
};

/** The phase that follows, and the effects in order; a close with its reason. */
type Cell = readonly [Phase, string];

const ends = (reason: string): Cell => ['closing', `send:error persistFinal close:${reason}`];

const table = {
  open: {
    ack: ['open', 'dirty'],
    sent: ['open', 'dirty'],
    flushed: ['open', ''],
    pong: ['open', ''],
    pingFlushed: ['open', ''],
    tick: ['open', ''],
    malformed: ends('malformed_frame'),
    takeover: ends('replaced'),
    unauthorized: ends('unauthorized'),
    disabled: ends('forbidden'),
    expired: ends('cursor_expired'),
    drain: ['draining', 'send:reconnect'],
    abort: ends('going_away'),
    socketClosed: ['closed', 'persistFinal'],
  },
  draining: {
    ack: ['draining', 'dirty'],
    sent: ['draining', ''],
    flushed: ['draining', ''],
    pong: ['draining', ''],
    pingFlushed: ['draining', ''],
    tick: ['draining', ''],
    malformed: ends('malformed_frame'),
    takeover: ends('replaced'),
    unauthorized: ends('unauthorized'),
    disabled: ends('forbidden'),
    expired: ends('cursor_expired'),
    drain: ['draining', ''],
    abort: ends('going_away'),
    socketClosed: ['closed', 'persistFinal'],
  },
  closing: {
    ack: ['closing', ''],
    sent: ['closing', ''],
    flushed: ['closing', ''],
    pong: ['closing', ''],
    pingFlushed: ['closing', ''],
    tick: ['closing', ''],
    malformed: ['closing', ''],
    takeover: ['closing', ''],
    unauthorized: ['closing', ''],
    disabled: ['closing', ''],
    expired: ['closing', ''],
    drain: ['closing', ''],
    abort: ['closing', ''],
    socketClosed: ['closed', ''],
  },
  closed: {
    ack: ['closed', ''],
    sent: ['closed', ''],
    flushed: ['closed', ''],
    pong: ['closed', ''],
    pingFlushed: ['closed', ''],
    tick: ['closed', ''],
    malformed: ['closed', ''],
    takeover: ['closed', ''],
    unauthorized: ['closed', ''],
    disabled: ['closed', ''],
    expired: ['closed', ''],
    drain: ['closed', ''],
    abort: ['closed', ''],
    socketClosed: ['closed', ''],
  },
} satisfies Record<Phase, Record<InputKind, Cell>>;

const shown = (effects: readonly Effect[]): string =>
  effects
    .map((effect) => {
      if (effect.kind === 'send') return `send:${effect.frame.type}`;
      return effect.kind === 'close' ? `close:${effect.reason}` : effect.kind;
    })
    .join(' ');

describe.for(phases)('in phase %s', (phase) => {
  test.for(Object.values(inputs))('$kind', (input) => {
    const before = states[phase]();
    const { state, effects } = step(before, input, now);
    expect([state.phase, shown(effects)]).toEqual(table[phase][input.kind]);
    // Late inputs change nothing but the phase.
    if (phase === 'closing' || phase === 'closed') expect({ ...state, phase }).toEqual(before);
  });
});

describe('time', () => {
  const idle = () => openConnection({ ...base, position: 10, mark: 10, head: 10 }, now);

  test('an idle connection beats and looks at the log every 25 s', () => {
    expect(nextTickAt(idle())).toBe(now + 25_000);
    const { state, effects } = step(idle(), { kind: 'tick', head: 10 }, now + 25_000);
    expect(shown(effects)).toBe('ping send:heartbeat read');
    expect(nextTickAt(state)).toBe(now + 50_000);
  });

  test('a ping in the buffer is no proof; ten seconds without pong after it left are', () => {
    const pinged = step(idle(), { kind: 'tick', head: 10 }, now + 25_000).state;
    expect(step(pinged, { kind: 'tick', head: 10 }, now + 49_000).state.phase).toBe('open');
    const left = step(pinged, { kind: 'pingFlushed' }, now + 30_000).state;
    expect(nextTickAt(left)).toBe(now + 40_000);
    expect(step(left, { kind: 'tick', head: 10 }, now + 39_999).state.phase).toBe('open');
    expect(shown(step(left, { kind: 'tick', head: 10 }, now + 40_000).effects)).toContain(
      'close:no_progress',
    );
    const answered = step(left, { kind: 'pong' }, now + 31_000).state;
    expect(step(answered, { kind: 'tick', head: 10 }, now + 40_000).state.phase).toBe('open');
  });

  test('60 s without progress end it; an acknowledgement starts them anew; nothing outstanding needs none', () => {
    const tickAt = (state: ConnectionState, at: number) => step(state, { kind: 'tick', head: 20 }, now + at);
    expect(tickAt(openState(), 59_999).state.phase).toBe('open');
    expect(shown(tickAt(openState(), 60_000).effects)).toContain('close:no_progress');
    const acked = step(openState(), { kind: 'ack', seq: 12 }, now + 30_000).state;
    expect(tickAt(acked, 89_999).state.phase).toBe('open');
    expect(tickAt(acked, 90_000).state.phase).toBe('closing');
    const done = step(openState(), { kind: 'ack', seq: 13 }, now + 30_000).state;
    expect(tickAt(done, 500_000).state.phase).toBe('open');
  });

  test('a repeated acknowledgement is no progress', () => {
    const { state, effects } = step(openState(), { kind: 'ack', seq: 11 }, now + 30_000);
    expect(effects).toEqual([]);
    expect(state).toEqual(openState());
  });

  test('draining ends at its date', () => {
    const draining = states.draining();
    expect(nextTickAt(draining)).toBe(now + 500);
    const { state, effects } = step(draining, { kind: 'tick', head: 20 }, now + 500);
    expect([state.phase, shown(effects)]).toEqual(['closing', 'persistFinal close:restart']);
    expect(allowance(draining)).toBe(0);
  });
});

describe('what is left to do', () => {
  const tick = (state: ConnectionState, at: number) =>
    step(step(state, { kind: 'tick', head: 20 }, now + at).state, { kind: 'pong' }, now + at).state;

  test('an open connection may send what its window has room for, any other nothing', () => {
    expect(phases.map((phase) => allowance(states[phase]()))).toEqual([2, 0, 0, 0]);
  });

  // Woken later, it would be closed later than the protocol says; woken without need, each one costs a timer.
  test('it looks for itself when it would be stuck, and not when nothing is outstanding', () => {
    const waiting = tick(tick(openState(), 25_000), 50_000);
    expect(nextTickAt(waiting)).toBe(now + 60_000);
    const done = step(waiting, { kind: 'ack', seq: 13 }, now + 50_000).state;
    expect(nextTickAt(done)).toBe(now + 75_000);
    expect([nextTickAt(states.closing()), nextTickAt(states.closed())]).toEqual([Infinity, Infinity]);
  });

  test('the wait for progress begins with the first event that is outstanding, no earlier and no later', () => {
    const sent = (state: ConnectionState, seqs: readonly number[], at: number) =>
      step(state, { kind: 'sent', seqs, through: at, head: 20, oldest: null }, now + at).state;
    const fresh = openConnection({ ...base, position: 0, mark: 0, head: 20 }, now);
    const quiet = sent(fresh, [], 1);
    expect(quiet).toMatchObject({ progressAt: now, lastSentAt: now });
    const first = sent(quiet, [2], 2);
    expect(first).toMatchObject({ progressAt: now + 2, lastSentAt: now + 2 });
    expect(sent(first, [3], 3)).toMatchObject({ progressAt: now + 2, lastSentAt: now + 3 });
    expect(sent(first, [], 4)).toMatchObject({ progressAt: now + 2, lastSentAt: now + 2 });
  });
});

// Whoever is closed is told why in words; the codes alone are the same for many reasons.
test.for([
  [openState, { kind: 'ack', seq: 14 }, 'ack beyond what was sent to this consumer'],
  [states.open, inputs.takeover, 'a newer connection of this consumer took over'],
  [states.open, inputs.abort, 'm'],
] as const)('the end is told twice, in a frame and with the close: %#', ([before, input, message]) => {
  const { effects } = step(before(), input, now);
  const [frame, , close] = effects;
  const reason = close?.kind === 'close' ? close.reason : undefined;
  expect(frame).toEqual({ kind: 'send', frame: { type: 'error', reason, message } });
  expect(close).toEqual({ kind: 'close', reason, message });
});

test('ends that time brings say which they are', () => {
  const messageAt = (state: ConnectionState, at: number) =>
    step(state, { kind: 'tick', head: 20 }, now + at).effects.find(({ kind }) => kind === 'close');
  expect(messageAt(openState(), 60_000)).toMatchObject({
    message: 'events are outstanding and nothing was acknowledged for 60 s',
  });
  const pinged = step(openState(), { kind: 'tick', head: 20 }, now + 25_000).state;
  const left = step(pinged, { kind: 'pingFlushed' }, now + 25_000).state;
  expect(messageAt(left, 35_000)).toMatchObject({ message: 'no pong' });
  expect(messageAt(states.draining(), 500)).toMatchObject({ message: 'restart' });
});

describe('positions', () => {
  test('an acknowledgement beyond what was sent is malformed, one of the connection before is not', () => {
    expect(step(openState(), { kind: 'ack', seq: 14 }, now).state.phase).toBe('closing');
    const resumed = openConnection({ ...base, attempt: 2, position: 10, mark: 15, head: 20 }, now);
    const { state } = step(resumed, { kind: 'ack', seq: 15 }, now);
    expect(state).toMatchObject({ phase: 'open', acked: 15, through: 15 });
    expect(step(resumed, { kind: 'ack', seq: 16 }, now).state.phase).toBe('closing');
  });

  test('with nothing outstanding the position follows the reader', () => {
    const fresh = openConnection({ ...base, position: 10, mark: 10, head: 10 }, now);
    const { state } = step(fresh, { kind: 'sent', seqs: [], through: 40, head: 40, oldest: null }, now);
    expect(positionOf(state)).toEqual({ ackedSeq: 40, sentSeq: 40, attempt: 1 });
    const acked = step(openState(), { kind: 'ack', seq: 13 }, now).state;
    expect(acked).toMatchObject({ acked: 13, window: { seqs: [], from: 0 } });
  });

  test('the last acknowledgement takes along what was passed over behind it', () => {
    const input = { kind: 'sent', seqs: [], through: 17, head: 20, oldest: null } as const;
    const passed = step(openState(), input, now).state;
    expect(step(passed, { kind: 'ack', seq: 12 }, now).state.acked).toBe(12);
    expect(step(passed, { kind: 'ack', seq: 13 }, now).state.acked).toBe(17);
  });

  test('a read that brought nothing is not written down', () => {
    const input = { kind: 'sent', seqs: [], through: 13, head: 20, oldest: null } as const;
    expect(step(openState(), input, now).effects).toEqual([]);
  });

  test('a full window asks for a read once there is room', () => {
    const full = step(
      openState(),
      { kind: 'sent', seqs: [14, 15], through: 15, head: 20, oldest: null },
      now,
    ).state;
    expect(allowance(full)).toBe(0);
    expect(shown(step(full, { kind: 'ack', seq: 12 }, now).effects)).toBe('dirty read');
    // Whoever drains reads nothing more.
    const draining = step(full, inputs.drain, now).state;
    expect(shown(step(draining, { kind: 'ack', seq: 12 }, now).effects)).toBe('dirty');
  });

  test('auto: what the kernel has is done', () => {
    const auto = { ...openState(), ackMode: 'auto' } as const;
    const { state, effects } = step(auto, { kind: 'flushed', through: 13 }, now);
    expect(state.acked).toBe(13);
    expect(shown(effects)).toBe('dirty');
    // Said of a frame that is not an event, it is no word about events that were not sent.
    expect(step(auto, { kind: 'flushed', through: 99 }, now).state.acked).toBe(13);
  });

  test('the attempt is raised up to the mark, and starts over behind it', () => {
    const row = { ackedSeq: 10, sentSeq: 14, attempt: 2 };
    const clean = resumeFrom(row, { wasOpen: false, head: 20, position: 10 });
    expect(clean).toEqual({ mark: 14, attempt: 3 });
    expect(resumeFrom(row, { wasOpen: true, head: 20, position: 10 })).toEqual({ mark: 20, attempt: 3 });
    // Moved ahead of everything that was sent: nothing comes twice.
    expect(resumeFrom(row, { wasOpen: false, head: 20, position: 14 })).toEqual({ mark: 14, attempt: 1 });
    // Moved back behind the acknowledged position: all of it comes again.
    expect(
      resumeFrom({ ackedSeq: 14, sentSeq: 14, attempt: 1 }, { wasOpen: false, head: 20, position: 2 }),
    ).toEqual({
      mark: 14,
      attempt: 2,
    });
    const state = openConnection({ ...base, ...clean, position: 10, head: 20 }, now);
    expect([attemptOf(state, 14), attemptOf(state, 15)]).toEqual([3, 1]);
    expect(positionOf(state)).toEqual({ ackedSeq: 10, sentSeq: 14, attempt: 3 });
    const acked = step(state, { kind: 'ack', seq: 14 }, now).state;
    expect(positionOf(acked)).toEqual({ ackedSeq: 14, sentSeq: 14, attempt: 1 });
  });
});

describe('lag', () => {
  const sent = (age: number): Input => ({
    kind: 'sent',
    seqs: [11],
    through: 11,
    head: 20,
    oldest: { seq: 11, receivedAt: now - age, retentionMs: 1_000 },
  });
  const fresh = () => openConnection({ ...base, position: 10, mark: 10, head: 20 }, now);
  const sample = { seq: 11, receivedAt: now - 800, retentionMs: 1_000 };

  test.for([
    [499, 0],
    [500, 1],
    [800, 2],
    [950, 3],
    [5_000, 3],
  ])('at age %i of 1000 the level is %i', ([age = 0, level = 0]) => {
    const { state, effects } = step(fresh(), sent(age), now);
    expect(state.lagLevel).toBe(level);
    expect(shown(effects)).toBe(level > 0 ? 'dirty send:lag' : 'dirty');
  });

  test('each threshold is told once, also when the event merely ages', () => {
    const first = step(fresh(), sent(600), now).state;
    expect(shown(step(first, { kind: 'tick', head: 20 }, now + 100).effects)).toBe('');
    const { state, effects } = step(first, { kind: 'tick', head: 25 }, now + 200);
    expect(effects).toEqual([
      { kind: 'send', frame: { type: 'lag', behind_events: 15, behind_ms: 800, floor_in_ms: 200 } },
    ]);
    const caughtUp = step(
      step(state, { kind: 'ack', seq: 11 }, now).state,
      { kind: 'sent', seqs: [], through: 25, head: 25, oldest: null },
      now,
    ).state;
    expect(caughtUp.lagLevel).toBe(0);
  });

  test('is measured from what is oldest until that is acknowledged, and forgotten only once all is read and done', () => {
    const lagging = step(fresh(), { ...inputs.sent, seqs: [11, 12], oldest: sample }, now).state;
    expect(lagging).toMatchObject({ lagLevel: 2, oldest: sample });
    expect(step({ ...lagging, oldest: null }, { kind: 'ack', seq: 11 }, now).state.oldest).toBeNull();
    const later = { ...lagging, oldest: { ...sample, seq: 12 } };
    expect(step(later, { kind: 'ack', seq: 11 }, now).state.oldest).toEqual({ ...sample, seq: 12 });
    expect(step(later, { kind: 'ack', seq: 12 }, now).state.oldest).toBeNull();
    // All is read, not all is done.
    const read = { kind: 'sent', seqs: [], through: 20, head: 20, oldest: null } as const;
    expect(step(lagging, read, now).state).toMatchObject({ lagLevel: 2, oldest: sample });
    // All is done, not all is read.
    const done = step(lagging, { kind: 'ack', seq: 12 }, now).state;
    expect(step(done, { ...read, through: 16 }, now).state.lagLevel).toBe(2);
    expect(step(done, read, now).state).toMatchObject({ lagLevel: 0, oldest: null });
  });
});

test('whatever comes in whatever order: the window holds, positions never go back, an end is saved once', () => {
  const anyInput = fc.oneof(
    fc.record({ kind: fc.constant('ack' as const), seq: fc.nat(60) }),
    fc.record({ kind: fc.constant('sent' as const), count: fc.nat(4), skip: fc.nat(3) }),
    fc.constantFrom(...Object.values(inputs).filter(({ kind }) => kind !== 'sent' && kind !== 'ack')),
  );
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 60 }), (sequence) => {
      let state = openConnection({ ...base, position: 10, mark: 14, attempt: 2, head: 100 }, now);
      let finals = 0;
      for (const item of sequence) {
        const count = 'count' in item ? Math.min(item.count, allowance(state)) : 0;
        const seqs = Array.from({ length: count }, (_, at) => state.through + 1 + at);
        const input: Input =
          'count' in item
            ? { kind: 'sent', seqs, through: state.through + count + item.skip, head: 100, oldest: null }
            : item;
        const before = state;
        const next = step(state, input, now);
        state = next.state;
        finals += next.effects.filter(({ kind }) => kind === 'persistFinal').length;
        expect(windowSize(state.window)).toBeLessThanOrEqual(state.maxInFlight);
        expect(state.acked).toBeGreaterThanOrEqual(before.acked);
        expect(state.through).toBeGreaterThanOrEqual(state.acked);
        const row = positionOf(state);
        expect(row.sentSeq).toBeGreaterThanOrEqual(row.ackedSeq);
        if (windowSize(state.window) > 0)
          expect(state.window.seqs[state.window.from]).toBeGreaterThan(state.acked);
      }
      expect(finals).toBeLessThanOrEqual(1);
      if (state.phase === 'closing' || state.phase === 'closed') expect(finals).toBe(1);
    }),
  );
});
