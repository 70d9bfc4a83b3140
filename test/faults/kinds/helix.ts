// Faults of Helix, each in a moment in which its answer matters: a session was lost, moves, or a wish comes or goes.
import type { FaultHandle, FaultSpec } from '../../simulator/index.ts';
import type { FaultKind, Stage, StageBot } from '../contract.ts';
import { anyOf } from './pick.ts';
import { anyMs, everyDatabase, handOver, loseSession, newGrant, subscribed, withWish } from './upstream.ts';

const inGroup = { group: 'helix', databases: everyDatabase } as const;

type Operation = 'create' | 'list' | 'delete';

/** Longer than the relay waits on this stage. */
const hangMs = 2_300;
/** Several calls, each of which a busy machine may make slow. */
const patienceMs = 20_000;

interface Trouble {
  readonly name: string;
  readonly what: string;
  readonly on: readonly Operation[];
  /** Twitch means it: only a new grant or wish makes the relay try again. */
  readonly isFinal?: true;
  readonly fault: (on: Operation, bot: StageBot, stage: Stage) => FaultSpec & { readonly times: number };
}

const answers =
  (status: number, more: { flavour?: 'rate_limit' | 'transports'; most?: number } = {}): Trouble['fault'] =>
  (on, bot, stage) => ({
    name: 'helix',
    on,
    status,
    ...(more.flavour ? { flavour: more.flavour } : {}),
    match: { userId: bot.userId },
    times: anyMs(stage, 1, more.most ?? 3),
  });

const troubles: readonly Trouble[] = [
  { name: '401', what: 'is answered with 401', on: ['create', 'list', 'delete'], fault: answers(401) },
  {
    name: '403',
    what: 'is answered with 403, and tried again when the grant is renewed',
    on: ['create'],
    isFinal: true,
    fault: answers(403, { most: 1 }),
  },
  {
    name: '409',
    what: 'is answered with 409 although there is no twin',
    on: ['create'],
    fault: answers(409),
  },
  {
    name: '429-rate-limit',
    what: 'meets the rate limiter',
    on: ['create', 'list', 'delete'],
    fault: answers(429, { flavour: 'rate_limit', most: 1 }),
  },
  {
    name: '429-transports',
    what: 'meets the limit of three transports',
    on: ['create'],
    fault: answers(429, { flavour: 'transports' }),
  },
  { name: '500', what: 'is answered with 500', on: ['create', 'list', 'delete'], fault: answers(500) },
  { name: '503', what: 'is answered with 503', on: ['create', 'list', 'delete'], fault: answers(503) },
  {
    name: 'timeout',
    what: 'is not answered in time, and was not carried out',
    on: ['create', 'list', 'delete'],
    fault: (on) => ({ name: 'helix_hangs', on, ms: hangMs, times: 1 }),
  },
  {
    name: 'timeout-applied',
    what: 'is carried out, and not answered in time',
    on: ['create', 'delete'],
    fault: (on) => ({ name: 'helix_hangs', on, ms: hangMs, applied: true, times: 1 }),
  },
  {
    name: 'half-answer',
    what: 'is carried out, and its answer is cut off in the middle',
    on: ['create', 'list', 'delete'],
    fault: (on) => ({ name: 'helix_half_answer', on, times: 1 }),
  },
];

/** What makes the relay ask just now, and how it is seen that it got through in the end. */
interface Occasion {
  readonly name: string;
  readonly what: string;
  readonly on: Operation;
  readonly mayLose: boolean;
  play(stage: Stage, bot: StageBot, trouble: { arm: () => void; struck: () => Promise<void> }): Promise<void>;
}

const occasions: readonly Occasion[] = [
  {
    name: 'session-lost',
    what: 'a session is lost, and a subscription made anew',
    on: 'create',
    mayLose: true,
    async play(stage, bot, { arm, struck }) {
      arm();
      const old = await loseSession(stage, bot);
      await struck();
      await stage.session(bot, old);
      await subscribed(stage, bot);
    },
  },
  {
    name: 'new-wish',
    what: 'an interest is made, and its subscription',
    on: 'create',
    mayLose: false,
    play: (stage, bot, { arm, struck }) =>
      withWish(stage, bot, async (wish) => {
        arm();
        await wish.make();
        await struck();
        await wish.active();
      }),
  },
  {
    name: 'session-lost',
    what: 'a session is lost, and the list',
    on: 'list',
    mayLose: true,
    async play(stage, bot, { arm, struck }) {
      arm();
      const old = await loseSession(stage, bot);
      await stage.session(bot, old);
      await handOver(stage, bot);
      await struck();
      await subscribed(stage, bot);
    },
  },
  {
    name: 'hand-over',
    what: 'a session moves, and the list behind it',
    on: 'list',
    mayLose: false,
    async play(stage, bot, { arm, struck }) {
      arm();
      await handOver(stage, bot);
      await struck();
    },
  },
  {
    name: 'wish-withdrawn',
    what: 'an interest is withdrawn, and the removal of its subscription',
    on: 'delete',
    mayLose: false,
    play: (stage, bot, { arm, struck }) =>
      withWish(stage, bot, async (wish) => {
        await wish.make();
        await wish.active();
        arm();
        await wish.withdraw();
        await struck();
      }),
  },
];

const kind = (trouble: Trouble, occasion: Occasion): FaultKind => ({
  ...inGroup,
  name: `helix-${occasion.on}-${trouble.name}-${occasion.name}`,
  what: `${occasion.what} ${trouble.what}`,
  mayLose: occasion.mayLose,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    const lines = stage.relay.log.length;
    const spec = trouble.fault(occasion.on, bot, stage);
    let armed: FaultHandle | undefined;
    const fired = () => armed?.fired() ?? 0;
    try {
      await occasion.play(stage, bot, {
        arm() {
          armed = stage.sim.arm(spec);
        },
        async struck() {
          await stage.until(() => fired() === spec.times, `${spec.times} calls to be hit`, patienceMs);
          if (trouble.isFinal) await untilRefused(stage, lines);
          if (trouble.isFinal) await newGrant(stage, bot);
        },
      });
    } finally {
      armed?.disarm();
    }
    return { fired: fired(), from, to: Date.now(), ...(occasion.mayLose ? { bots: [bot] } : {}) };
  },
});

/** The relay has taken the refusal in; a grant that came before would be forgotten over it. */
async function untilRefused(stage: Stage, lines: number): Promise<void> {
  await stage.until(
    () => stage.relay.log.slice(lines).some((line) => line.msg === 'subscription is not active'),
    'the relay to note the refusal',
  );
}

export const helixKinds: readonly FaultKind[] = troubles.flatMap((trouble) =>
  occasions.filter(({ on }) => trouble.on.includes(on)).map((occasion) => kind(trouble, occasion)),
);
