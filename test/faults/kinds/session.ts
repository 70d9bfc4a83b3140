// Faults of the session with Twitch: it is closed, silent, cut, cannot be had, or the relay itself goes and comes back.
import type { FaultSpec } from '../../simulator/index.ts';
import type { FaultKind, Played, Stage } from '../contract.ts';
import { anyOf } from './pick.ts';
import { anyMs, everyDatabase, loseSession, subscribed, topicsOf } from './upstream.ts';

const inGroup = { group: 'session', databases: everyDatabase } as const;

/** https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#close-message, and what networks and proxies say. */
const closes: readonly (readonly [code: number, what: string])[] = [
  [4000, 'an internal error of its own'],
  [4001, 'we are said to have sent something'],
  [4002, 'a pong is said to be missing'],
  [4003, 'the session is said to be unused'],
  [4004, 'the time for a reconnect is said to be over'],
  [4005, 'a network timeout'],
  [4006, 'a network error'],
  [4007, 'an invalid reconnect, although there was none'],
  [1001, 'going away'],
  [1006, 'the connection is cut without a close frame'],
  [1011, 'an unexpected condition'],
  [1012, 'a service restart'],
];

const closed = ([code, what]: (typeof closes)[number]): FaultKind => ({
  ...inGroup,
  name: `session-closed-${code}`,
  what: `Twitch ends a session with ${code}: ${what}`,
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const old = await loseSession(stage, bot, code);
    await stage.session(bot, old);
    return { fired: 1, from, to: Date.now(), bots: [bot] };
  },
});

/** A session is lost, and the next one cannot be had as it should. */
const hardToReplace: readonly {
  readonly name: string;
  readonly what: string;
  readonly fault: (stage: Stage) => FaultSpec & { readonly times: number };
}[] = [
  {
    name: 'welcome-never',
    what: 'the socket of the next session opens, and no welcome ever comes',
    fault: () => ({ name: 'welcome_withheld', times: 1 }),
  },
  {
    name: 'welcome-late',
    what: 'the welcome of the next session comes late',
    fault: (stage) => ({ name: 'welcome_late', delayMs: anyMs(stage, 600, 1_400), times: 1 }),
  },
  {
    name: 'upgrade-429',
    what: 'the next connections are refused with 429',
    fault: () => ({ name: 'upgrade_refused', status: 429, times: 3 }),
  },
  {
    name: 'upgrade-503',
    what: 'the next connections are refused with 503',
    fault: () => ({ name: 'upgrade_refused', status: 503, times: 3 }),
  },
  {
    name: 'upgrade-hangs',
    what: 'the next connection is taken and never answered',
    fault: () => ({ name: 'upgrade_hangs', times: 1 }),
  },
  {
    name: 'session-closed-again-and-again',
    what: 'the next three sessions are closed right behind their welcome',
    fault: (stage) => ({
      name: 'close_after_welcome',
      code: 4000,
      delayMs: anyMs(stage, 0, 60),
      times: 3,
    }),
  },
  {
    name: 'session-dies-on-create',
    what: 'the next session is cut while the first subscription is made on it',
    fault: () => ({ name: 'session_dies_on_create', times: 1 }),
  },
];

const replacedLate = ({ name, what, fault }: (typeof hardToReplace)[number]): FaultKind => ({
  ...inGroup,
  name,
  what: `a session is lost, and ${what}`,
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const spec = fault(stage);
    const armed = stage.sim.arm(spec);
    const old = await loseSession(stage, bot);
    await stage.until(() => armed.fired() === spec.times, `${name} to strike`);
    await stage.session(bot, old);
    return { fired: armed.fired(), from, to: Date.now(), bots: [bot] };
  },
});

/** Lines that the relay wrote about ends of sessions for this cause, so far. */
const endsBy = ({ relay }: Stage, cause: string) =>
  relay.log.filter((line) => line.msg === 'upstream session ended and is replaced' && line['cause'] === cause)
    .length;

async function everySessionAnew(stage: Stage, olds: readonly string[]): Promise<void> {
  for (const [i, bot] of stage.bots.entries()) await stage.session(bot, olds[i]);
}

const sessionsNow = (stage: Stage) => Promise.all(stage.bots.map((bot) => stage.session(bot)));

/** Faults of the wire hit every bot. */
const ofTheWire: readonly FaultKind[] = [
  {
    ...inGroup,
    name: 'wire-reset',
    what: 'every connection to Twitch ends with a TCP reset',
    mayLose: true,
    async play(stage) {
      const olds = await sessionsNow(stage);
      const from = Date.now();
      const fired = stage.twitchWire.reset();
      await everySessionAnew(stage, olds);
      return { fired, from, to: Date.now() };
    },
  },
  {
    ...inGroup,
    name: 'wire-refused',
    what: 'every connection to Twitch is reset, and new ones are refused for a while',
    mayLose: true,
    async play(stage) {
      const olds = await sessionsNow(stage);
      const from = Date.now();
      const before = stage.twitchWire.disturbed;
      stage.twitchWire.refuse();
      try {
        const cut = stage.twitchWire.reset();
        await stage.until(
          () => stage.twitchWire.disturbed - before >= cut + 2 * stage.bots.length,
          'connections to be refused',
        );
      } finally {
        stage.twitchWire.flow();
      }
      await everySessionAnew(stage, olds);
      return { fired: stage.twitchWire.disturbed - before, from, to: Date.now() };
    },
  },
  {
    ...inGroup,
    name: 'wire-half-open',
    what: 'nothing passes to or from Twitch any more and nobody is told, until the relay gives its sockets up',
    mayLose: true,
    async play(stage) {
      const olds = await sessionsNow(stage);
      const from = Date.now();
      const before = { ends: endsBy(stage, 'silence'), disturbed: stage.twitchWire.disturbed };
      stage.twitchWire.silence();
      try {
        await stage.until(
          () => endsBy(stage, 'silence') - before.ends >= stage.bots.length,
          'the relay to notice the silence',
        );
      } finally {
        stage.twitchWire.flow();
      }
      await everySessionAnew(stage, olds);
      return { fired: stage.twitchWire.disturbed - before.disturbed, from, to: Date.now() };
    },
  },
  {
    ...inGroup,
    name: 'wire-pauses',
    what: 'nothing passes to or from Twitch for less than the keepalive, then all of it at once',
    mayLose: false,
    async play(stage) {
      const from = Date.now();
      const before = stage.twitchWire.disturbed;
      stage.twitchWire.silence();
      try {
        await stage.lasts(anyMs(stage, 300, 700));
      } finally {
        stage.twitchWire.flow();
      }
      return { fired: stage.twitchWire.disturbed - before, from, to: Date.now() };
    },
  },
  {
    ...inGroup,
    name: 'wire-slow',
    what: 'everything from and to Twitch takes a fifth of a second longer',
    mayLose: false,
    async play(stage) {
      const from = Date.now();
      const before = stage.twitchWire.disturbed;
      stage.twitchWire.slow(anyMs(stage, 100, 300));
      try {
        await stage.lasts(1_200);
      } finally {
        stage.twitchWire.flow();
      }
      return { fired: stage.twitchWire.disturbed - before, from, to: Date.now() };
    },
  },
];

