// The session and the slot on real sockets against Twitch's stand-in: every way in which a session begins, moves on and
// ends. Only time is pushed forward. It must never leave a timer or a socket behind.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cancel } from '../../src/runtime/clock.ts';
import { runSession, type Session } from '../../src/upstream/twitch/session.ts';
import type { SessionEnd } from '../../src/upstream/twitch/session-state.ts';
import { Slot } from '../../src/upstream/twitch/slot.ts';
import { defaultTimings, type Timings } from '../../src/upstream/twitch/timings.ts';
import type { UpstreamFrame } from '../../src/upstream/twitch/frames.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { ShiftClock } from '../support/shift-clock.ts';

const userId = '1001';

let sim: Simulator;
/** Remembers which deadlines were ever armed, since our side of a socket cannot be seen otherwise. */
class NotingClock extends ShiftClock {
  readonly armed: number[] = [];

  override after(delayMs: number, fn: () => void): Cancel {
    this.armed.push(delayMs);
    return super.after(delayMs, fn);
  }
}

let clock: NotingClock;
let cleanUp: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  sim = await startSimulator({ seed: 5 });
  sim.addUser({ id: userId, login: 'relaybot' });
  clock = new NotingClock();
});

afterEach(async () => {
  for (const end of cleanUp.toReversed()) await end();
  cleanUp = [];
  await sim.close();
});

interface Watched {
  session: Session;
  stop: AbortController;
  ready: string[];
  handedOver: { sessionId: string; gapFrom: number | null }[];
  messages: string[];
  revoked: string[];
  odd: { kind: string; coveredTo: number | null }[];
  end: SessionEnd | undefined;
}

function watch(url = sim.eventSubUrl, timings: Partial<Timings> = {}): Watched {
  const stop = new AbortController();
  const seen: Omit<Watched, 'session'> = {
    stop,
    ready: [],
    handedOver: [],
    messages: [],
    revoked: [],
    odd: [],
    end: undefined,
  };
  const session = runSession(
    {
      clock,
      timings: { ...defaultTimings, ...timings },
      url,
      listener: {
        ready: (id) => seen.ready.push(id),
        handedOver: (sessionId, gap) => seen.handedOver.push({ sessionId, gapFrom: gap?.from ?? null }),
        frame: (frame) => {
          if (frame.kind === 'notification') seen.messages.push(frame.messageId);
          if (frame.kind === 'revocation') seen.revoked.push(frame.subscription.status);
        },
        oddFrame: ({ kind }, _at, coveredTo) => seen.odd.push({ kind, coveredTo }),
      },
    },
    stop.signal,
  );
  const watched: Watched = Object.assign(seen, { session });
  void session.ended.then((end) => (watched.end = end));
  cleanUp.push(() => {
    stop.abort();
    return session.ended;
  });
  return watched;
}

/** A live session with one subscription on it. */
async function live(): Promise<Watched & { sessionId: string }> {
  const watched = watch();
  const sessionId = await sim.waitFor(() => watched.ready[0], { what: 'the welcome' });
  sim.plant({ userId, sessionId, type: 'stream.online', condition: { broadcaster_user_id: '7' } });
  return Object.assign(watched, { sessionId });
}

const say = (): string => sim.send('stream.online')[0]?.messageId ?? 'nothing was sent';
const heard = (watched: Watched, id: string) =>
  sim.waitFor(() => watched.messages.includes(id), { what: `message ${id}` });
const openSockets = () =>
  sim.connections.filter(({ closedAt, refusedWith }) => closedAt === null && refusedWith === null);

async function nothingLeft(): Promise<void> {
  await sim.waitFor(() => openSockets().length === 0, { what: 'every socket to close' });
  expect(clock.pending).toBe(0);
}

