// Faults of a hand-over: Twitch asks a session to move, and the move does not go as its documentation says.
import type { FaultSpec } from '../../simulator/index.ts';
import type { FaultKind, Stage } from '../contract.ts';
import { anyOf } from './pick.ts';
import { anyMs, everyDatabase, handOver, moved, topicsOf } from './upstream.ts';

const inGroup = { group: 'session', databases: everyDatabase } as const;

/** Those that one armed fault makes. Where one socket lives all the time nothing may be missing. */
const armedMoves: readonly {
  readonly name: string;
  readonly what: string;
  readonly mayLose: boolean;
  /** Whether the old session's subscriptions came along in the end. */
  readonly carried: boolean;
  readonly graceMs?: number;
  readonly fault: (stage: Stage) => FaultSpec & { readonly times: number };
}[] = [
  {
    name: 'handover-welcome-late',
    what: 'the welcome of the new socket comes late, and the old one delivers meanwhile',
    mayLose: false,
    carried: true,
    fault: (stage) => ({ name: 'handover_welcome_late', delayMs: anyMs(stage, 300, 1_200), times: 1 }),
  },
  {
    name: 'handover-new-one-refused',
    what: 'the new socket is refused a few times while the old one lives',
    mayLose: false,
    carried: true,
    fault: (stage) => ({
      name: 'reconnect_refused',
      status: anyOf(stage, [429, 500, 503]),
      times: anyMs(stage, 1, 5),
    }),
  },
  {
    name: 'handover-new-one-hangs',
    what: 'the new connection is taken and never answered; the next try succeeds',
    mayLose: false,
    carried: true,
    fault: () => ({ name: 'upgrade_hangs', path: 'reconnect', times: 1 }),
  },
  {
    name: 'handover-old-one-dies',
    what: 'the old socket dies before the welcome of the new one',
    mayLose: true,
    carried: true,
    fault: (stage) => ({
      name: 'old_socket_dies_during_handover',
      delayMs: anyMs(stage, 20, 800),
      times: 1,
    }),
  },
  {
    name: 'handover-url-4007',
    what: 'the reconnect URL is answered with 4007, and the old socket ends with its grace',
    mayLose: true,
    carried: false,
    graceMs: 600,
    fault: () => ({ name: 'reconnect_url_4007', times: 1 }),
  },
  {
    name: 'handover-refused-for-good',
    what: 'the new socket is refused until the old one ends with its grace',
    mayLose: true,
    carried: false,
    graceMs: 600,
    fault: () => ({ name: 'reconnect_refused', status: 503, times: 1_000 }),
  },
  {
    name: 'handover-welcome-never',
    what: 'the new socket opens without a welcome until the old one ends with its grace',
    mayLose: true,
    carried: false,
    graceMs: 600,
    fault: () => ({ name: 'welcome_withheld', path: 'reconnect', times: 1 }),
  },
];

const armedMove = (move: (typeof armedMoves)[number]): FaultKind => ({
  ...inGroup,
  name: move.name,
  what: `in a hand-over ${move.what}`,
  mayLose: move.mayLose,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const old = await stage.session(bot);
    const spec = move.fault(stage);
    const armed = stage.sim.arm(spec);
    try {
      stage.sim.requestReconnect(old, move.graceMs === undefined ? {} : { graceMs: move.graceMs });
      if (move.carried) await moved(stage, bot, old);
      else await stage.session(bot, old);
    } finally {
      armed.disarm();
    }
    const isEnough = spec.name === 'reconnect_refused' && !move.carried ? 1 : spec.times;
    await stage.until(() => armed.fired() >= isEnough, `${move.name} to strike`);
    return { fired: armed.fired(), from, to: Date.now(), bots: [bot] };
  },
});