/** Twitch goes on believing in sessions that are dead. */
const zombies: readonly FaultKind[] = [
  {
    ...inGroup,
    name: 'session-zombie',
    what: 'a session dies and Twitch goes on believing in it, with all its subscriptions',
    mayLose: true,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const from = Date.now();
      const old = await stage.session(bot);
      stage.sim.dropSession(old, { zombieMs: 1_500 });
      await stage.session(bot, old);
      await stage.until(
        () => stage.sim.sessions().find(({ id, state }) => id === old && state !== 'open'),
        'the old session to be dead',
      );
      return { fired: 1, from, to: Date.now(), bots: [bot] };
    },
  },
  {
    ...inGroup,
    name: 'session-zombie-conflicts',
    what: 'a session dies, Twitch goes on believing in it, and answers 409 to every subscription made anew',
    mayLose: true,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const from = Date.now();
      const armed = topicsOf(stage, bot).map(({ type }) =>
        stage.sim.arm({ name: 'helix', on: 'create', status: 409, match: { userId: bot.userId, type } }),
      );
      const old = await stage.session(bot);
      stage.sim.dropSession(old, { zombieMs: 60_000 });
      await stage.until(
        () => armed.every((each) => each.fired() === 1),
        'every subscription to be in conflict',
        20_000,
      );
      await stage.session(bot, old);
      await subscribed(stage, bot);
      await stage.until(
        () => stage.sim.subscriptions().every(({ sessionId }) => sessionId !== old),
        'the dead ones to be removed',
      );
      return { fired: armed.length, from, to: Date.now(), bots: [bot] };
    },
  },
  {
    ...inGroup,
    name: 'session-zombies-hold-all-places',
    what: 'a session is lost, and three dead ones of an earlier life hold all the places that a user has',
    mayLose: true,
    async play(stage) {
      const bot = anyOf(stage, stage.bots);
      const from = Date.now();
      for (let i = 0; i < 3; i++) {
        stage.sim.plant({
          userId: bot.userId,
          sessionId: `dead-${from}-${i}`,
          type: 'channel.poll.progress',
          condition: { broadcaster_user_id: bot.userId },
        });
      }
      const planted = () =>
        stage.sim.subscriptions().filter(({ sessionId }) => sessionId.startsWith(`dead-${from}-`)).length;
      const old = await loseSession(stage, bot);
      await stage.session(bot, old);
      await stage.until(() => planted() === 0, 'the dead ones to be removed');
      const refused = stage.sim.requests.filter(
        ({ at, status, operation }) => at >= from && operation === 'create' && status === 429,
      );
      return { fired: refused.length, from, to: Date.now(), bots: [bot] };
    },
  },
];

const silence: FaultKind = {
  ...inGroup,
  name: 'session-silent',
  what: 'a session falls silent: no keepalive and no notification, and nobody closes it',
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const old = await stage.session(bot);
    const fault = stage.sim.arm({ name: 'keepalive_silence', sessionId: old });
    await stage.session(bot, old);
    fault.disarm();
    return { fired: fault.fired(), from, to: Date.now(), bots: [bot] };
  },
};

const allAtOnce: FaultKind = {
  ...inGroup,
  name: 'session-closed-all-at-once',
  what: 'Twitch closes the sessions of all bots in the same moment',
  mayLose: true,
  async play(stage): Promise<Played> {
    const olds = await sessionsNow(stage);
    const from = Date.now();
    for (const old of olds) stage.sim.closeSession(old, 4000);
    await everySessionAnew(stage, olds);
    return { fired: olds.length, from, to: Date.now() };
  },
};

const restart: FaultKind = {
  ...inGroup,
  name: 'relay-restart',
  what: 'the relay is stopped with SIGTERM and started again',
  mayLose: true,
  async play(stage) {
    const from = Date.now();
    const code = await stage.relay.stop();
    if (code !== 0) throw new Error(`the relay ended with ${String(code)}`);
    await stage.relay.start();
    return { fired: 1, from, to: Date.now() };
  },
};

export const sessionKinds: readonly FaultKind[] = [
  ...closes.map((each) => closed(each)),
  allAtOnce,
  silence,
  ...hardToReplace.map((each) => replacedLate(each)),
  ...ofTheWire,
  ...zombies,
  restart,
];