describe('one session', () => {
  it('is ready with its welcome, delivers, and stops with 1000, leaving nothing', async () => {
    const watched = await live();
    await heard(watched, say());
    expect(watched.ready).toEqual([watched.sessionId]);
    watched.stop.abort();
    const end = await watched.session.ended;
    expect(end).toMatchObject({ cause: 'stopped' });
    expect(end.lastFrameAt).not.toBeNull();
    await nothingLeft();
    expect(sim.connections[0]).toMatchObject({ closeCode: 1000, byClient: true });
  });

  it('covers only up to what the platform had sent, however much later it was read', async () => {
    const watched = await live();
    const [frame] = sim.send('stream.online', {}, undefined, { timestamp: '2020-01-01T00:00:05.000000001Z' });
    await heard(watched, frame?.messageId ?? '');
    // An old stamp (a redelivery) takes nothing back.
    const before = watched.session.coveredTo() ?? 0;
    expect(before).toBeGreaterThan(Date.parse('2020-01-01T00:00:05Z'));
    const [fresh] = sim.send('stream.online');
    await heard(watched, fresh?.messageId ?? '');
    // What left the platform in the same moment, behind this frame, may be lost: the moment is not covered.
    expect(watched.session.coveredTo()).toBeLessThanOrEqual((fresh?.sentAt ?? 0) - 1_000);
    expect(watched.session.lastFrameAt()).toBeGreaterThanOrEqual(fresh?.sentAt ?? Infinity);
    // A clock of ours that is ahead, or a frame that lay in a buffer: the platform's word counts.
    await clock.advance(5_000);
    const [late] = sim.send('stream.online');
    await heard(watched, late?.messageId ?? '');
    expect(watched.session.coveredTo()).toBeLessThanOrEqual((late?.sentAt ?? 0) - 1_000);
    expect(watched.session.lastFrameAt()).toBeGreaterThanOrEqual((late?.sentAt ?? Infinity) + 5_000);
  });

  it('passes a revocation on', async () => {
    const watched = await live();
    sim.revoke(sim.subscriptions()[0]?.id ?? '', 'user_removed');
    await sim.waitFor(() => watched.revoked.length > 0);
    expect(watched.revoked).toEqual(['user_removed']);
  });

  it('stopped before anything was answered, opens nothing that stays', async () => {
    const stop = new AbortController();
    stop.abort();
    const session = runSession(
      {
        clock,
        timings: defaultTimings,
        url: sim.eventSubUrl,
        listener: {
          ready: () => undefined,
          handedOver: () => undefined,
          frame: () => undefined,
          oddFrame: () => undefined,
        },
      },
      stop.signal,
    );
    expect(await session.ended).toMatchObject({ cause: 'stopped', lastFrameAt: null });
    await nothingLeft();
  });

  it.each([1000, 1006, 4000, 4001, 4002, 4003, 4004, 4005, 4006, 4007])(
    'ends when Twitch closes with %i',
    async (code) => {
      const watched = await live();
      if (code === 1006) sim.dropSession(watched.sessionId);
      else sim.closeSession(watched.sessionId, code);
      expect(await watched.session.ended).toMatchObject({ cause: 'closed', code });
      await nothingLeft();
      expect(sim.connections).toHaveLength(1);
    },
  );

  it.each([429, 503])('ends with the status when the upgrade is refused with %i', async (status) => {
    const fault = sim.arm({ name: 'upgrade_refused', status });
    const watched = watch();
    expect(await watched.session.ended).toMatchObject({
      cause: 'connect_failed',
      httpStatus: status,
      lastFrameAt: null,
    });
    expect(fault.fired()).toBe(1);
    await nothingLeft();
  });

  it.each(['ws://127.0.0.1:1/ws', 'ws://127.0.0.1:1/ws#fragment'])(
    'ends when %s cannot be reached',
    async (url) => {
      expect(await watch(url).session.ended).toMatchObject({ cause: 'connect_failed', lastFrameAt: null });
      expect(clock.pending).toBe(0);
    },
  );

  it('gives up on an upgrade that hangs after the handshake deadline', async () => {
    const fault = sim.arm({ name: 'upgrade_hangs' });
    const watched = watch();
    await sim.waitFor(() => fault.fired() === 1);
    await clock.advance(9_500);
    expect(watched.end).toBeUndefined();
    await clock.advance(600);
    expect(await watched.session.ended).toMatchObject({ cause: 'handshake_timeout' });
    await nothingLeft();
  });

  it('gives up on a welcome that never comes', async () => {
    const fault = sim.arm({ name: 'welcome_withheld' });
    const watched = watch();
    await sim.waitFor(() => fault.fired() === 1);
    await sim.waitFor(() => clock.armed.includes(defaultTimings.welcomeMs));
    await clock.advance(15_100);
    expect(await watched.session.ended).toMatchObject({ cause: 'welcome_timeout' });
    await nothingLeft();
  });

  it('reads what came while the process stood still before it calls it silence', async () => {
    await using quick = await startSimulator({ keepaliveSeconds: 0.2 });
    const { session, ready } = watch(quick.eventSubUrl, { keepaliveGraceMs: 100 });
    await quick.waitFor(() => ready[0] !== undefined);
    const metadata = {
      message_id: 'k',
      message_type: 'session_keepalive',
      message_timestamp: new Date().toISOString(),
    };
    quick.sendRaw(ready[0] ?? '', JSON.stringify({ metadata, payload: {} }));
    const stillUntil = Date.now() + 700;
    while (Date.now() < stillUntil);
    let end: SessionEnd | undefined;
    void session.ended.then((how) => (end = how));
    await quick.waitFor(() => end !== undefined || (session.lastFrameAt() ?? 0) >= stillUntil);
    expect(end).toBeUndefined();
  });

  it('takes silence longer than the keepalive and its grace for death', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'keepalive_silence', sessionId: watched.sessionId });
    await clock.advance(11_000);
    expect(watched.end).toBeUndefined();
    await clock.advance(1_100);
    // The peer says nothing to the goodbye either: the socket is destroyed after its grace.
    await clock.advance(2_100);
    expect(await watched.session.ended).toMatchObject({ cause: 'silence' });
    expect(fault.fired()).toBe(1);
    await nothingLeft();
  });

  it('notices silence within the hour, whatever a welcome announces', async () => {
    await using absurd = await startSimulator({ keepaliveSeconds: 1e9 });
    const { ready } = watch(absurd.eventSubUrl);
    await absurd.waitFor(() => ready[0] !== undefined);
    expect(clock.armed).toContain(3_602_000);
  });

  it('is kept alive by any frame', async () => {
    const watched = await live();
    for (let round = 0; round < 3; round++) {
      await clock.advance(8_000);
      await heard(watched, say());
    }
    expect(watched.end).toBeUndefined();
  });

  it('survives malformed, truncated, binary and unknown frames and says where each came', async () => {
    const watched = await live();
    const faults = [
      sim.arm({ name: 'malformed_frame' }),
      sim.arm({ name: 'truncated_frame' }),
      sim.arm({ name: 'unknown_message_type', type: 'constructor' }),
    ];
    await heard(watched, say());
    sim.sendRaw(watched.sessionId, Buffer.from([1, 2, 3]));
    await heard(watched, say());
    expect(faults.map((fault) => fault.fired())).toEqual([1, 1, 1]);
    expect(watched.odd.map((each) => each.kind)).toEqual(['malformed', 'malformed', 'unknown', 'malformed']);
    expect(watched.odd.every((each) => each.coveredTo !== null)).toBe(true);
  });
});