const doubleDelivery: FaultKind = {
  ...inGroup,
  name: 'handover-double-delivery',
  what: 'behind a hand-over a notification comes on both sockets, with one message id',
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const topic = anyOf(stage, topicsOf(stage, bot));
    const from = Date.now();
    const armed = stage.sim.arm({ name: 'handover_double_delivery', times: 5 });
    try {
      // The old socket is open for a moment only: an event has to come in just that moment.
      for (let tries = 0; armed.fired() === 0 && tries < 5; tries++) {
        const old = await stage.session(bot);
        stage.sim.requestReconnect(old);
        const isMoved = () => stage.sim.sessions().some(({ id, state }) => id === old && state === 'moved');
        await stage.sim.waitFor(() => (isMoved() ? stage.happen(topic) : undefined), { timeoutMs: 5_000 });
        await moved(stage, bot, old);
      }
    } finally {
      armed.disarm();
    }
    const twice = stage.sim.sent.filter(
      ({ sentAt, copy, delivered }) => sentAt >= from && copy > 0 && delivered,
    );
    return { fired: twice.length, from, to: Date.now(), bots: [bot] };
  },
};

const storm: FaultKind = {
  ...inGroup,
  name: 'handover-ten-in-a-row',
  what: 'Twitch asks the same session to move ten times, each time as soon as it has',
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    for (let i = 0; i < 10; i++) await handOver(stage, bot);
    return { fired: 10, from, to: Date.now(), bots: [bot] };
  },
};

const overtaken: FaultKind = {
  ...inGroup,
  name: 'handover-asked-again',
  what: 'while a session moves Twitch asks it to move elsewhere, five times',
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const old = await stage.session(bot);
    const late = stage.sim.arm({ name: 'handover_welcome_late', delayMs: 400, times: 4 });
    try {
      for (let i = 0; i < 5; i++) {
        stage.sim.requestReconnect(old);
        await stage.until(() => i === 4 || late.fired() > i, 'the new socket to have come');
      }
      await moved(stage, bot, old);
    } finally {
      late.disarm();
    }
    return { fired: late.fired(), from, to: Date.now(), bots: [bot] };
  },
};

const together: FaultKind = {
  ...inGroup,
  name: 'handover-of-all-bots',
  what: 'Twitch asks the sessions of all bots to move in the same moment',
  mayLose: false,
  async play(stage) {
    const from = Date.now();
    const ids = await Promise.all(stage.bots.map((bot) => handOver(stage, bot)));
    return { fired: ids.length, from, to: Date.now() };
  },
};

const sameId: FaultKind = {
  ...inGroup,
  name: 'handover-keeps-the-id',
  what: 'a session moves and keeps its id',
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const id = await stage.session(bot);
    const connection = () => stage.sim.sessions().find((each) => each.id === id && each.open)?.connectionId;
    const before = connection();
    stage.sim.requestReconnect(id, { keepSessionId: true });
    await stage.until(() => (connection() ?? before) !== before, 'the session to be on another connection');
    return { fired: 1, from, to: Date.now(), bots: [bot] };
  },
};

const oldSilent: FaultKind = {
  ...inGroup,
  name: 'handover-old-one-silent',
  what: 'in a hand-over the old socket falls silent while the welcome of the new one is late',
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const old = await stage.session(bot);
    // Longer than the relay takes to notice; a shorter silence of a socket that is to go looks like any other end of it.
    const late = stage.sim.arm({ name: 'handover_welcome_late', delayMs: 2_400 });
    stage.sim.requestReconnect(old);
    await stage.until(() => late.fired() === 1, 'the new socket to have come');
    const silence = stage.sim.arm({ name: 'keepalive_silence', sessionId: old });
    await stage.session(bot, old);
    silence.disarm();
    return { fired: late.fired() + silence.fired(), from, to: Date.now(), bots: [bot] };
  },
};

const plain: FaultKind = {
  ...inGroup,
  name: 'session-reconnect',
  what: 'Twitch asks a session to move, and everything goes as its documentation says',
  mayLose: false,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    await handOver(stage, bot);
    return { fired: 1, from, to: Date.now(), bots: [bot] };
  },
};

export const handOverKinds: readonly FaultKind[] = [
  plain,
  ...armedMoves.map((each) => armedMove(each)),
  doubleDelivery,
  storm,
  overtaken,
  together,
  sameId,
  oldSilent,
];
