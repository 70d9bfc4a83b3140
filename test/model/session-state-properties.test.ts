// What must hold of the session's decisions over any sequence of inputs whatever: nothing leaks, nothing hangs, nothing
// storms. It must never open a socket or read a clock.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  startSession,
  stepSession,
  type SessionEffect,
  type SessionInput,
  type SessionPhase,
  type SessionState,
  type SessionTimer,
} from '../../src/upstream/twitch/session-state.ts';

const limits = {
  handshakeMs: 10_000,
  welcomeMs: 15_000,
  keepaliveGraceMs: 2_000,
  handoverMs: 25_000,
  handoverRetryMs: 1_000,
};
const at = 1_000_000;

type Sender = 'current' | 'next' | 'stale';

/** A sender that the state lacks is a socket that nobody refers to any more. */
const socketOf = (state: SessionState, sender: Sender): number =>
  ({ current: state.current, next: state.next, stale: null })[sender] ?? 99;

/** What the shell would hold: sockets that it has not been told to close, timers that are armed. */
class Shell {
  state: SessionState;
  readonly open = new Set<number>();
  readonly timers = new Map<SessionTimer, number>();
  readonly log: { input: SessionInput | 'start'; effects: readonly SessionEffect[] }[] = [];

  constructor() {
    const first = startSession(limits);
    this.state = first.state;
    this.#perform('start', first.effects);
  }

  step(input: SessionInput): readonly SessionEffect[] {
    if (input.type === 'timeout') this.timers.delete(input.timer);
    if (input.type === 'closed') this.open.delete(input.socket);
    const step = stepSession(this.state, input, limits);
    this.state = step.state;
    this.#perform(input, step.effects);
    return step.effects;
  }

  #perform(input: SessionInput | 'start', effects: readonly SessionEffect[]): void {
    this.log.push({ input, effects });
    for (const effect of effects) {
      if (effect.do === 'open') this.open.add(effect.socket);
      else if (effect.do === 'close' || effect.do === 'retire') this.open.delete(effect.socket);
      else if (effect.do === 'arm') this.timers.set(effect.timer, effect.ms);
      else if (effect.do === 'disarm') this.timers.delete(effect.timer);
      else if (effect.do === 'end') {
        this.open.clear();
        this.timers.clear();
      }
    }
  }
}

type Move = (shell: Shell) => SessionInput | undefined;

const aSender = fc.constantFrom<Sender>('current', 'next', 'stale');
const aTime = fc.integer({ min: at - 20_000, max: at + 60_000 });
const aMove: fc.Arbitrary<Move> = fc.oneof(
  aSender.map((sender): Move => ({ state }) => ({ type: 'opened', socket: socketOf(state, sender) })),
  fc.tuple(aSender, aTime).map(([sender, when]): Move => ({ state }) => ({
    type: 'welcome',
    socket: socketOf(state, sender),
    sessionId: 'x',
    keepaliveMs: 10_000,
    at: when,
  })),
  fc.tuple(aSender, aTime).map(([sender, when]): Move => ({ state }) => ({
    type: 'frame',
    socket: socketOf(state, sender),
    at: when,
  })),
  fc.tuple(aSender, aTime).map(([sender, when]): Move => ({ state }) => ({
    type: 'reconnect',
    socket: socketOf(state, sender),
    url: 'wss://again',
    at: when,
  })),
  fc
    .tuple(aSender, fc.constantFrom(1000, 1006, 4000, 4003, 4004, 4007))
    .map(([sender, code]): Move => ({ state }) => ({
      type: 'closed',
      socket: socketOf(state, sender),
      code,
    })),
  // Only what is armed can fire, the way the shell does it.
  fc.tuple(fc.nat(), aTime).map(([pick, when]): Move => ({ timers }) => {
    const timer = [...timers.keys()][pick % Math.max(1, timers.size)];
    return timer && { type: 'timeout', timer, at: when };
  }),
);
const moves = fc.tuple(fc.array(aMove, { maxLength: 40 }), fc.boolean());

function run(sequence: readonly Move[], stopAtEnd: boolean, look: (shell: Shell) => void): Shell {
  const shell = new Shell();
  look(shell);
  for (const move of sequence) {
    const input = move(shell);
    if (input) shell.step(input);
    look(shell);
  }
  if (stopAtEnd) shell.step({ type: 'stop' });
  look(shell);
  return shell;
}

/** Without one of these the phase could last for ever. */
const guards: Record<SessionPhase, readonly SessionTimer[]> = {
  connecting: ['handshake'],
  welcoming: ['welcome'],
  live: ['keepalive'],
  handing_over: ['keepalive', 'handover'],
  orphaned: ['handover'],
  ended: [],
};

describe('whatever comes', () => {
  it('every socket that is open is the current or the next one, and nothing is open after the end', () => {
    fc.assert(
      fc.property(moves, ([sequence, stop]) => {
        run(sequence, stop, ({ open, state }) => {
          const referred = [state.current, state.next].filter((socket) => socket !== null);
          expect(open.size).toBeLessThanOrEqual(2);
          expect(referred).toEqual(expect.arrayContaining([...open]));
          if (state.phase === 'ended') expect(referred).toEqual([]);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('every phase has the timers that bound it', () => {
    fc.assert(
      fc.property(moves, ([sequence, stop]) => {
        run(sequence, stop, ({ timers, state }) => {
          expect([...timers.keys()]).toEqual(expect.arrayContaining([...guards[state.phase]]));
          if (state.phase === 'ended') expect(timers.size).toBe(0);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('ready comes at most once, the end exactly once after a stop, and nothing after the end', () => {
    fc.assert(
      fc.property(moves, ([sequence, stop]) => {
        const { log } = run(sequence, stop, () => undefined);
        const effects = log.flatMap((entry) => entry.effects);
        const ends = effects.filter((effect) => effect.do === 'end').length;
        expect(effects.filter((effect) => effect.do === 'ready').length).toBeLessThanOrEqual(1);
        expect(ends).toBeLessThanOrEqual(1);
        if (stop) expect(ends).toBe(1);
        if (ends === 1) expect(effects.at(-1)?.do).toBe('end');
      }),
      { numRuns: 500 },
    );
  });

  it('a socket is opened only at the start, at the server’s request or when the retry timer fires, and watched', () => {
    fc.assert(
      fc.property(moves, ([sequence, stop]) => {
        const { log } = run(sequence, stop, () => undefined);
        for (const { input, effects } of log) {
          const opens = effects.filter((effect) => effect.do === 'open');
          if (opens.length === 0) continue;
          const why = input === 'start' ? input : input.type === 'timeout' ? input.timer : input.type;
          expect(['start', 'reconnect', 'retry']).toContain(why);
          expect(opens).toHaveLength(1);
          expect(effects.at(-1)).toEqual({ do: 'arm', timer: 'handshake', ms: limits.handshakeMs });
        }
        for (const effect of log.flatMap((entry) => entry.effects))
          if (effect.do === 'arm' && effect.timer === 'retry')
            expect(effect.ms).toBeGreaterThanOrEqual(1_000);
      }),
      { numRuns: 500 },
    );
  });

  it('the close of a socket that nobody refers to changes nothing', () => {
    fc.assert(
      fc.property(moves, ([sequence]) => {
        const { state } = run(sequence, false, () => undefined);
        expect(stepSession(state, { type: 'closed', socket: 99, code: 4007 }, limits)).toEqual({
          state,
          effects: [],
        });
      }),
      { numRuns: 300 },
    );
  });
});
