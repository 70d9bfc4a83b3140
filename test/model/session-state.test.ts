// The session's decisions as a total table: every situation against every input. A cell that is missing does not
// compile. It must never open a socket or read a clock.
import { describe, expect, it } from 'vitest';
import {
  sessionPhases,
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
const timers: readonly SessionTimer[] = ['handshake', 'welcome', 'keepalive', 'handover', 'retry'];

/** Each phase, and handing_over also as it is while no next socket exists. */
type Situation = SessionPhase | 'handing_over, between tries' | 'handing_over, url dead';
type Sender = 'current' | 'next' | 'stale';
type InputName =
  | `opened by ${Sender}`
  | `welcome on ${Sender}`
  | `frame on ${Sender}`
  | `reconnect on ${Sender}`
  | `${Sender} closed`
  | 'next closed with 4007'
  | `${Exclude<SessionTimer, 'keepalive'>} timeout`
  | 'keepalive timeout, silent'
  | 'keepalive timeout, not silent'
  | 'stop';
/** The next phase, then the effects in their order. */
type Cell = readonly [SessionPhase, ...string[]];

const fresh: SessionState = {
  phase: 'connecting',
  current: 1,
  next: null,
  lastSocket: 1,
  keepaliveMs: 0,
  lastFrameAt: null,
  url: null,
};
const live: SessionState = {
  ...fresh,
  phase: 'live',
  current: 3,
  lastSocket: 3,
  keepaliveMs: 10_000,
  lastFrameAt: at,
};
const handingOver: SessionState = {
  ...live,
  phase: 'handing_over',
  next: 4,
  lastSocket: 4,
  url: 'wss://next',
};

const situations: Record<Situation, SessionState> = {
  connecting: fresh,
  welcoming: { ...fresh, phase: 'welcoming' },
  live,
  handing_over: handingOver,
  'handing_over, between tries': { ...handingOver, next: null },
  'handing_over, url dead': { ...handingOver, next: null, url: null },
  orphaned: { ...handingOver, phase: 'orphaned', current: null },
  ended: { ...live, phase: 'ended', current: null },
};

/** A sender that the situation lacks is a socket that nobody refers to any more. */
function socketOf(state: SessionState, sender: Sender): number {
  const known = { current: state.current, next: state.next, stale: null }[sender];
  return known ?? 99;
}

function inputOf(name: InputName, state: SessionState): SessionInput {
  const [, sender] = /\b(current|next|stale)\b/.exec(name) ?? [];
  const socket = sender === 'current' || sender === 'next' ? socketOf(state, sender) : 99;
  if (name.startsWith('opened')) return { type: 'opened', socket };
  if (name.startsWith('welcome on'))
    return { type: 'welcome', socket, sessionId: 'b', keepaliveMs: 30_000, at: at + 1 };
  if (name.startsWith('frame')) return { type: 'frame', socket, at: at + 1 };
  if (name.startsWith('reconnect')) return { type: 'reconnect', socket, url: 'wss://other', at: at + 1 };
  if (name === 'next closed with 4007') return { type: 'closed', socket, code: 4007 };
  if (name.endsWith('closed')) return { type: 'closed', socket, code: 1006 };
  const timer = timers.find((each) => name.startsWith(`${each} timeout`));
  const silent = name === 'keepalive timeout, silent';
  return timer ? { type: 'timeout', timer, at: at + (silent ? 12_000 : 11_999) } : { type: 'stop' };
}

function show(effect: SessionEffect): string {
  switch (effect.do) {
    case 'open':
      return `open ${effect.socket} ${effect.url ?? 'base'}`;
    case 'close':
    case 'retire':
      return `${effect.do} ${effect.socket}`;
    case 'arm':
      return `arm ${effect.timer} ${effect.ms}`;
    case 'disarm':
      return `disarm ${effect.timer}`;
    case 'ready':
      return `ready ${effect.sessionId}`;
    case 'handed_over':
      return `handed_over ${effect.sessionId} ${effect.gapFrom === null ? 'no gap' : 'gap'}`;
    case 'end':
      return `end ${effect.end.cause}`;
  }
}

const table = {
  connecting: {
    'opened by current': ['welcoming', 'disarm handshake', 'arm welcome 15000'],
    'welcome on current': ['live', 'disarm handshake', 'disarm welcome', 'arm keepalive 32000', 'ready b'],
    'frame on current': ['connecting'],
    'reconnect on current': ['connecting'],
    'current closed': ['ended', 'end connect_failed'],
    'opened by next': ['connecting'],
    'welcome on next': ['connecting'],
    'frame on next': ['connecting'],
    'reconnect on next': ['connecting'],
    'next closed': ['connecting'],
    'opened by stale': ['connecting'],
    'welcome on stale': ['connecting'],
    'frame on stale': ['connecting'],
    'reconnect on stale': ['connecting'],
    'stale closed': ['connecting'],
    'next closed with 4007': ['connecting'],
    'handshake timeout': ['ended', 'end handshake_timeout'],
    'welcome timeout': ['connecting'],
    'handover timeout': ['connecting'],
    'retry timeout': ['connecting'],
    'keepalive timeout, silent': ['connecting'],
    'keepalive timeout, not silent': ['connecting'],
    stop: ['ended', 'end stopped'],
  },
  welcoming: {
    'opened by current': ['welcoming'],
    'welcome on current': ['live', 'disarm handshake', 'disarm welcome', 'arm keepalive 32000', 'ready b'],
    'frame on current': ['welcoming'],
    'reconnect on current': ['welcoming'],
    'current closed': ['ended', 'end connect_failed'],
    'opened by next': ['welcoming'],
    'welcome on next': ['welcoming'],
    'frame on next': ['welcoming'],
    'reconnect on next': ['welcoming'],
    'next closed': ['welcoming'],
    'opened by stale': ['welcoming'],
    'welcome on stale': ['welcoming'],
    'frame on stale': ['welcoming'],
    'reconnect on stale': ['welcoming'],
    'stale closed': ['welcoming'],
    'next closed with 4007': ['welcoming'],
    'handshake timeout': ['welcoming'],
    'welcome timeout': ['ended', 'end welcome_timeout'],
    'handover timeout': ['welcoming'],
    'retry timeout': ['welcoming'],
    'keepalive timeout, silent': ['welcoming'],
    'keepalive timeout, not silent': ['welcoming'],
    stop: ['ended', 'end stopped'],
  },
  live: {
    'opened by current': ['live'],
    'welcome on current': ['live'],
    'frame on current': ['live'],
    'reconnect on current': [
      'handing_over',
      'arm handover 25000',
      'open 4 wss://other',
      'arm handshake 10000',
    ],
    'current closed': ['ended', 'end closed'],
    'opened by next': ['live'],
    'welcome on next': ['live'],
    'frame on next': ['live'],
    'reconnect on next': ['live'],
    'next closed': ['live'],
    'opened by stale': ['live'],
    'welcome on stale': ['live'],
    'frame on stale': ['live'],
    'reconnect on stale': ['live'],
    'stale closed': ['live'],
    'next closed with 4007': ['live'],
    'handshake timeout': ['live'],
    'welcome timeout': ['live'],
    'handover timeout': ['live'],
    'retry timeout': ['live'],
    'keepalive timeout, silent': ['ended', 'end silence'],
    'keepalive timeout, not silent': ['live', 'arm keepalive 1'],
    stop: ['ended', 'end stopped'],
  },
  handing_over: {
    'opened by current': ['handing_over'],
    'welcome on current': ['handing_over'],
    'frame on current': ['handing_over'],
    'reconnect on current': [
      'handing_over',
      'close 4',
      'disarm welcome',
      'disarm retry',
      'arm handover 25000',
      'open 5 wss://other',
      'arm handshake 10000',
    ],
    'current closed': ['orphaned', 'disarm keepalive', 'disarm retry'],
    'opened by next': ['handing_over', 'disarm handshake', 'arm welcome 15000'],
    'welcome on next': [
      'live',
      'disarm handshake',
      'disarm welcome',
      'disarm handover',
      'retire 3',
      'arm keepalive 32000',
      'handed_over b no gap',
    ],
    'frame on next': ['handing_over'],
    'reconnect on next': ['handing_over'],
    'next closed': ['handing_over', 'disarm handshake', 'disarm welcome', 'arm retry 1000'],
    'opened by stale': ['handing_over'],
    'welcome on stale': ['handing_over'],
    'frame on stale': ['handing_over'],
    'reconnect on stale': ['handing_over'],
    'stale closed': ['handing_over'],
    'next closed with 4007': ['handing_over', 'disarm handshake', 'disarm welcome'],
    'handshake timeout': ['handing_over', 'close 4', 'disarm handshake', 'disarm welcome', 'arm retry 1000'],
    'welcome timeout': ['handing_over', 'close 4', 'disarm handshake', 'disarm welcome', 'arm retry 1000'],
    'handover timeout': ['ended', 'end handover_failed'],
    'retry timeout': ['handing_over'],
    'keepalive timeout, silent': ['orphaned', 'close 3', 'disarm keepalive', 'disarm retry'],
    'keepalive timeout, not silent': ['handing_over', 'arm keepalive 1'],
    stop: ['ended', 'end stopped'],
  },
  'handing_over, between tries': {
    'opened by current': ['handing_over'],
    'welcome on current': ['handing_over'],
    'frame on current': ['handing_over'],
    'reconnect on current': [
      'handing_over',
      'disarm welcome',
      'disarm retry',
      'arm handover 25000',
      'open 5 wss://other',
      'arm handshake 10000',
    ],
    'current closed': ['ended', 'end closed'],
    'opened by next': ['handing_over'],
    'welcome on next': ['handing_over'],
    'frame on next': ['handing_over'],
    'reconnect on next': ['handing_over'],
    'next closed': ['handing_over'],
    'opened by stale': ['handing_over'],
    'welcome on stale': ['handing_over'],
    'frame on stale': ['handing_over'],
    'reconnect on stale': ['handing_over'],
    'stale closed': ['handing_over'],
    'next closed with 4007': ['handing_over'],
    'handshake timeout': ['handing_over'],
    'welcome timeout': ['handing_over'],
    'handover timeout': ['ended', 'end handover_failed'],
    'retry timeout': ['handing_over', 'open 5 wss://next', 'arm handshake 10000'],
    'keepalive timeout, silent': ['ended', 'close 3', 'end silence'],
    'keepalive timeout, not silent': ['handing_over', 'arm keepalive 1'],
    stop: ['ended', 'end stopped'],
  },
  'handing_over, url dead': {
    'opened by current': ['handing_over'],
    'welcome on current': ['handing_over'],
    'frame on current': ['handing_over'],
    'reconnect on current': [
      'handing_over',
      'disarm welcome',
      'disarm retry',
      'arm handover 25000',
      'open 5 wss://other',
      'arm handshake 10000',
    ],
    'current closed': ['ended', 'end handover_failed'],
    'opened by next': ['handing_over'],
    'welcome on next': ['handing_over'],
    'frame on next': ['handing_over'],
    'reconnect on next': ['handing_over'],
    'next closed': ['handing_over'],
    'opened by stale': ['handing_over'],
    'welcome on stale': ['handing_over'],
    'frame on stale': ['handing_over'],
    'reconnect on stale': ['handing_over'],
    'stale closed': ['handing_over'],
    'next closed with 4007': ['handing_over'],
    'handshake timeout': ['handing_over'],
    'welcome timeout': ['handing_over'],
    'handover timeout': ['ended', 'end handover_failed'],
    'retry timeout': ['handing_over'],
    'keepalive timeout, silent': ['ended', 'close 3', 'end handover_failed'],
    'keepalive timeout, not silent': ['handing_over', 'arm keepalive 1'],
    stop: ['ended', 'end stopped'],
  },
  orphaned: {
    'opened by current': ['orphaned'],
    'welcome on current': ['orphaned'],
    'frame on current': ['orphaned'],
    'reconnect on current': ['orphaned'],
    'current closed': ['orphaned'],
    'opened by next': ['orphaned', 'disarm handshake', 'arm welcome 15000'],
    'welcome on next': [
      'live',
      'disarm handshake',
      'disarm welcome',
      'disarm handover',
      'arm keepalive 32000',
      'handed_over b gap',
    ],
    'frame on next': ['orphaned'],
    'reconnect on next': ['orphaned'],
    'next closed': ['ended', 'end handover_failed'],
    'opened by stale': ['orphaned'],
    'welcome on stale': ['orphaned'],
    'frame on stale': ['orphaned'],
    'reconnect on stale': ['orphaned'],
    'stale closed': ['orphaned'],
    'next closed with 4007': ['ended', 'end handover_failed'],
    'handshake timeout': ['ended', 'end handover_failed'],
    'welcome timeout': ['ended', 'end handover_failed'],
    'handover timeout': ['ended', 'end handover_failed'],
    'retry timeout': ['orphaned'],
    'keepalive timeout, silent': ['orphaned'],
    'keepalive timeout, not silent': ['orphaned'],
    stop: ['ended', 'end stopped'],
  },
  ended: {
    'opened by current': ['ended'],
    'welcome on current': ['ended'],
    'frame on current': ['ended'],
    'reconnect on current': ['ended'],
    'current closed': ['ended'],
    'opened by next': ['ended'],
    'welcome on next': ['ended'],
    'frame on next': ['ended'],
    'reconnect on next': ['ended'],
    'next closed': ['ended'],
    'opened by stale': ['ended'],
    'welcome on stale': ['ended'],
    'frame on stale': ['ended'],
    'reconnect on stale': ['ended'],
    'stale closed': ['ended'],
    'next closed with 4007': ['ended'],
    'handshake timeout': ['ended'],
    'welcome timeout': ['ended'],
    'handover timeout': ['ended'],
    'retry timeout': ['ended'],
    'keepalive timeout, silent': ['ended'],
    'keepalive timeout, not silent': ['ended'],
    stop: ['ended'],
  },
} satisfies Record<Situation, Record<InputName, Cell>>;

const names = <K extends string>(record: Record<K, unknown>): K[] => Object.keys(record) as K[];

describe('the table', () => {
  for (const situation of names(table)) {
    it.each(names(table[situation]))(`${situation}: %s`, (name) => {
      const state = situations[situation];
      const step = stepSession(state, inputOf(name, state), limits);
      expect([step.state.phase, ...step.effects.map(show)]).toEqual(table[situation][name]);
    });
  }

  it('has a row for every phase', () => {
    expect(names(table)).toEqual(expect.arrayContaining([...sessionPhases]));
  });
});

describe('details of the moves', () => {
  it('begins with one socket to the base URL, and not without a deadline', () => {
    expect(startSession(limits)).toEqual({
      state: fresh,
      effects: [
        { do: 'open', socket: 1, url: null },
        { do: 'arm', timer: 'handshake', ms: 10_000 },
      ],
    });
  });

  // A stray frame taken for a sign of life would hide that the socket that delivers is dead.
  it.each([live, handingOver])('hears the socket that delivers, and no other: $phase', (state) => {
    const heard = (name: InputName) => stepSession(state, inputOf(name, state), limits).state.lastFrameAt;
    for (const from of ['frame on current', 'welcome on current', 'reconnect on current'] as const)
      expect(heard(from)).toBe(at + 1);
    for (const from of ['frame on next', 'frame on stale', 'welcome on stale', 'reconnect on stale'] as const)
      expect(heard(from)).toBe(at);
  });

  it('remembers the last frame of the live session in its end, and null if it never was live', () => {
    const died = stepSession({ ...live, lastFrameAt: 7 }, { type: 'closed', socket: 3, code: 4003 }, limits);
    expect(died.effects).toEqual([
      { do: 'end', end: { cause: 'closed', code: 4003, httpStatus: undefined, lastFrameAt: 7 } },
    ]);
    const refused = stepSession(fresh, { type: 'closed', socket: 1, code: 1006, httpStatus: 503 }, limits);
    expect(refused.effects).toEqual([
      { do: 'end', end: { cause: 'connect_failed', code: 1006, httpStatus: 503, lastFrameAt: null } },
    ]);
  });

  it('takes a gap from the last frame when the old socket died first', () => {
    const orphan = stepSession(handingOver, { type: 'closed', socket: 3, code: 1006 }, limits).state;
    const step = stepSession(orphan, inputOf('welcome on next', orphan), limits);
    expect(step.effects).toContainEqual({ do: 'handed_over', sessionId: 'b', gapFrom: at });
    expect(step.state).toMatchObject({ current: 4, next: null, url: null, keepaliveMs: 30_000 });
  });

  it('counts anew when the clock has jumped backwards, instead of waiting for it to catch up', () => {
    const step = stepSession(live, { type: 'timeout', timer: 'keepalive', at: at - 3_600_000 }, limits);
    expect(step.state.lastFrameAt).toBe(at - 3_600_000);
    expect(step.effects).toEqual([{ do: 'arm', timer: 'keepalive', ms: 12_000 }]);
  });
});
