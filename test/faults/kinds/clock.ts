// Faults of the relay's clock: it jumps against everybody else's, and later is right again.
import type { FaultKind, Stage, StageBot } from '../contract.ts';
import { anyOf } from './pick.ts';
import { anyMs, everyDatabase, loseSession, moved, subscribed } from './upstream.ts';

const inGroup = { group: 'clock', databases: everyDatabase } as const;

const minute = 60_000;
const jumps: readonly { readonly name: string; readonly what: string; readonly ms: number }[] = [
  { name: 'forward-10-min', what: 'forward by ten minutes', ms: 10 * minute },
  { name: 'back-10-min', what: 'back by ten minutes', ms: -10 * minute },
  { name: 'forward-30-s', what: 'forward by half a minute', ms: 30_000 },
  { name: 'back-30-s', what: 'back by half a minute', ms: -30_000 },
];

/** What else happens while the clock is wrong. */
const meanwhile: readonly {
  readonly name: string;
  readonly what: string;
  play(stage: Stage, bot: StageBot, jump: () => Promise<void>): Promise<void>;
}[] = [
  {
    name: '',
    what: '',
    async play(stage, _bot, jump) {
      await jump();
      await stage.lasts(anyMs(stage, 300, 900));
    },
  },
  {
    name: '-in-a-hand-over',
    what: ' while a session moves',
    async play(stage, bot, jump) {
      const old = await stage.session(bot);
      const late = stage.sim.arm({ name: 'handover_welcome_late', delayMs: 300 });
      try {
        stage.sim.requestReconnect(old);
        await stage.until(() => late.fired() === 1, 'the new socket to have come');
        await jump();
        // A clock that went ahead is a long sleep: the session may have been given up.
        await stage.session(bot, old);
      } finally {
        late.disarm();
      }
    },
  },
  {
    name: '-and-session-lost',
    what: ', and a session is lost meanwhile',
    async play(stage, bot, jump) {
      await jump();
      await stage.lasts(anyMs(stage, 100, 400));
      const old = await loseSession(stage, bot);
      await stage.session(bot, old);
      await subscribed(stage, bot);
      await stage.lasts(150);
    },
  },
  {
    name: '-and-creates-refused',
    what: ', a session is lost meanwhile, and its subscriptions are put off until the clock is right again',
    async play(stage, bot, jump) {
      await jump();
      const failing = stage.sim.arm({
        name: 'helix',
        on: 'create',
        status: 503,
        match: { userId: bot.userId },
        times: 5,
      });
      try {
        await loseSession(stage, bot);
        await stage.until(() => failing.fired() === 5, 'the creates to be refused');
      } finally {
        failing.disarm();
      }
    },
  },
];

/** Longer than a session may be silent, shorter than a receiver may take: what is under way to those goes on. */
const napMs = 4_000;

/** Ahead is a sleep to those who wait, so sessions may be given up for dead; back is one step. */
async function shift(stage: Stage, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= napMs) await stage.relay.shiftClock(Math.min(napMs, left));
  if (ms < 0) await stage.relay.shiftClock(ms);
}

/**
 * What the relay says of a time in which its own clock was wrong may be off by as much, to the safe side: nothing that is
 * missing may be outside.
 */
const jumpKind = (jump: (typeof jumps)[number], also: (typeof meanwhile)[number]): FaultKind => ({
  ...inGroup,
  name: `clock-${jump.name}${also.name}`,
  what: `the relay's clock jumps ${jump.what}${also.what}, and later is right again`,
  mayLose: true,
  async play(stage) {
    const bot = anyOf(stage, stage.bots);
    const from = Date.now();
    let isWrong = false;
    try {
      await also.play(stage, bot, async () => {
        isWrong = true;
        await shift(stage, jump.ms);
      });
    } finally {
      if (isWrong) await shift(stage, -jump.ms);
    }
    await Promise.all(stage.bots.map((each) => stage.session(each)));
    return {
      fired: 1,
      from: from + Math.min(0, jump.ms),
      to: Date.now() + Math.max(0, jump.ms),
    };
  },
});

/** In steps that nobody takes for a sleep. */
const stepMs = 300;

async function slew(stage: Stage, ms: number): Promise<void> {
  for (let left = Math.abs(ms); left > 0; left -= stepMs) {
    await stage.relay.shiftClock(Math.sign(ms) * Math.min(stepMs, left));
    await stage.lasts(10);
  }
}

const slewKind = (name: string, what: string, ms: number): FaultKind => ({
  ...inGroup,
  name,
  what,
  mayLose: false,
  async play(stage) {
    const from = Date.now();
    // Back at once, ahead little by little: nothing of it may cost anything.
    if (ms < 0) await stage.relay.shiftClock(ms);
    else await slew(stage, ms);
    try {
      await moved(stage, ...(await asked(stage)));
    } finally {
      if (ms < 0) await slew(stage, -ms);
      else await stage.relay.shiftClock(-ms);
    }
    return { fired: 1, from, to: Date.now() };
  },
});

/** A bot whose session was just asked to move. */
async function asked(stage: Stage): Promise<[StageBot, string]> {
  const bot = anyOf(stage, stage.bots);
  const old = await stage.session(bot);
  stage.sim.requestReconnect(old);
  return [bot, old];
}

export const clockKinds: readonly FaultKind[] = [
  ...jumps.flatMap((jump) => meanwhile.map((also) => jumpKind(jump, also))),
  slewKind(
    'clock-steps-back-and-catches-up',
    "the relay's clock steps back by 20 s, a session moves, and the clock catches up in small steps",
    -20_000,
  ),
  slewKind(
    'clock-runs-ahead-and-steps-back',
    "the relay's clock gets 20 s ahead in small steps, a session moves, and the clock steps back",
    20_000,
  ),
];