describe('a hand-over', () => {
  it.each([true, false])(
    'loses nothing and closes the old socket itself (same id: %s)',
    async (keepSessionId) => {
      const watched = await live();
      const fault = sim.arm({ name: 'handover_double_delivery' });
      sim.requestReconnect(watched.sessionId, { keepSessionId });
      const before = say();
      await sim.waitFor(() => watched.handedOver.length === 1, { what: 'the hand-over' });
      await heard(watched, before);
      await heard(watched, say());
      expect(watched.handedOver[0]?.gapFrom).toBeNull();
      expect(watched.handedOver[0]?.sessionId === watched.sessionId).toBe(keepSessionId);
      await sim.waitFor(() => openSockets().length === 1);
      expect(sim.connections).toHaveLength(2);
      expect(sim.connections[0]).toMatchObject({ closeCode: 1000, byClient: true });
      expect(fault.fired()).toBeLessThanOrEqual(1);
      expect(sim.subscriptions().map((each) => each.status)).toEqual(['enabled']);
      watched.stop.abort();
      await watched.session.ended;
      await nothingLeft();
    },
  );

  it('reads the old socket on while the new welcome is late', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'handover_welcome_late', delayMs: 200 });
    sim.requestReconnect(watched.sessionId);
    await sim.waitFor(() => fault.fired() === 1);
    const between = say();
    await heard(watched, between);
    expect(watched.handedOver).toEqual([]);
    await sim.waitFor(() => watched.handedOver.length === 1);
    expect(watched.handedOver[0]?.gapFrom).toBeNull();
  });

  it('waits for the next socket when the old one dies, and says since when nobody delivered', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'old_socket_dies_during_handover', delayMs: 150 });
    const coveredTo = watched.session.coveredTo();
    sim.requestReconnect(watched.sessionId);
    await sim.waitFor(() => watched.handedOver.length === 1);
    expect(fault.fired()).toBe(1);
    expect(watched.handedOver[0]?.gapFrom).toBeGreaterThanOrEqual(coveredTo ?? Number.POSITIVE_INFINITY);
    expect(watched.end).toBeUndefined();
    await heard(watched, say());
  });

  it('throws a URL away that was answered with 4007: one try, and the end when the old socket ends', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'reconnect_url_4007' });
    sim.requestReconnect(watched.sessionId, { graceMs: 60_000 });
    await sim.waitFor(() => sim.connections[1]?.closedAt !== null && sim.connections[1] !== undefined);
    await clock.advance(10_000);
    await heard(watched, say());
    expect(sim.connections).toHaveLength(2);
    expect(fault.fired()).toBe(1);
    await clock.advance(9_000);
    await heard(watched, say());
    await clock.advance(9_000);
    expect(await watched.session.ended).toMatchObject({ cause: 'handover_failed' });
    await nothingLeft();
    expect(sim.connections).toHaveLength(2);
  });

  it('tries a refused URL again, once a second and no more, while the old socket lives', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'reconnect_refused', times: 2 });
    sim.requestReconnect(watched.sessionId);
    for (let tries = 1; tries <= 2; tries++) {
      await sim.waitFor(() => fault.fired() === tries);
      await heard(watched, say());
      expect(sim.connections).toHaveLength(1 + tries);
      // The refusal has been read when only retry, keepalive and hand-over are armed.
      await sim.waitFor(() => clock.pending === 3);
      await clock.advance(1_000);
    }
    await sim.waitFor(() => watched.handedOver.length === 1);
    expect(watched.handedOver[0]?.gapFrom).toBeNull();
    expect(sim.connections).toHaveLength(4);
  });

  it('survives a URL that no socket can be made of', async () => {
    const watched = await live();
    const frame = {
      metadata: {
        message_id: 'm',
        message_type: 'session_reconnect',
        message_timestamp: '2026-11-21T03:00:00Z',
      },
      payload: { session: { id: watched.sessionId, reconnect_url: `${sim.eventSubUrl}#fragment` } },
    };
    sim.sendRaw(watched.sessionId, JSON.stringify(frame));
    await heard(watched, say());
    expect(sim.connections).toHaveLength(1);
    expect(watched.end).toBeUndefined();
  });

  it('closes all sockets when it is stopped half-way', async () => {
    const watched = await live();
    const fault = sim.arm({ name: 'welcome_withheld', path: 'reconnect' });
    sim.requestReconnect(watched.sessionId);
    await sim.waitFor(() => fault.fired() === 1);
    watched.stop.abort();
    expect(await watched.session.ended).toMatchObject({ cause: 'stopped' });
    await nothingLeft();
  });
});

describe('a slot', () => {
  interface Noted {
    slot: Slot;
    ready: number;
    handedOver: number;
    lost: { cause: string; retryInMs: number }[];
    frames: UpstreamFrame[];
  }

  function start(): Noted {
    const noted: Omit<Noted, 'slot'> = { ready: 0, handedOver: 0, lost: [], frames: [] };
    const slot = new Slot({
      index: 0,
      url: sim.eventSubUrl,
      clock,
      timings: defaultTimings,
      random: () => 1,
      listener: {
        ready: () => noted.ready++,
        lost: (_slot, end, retryInMs) => noted.lost.push({ cause: end.cause, retryInMs }),
        handedOver: () => noted.handedOver++,
        frame: (frame) => noted.frames.push(frame),
        oddFrame: () => undefined,
      },
    });
    cleanUp.push(() => slot.stop());
    return Object.assign(noted, { slot });
  }

  it('comes back with growing pauses, which only a stable session clears', async () => {
    const noted = start();
    for (const expected of [1_000, 2_000, 4_000]) {
      const count = noted.lost.length + 1;
      await sim.waitFor(() => noted.ready === count, { what: `session ${count}` });
      sim.closeSession(noted.slot.sessionId ?? '', 4003);
      await sim.waitFor(() => noted.lost.length === count);
      expect(noted.lost.at(-1)).toEqual({ cause: 'closed', retryInMs: expected });
      expect(noted.slot.live).toBe(false);
      expect(noted.slot.ids.size).toBe(0);
      await clock.advance(expected);
    }
    await sim.waitFor(() => noted.ready === 4);
    for (let round = 0; round < 4; round++) {
      await clock.advance(8_000);
      const before = noted.slot.lastFrameAt() ?? 0;
      sim.sendRaw(
        noted.slot.sessionId ?? '',
        '{"metadata":{"message_id":"k","message_type":"session_keepalive","message_timestamp":"t"},"payload":{}}',
      );
      await sim.waitFor(() => (noted.slot.lastFrameAt() ?? 0) > before);
    }
    sim.closeSession(noted.slot.sessionId ?? '', 4000);
    await sim.waitFor(() => noted.lost.length === 4);
    expect(noted.lost.at(-1)).toEqual({ cause: 'closed', retryInMs: 0 });
    await sim.waitFor(() => noted.ready === 5);
    expect(sim.connections).toHaveLength(5);
  });

  it('knows every id of its session, across a hand-over', async () => {
    const noted = start();
    await sim.waitFor(() => noted.ready === 1);
    const first = noted.slot.sessionId ?? '';
    sim.requestReconnect(first);
    await sim.waitFor(() => noted.handedOver === 1);
    expect([...noted.slot.ids]).toEqual([first, noted.slot.sessionId]);
    expect(noted.slot.generation).toBe(1);
    expect(noted.slot.reconnects).toBe(1);
  });

  it('abandons only the generation that is meant, and calls it lost, not stopped', async () => {
    const noted = start();
    await sim.waitFor(() => noted.ready === 1);
    noted.slot.abandon(0);
    noted.slot.abandon(1);
    await sim.waitFor(() => noted.lost.length === 1);
    expect(noted.lost).toEqual([{ cause: 'closed', retryInMs: 1_000 }]);
    await clock.advance(1_000);
    await sim.waitFor(() => noted.ready === 2);
    noted.slot.abandon(1);
    expect(noted.slot.live).toBe(true);
  });

  it('stops for good, also in the middle of a pause', async () => {
    const fault = sim.arm({ name: 'upgrade_refused', status: 503, times: 50 });
    const noted = start();
    await sim.waitFor(() => noted.lost.length === 1);
    await noted.slot.stop();
    expect(fault.fired()).toBe(1);
    await nothingLeft();
    expect(noted.lost).toHaveLength(1);
  });
});
