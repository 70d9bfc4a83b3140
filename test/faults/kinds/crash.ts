// The relay ends itself with SIGKILL at each of its crash points, under load, and is started again: one kind per point. Most
// points are on the way of every event; for the others something is asked of the relay that leads there.
import { crashPoints, type CrashPoint } from '../../../src/runtime/crash-points.ts';
import type { FaultKind, Stage } from '../contract.ts';
import { anyOf } from './pick.ts';

const diesWithinMs = 15_000;
/** Under load most points are come to many times a second; which of the next ones it is, the seed says. */
const maxHits = 6;

/** Leads there once the point is armed; answers what undoes it when the relay runs again. */
type Way = (stage: Stage) => (() => Promise<unknown>) | void;
/** What has to be there before the point is armed. */
type Ground = (stage: Stage) => Promise<Way>;

const load: Ground = async () => () => undefined;

const freshSession: Ground = async (stage) => {
  const bot = anyOf(stage, stage.bots);
  const session = await stage.session(bot);
  return () => stage.sim.closeSession(session, 4000);
};

const newTokens: Ground = async (stage) => {
  const bot = anyOf(stage, stage.bots);
  return () => unanswered(stage.admin('POST', `/v1/admin/bots/${bot.id}/refresh`));
};

/** Those of one half of the receivers that get something. */
const failingReceivers: Ground = async () => (stage) => {
  const places = Array.from({ length: stage.receivers.count / 2 }, (_, n) => n * 2);
  for (const place of places) stage.receivers.misbehave(place, { kind: 'status', status: 500 });
  return async () => {
    for (const place of places) stage.receivers.misbehave(place, undefined);
  };
};

/** A topic that nobody else wants; giving it up deletes its subscription. */
const lastInterest: Ground = async (stage) => {
  const bot = anyOf(stage, stage.bots);
  const channel = stage.sim.addUser({ login: `guest${stage.sim.users().length}` });
  stage.sim.grant({ userId: channel.id, scopes: [] });
  const service = await stage.admin<{ client_id: string; client_secret: string }>(
    'POST',
    '/v1/admin/service-accounts?name=guest',
  );
  const response = await fetch(`${stage.relay.url}/v1/interests?wait=10`, {
    method: 'POST',
    headers: {
      'X-Client-Id': service.client_id,
      'X-Client-Secret': service.client_secret,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      bot_account_id: bot.id,
      event_type: 'stream.online',
      broadcaster_user_id: channel.id,
      transport: 'websocket',
    }),
  });
  const interest = (await response.json()) as { state?: string };
  if (interest.state !== 'active') throw new Error(`the guest's interest: ${JSON.stringify(interest)}`);
  const leave = () => stage.admin('DELETE', `/v1/admin/service-accounts/${service.client_id}`);
  return () => {
    unanswered(leave());
    return async () => {
      await goneAtLast(leave);
      await stage.until(() => !isSubscribed(stage, channel.id), 'the subscription that nobody wants to go');
    };
  };
};

const leavingBot: Ground = async (stage) => {
  const user = stage.sim.addUser({ login: `leaving${stage.sim.users().length}` });
  const { accessToken, refreshToken } = stage.sim.grant({ userId: user.id, scopes: [] });
  const { id } = await stage.admin<{ id: string }>('POST', '/v1/admin/bots/import', {
    name: user.login,
    access_token: accessToken,
    refresh_token: refreshToken,
  });
  return () => {
    unanswered(stage.admin('DELETE', `/v1/admin/bots/${id}`));
    return () =>
      stage.until(async () => {
        const bots = await stage.admin<{ id: string }[]>('GET', '/v1/bots');
        return !bots.some((bot) => bot.id === id);
      }, 'the bot to be gone');
  };
};

/** The process dies before it can answer. */
const unanswered = (call: Promise<unknown>): void => void call.catch(() => undefined);

/** Asked again until it is done, or was done already. */
async function goneAtLast(leave: () => Promise<unknown>): Promise<void> {
  await leave().catch((error: unknown) => {
    if (!(error instanceof Error && error.message.includes(': 404 '))) throw error;
  });
}

const isSubscribed = ({ sim }: Stage, broadcasterId: string) =>
  sim
    .subscriptions()
    .some(
      (each) =>
        each.status === 'enabled' && !each.zombie && each.condition['broadcaster_user_id'] === broadcasterId,
    );

interface Approach {
  readonly ground: Ground;
  readonly maxHits: number;
  readonly when: string;
}

const everyEvent = (when: string): Approach => ({ ground: load, maxHits, when });

const approaches: Readonly<Record<CrashPoint, Approach>> = {
  'dedupe.before': everyEvent('with a notification read'),
  'dedupe.after': everyEvent('with a message id remembered and the notification not held'),
  'append.before': everyEvent('with a batch held and its statement not sent'),
  'commit.before': everyEvent('with the statement sent and not answered'),
  'commit.after': everyEvent('with the commit answered and no reader told'),
  'append.after': everyEvent('with the batch in the window of the readers'),
  'wake.before': everyEvent('before any reader is woken'),
  'wake.after': everyEvent('after all readers are woken'),
  'write.before': everyEvent('before frames are written to a socket'),
  'write.after': everyEvent('with frames written and the position in memory alone'),
  'ack.before': everyEvent('before acknowledged positions are written down'),
  'ack.after': everyEvent('after they are'),
  'attempt.before': everyEvent("with a receiver's answer in hand and nothing of it written"),
  'attempt.after': everyEvent('with attempts in the history'),
  'retry.before': {
    ground: failingReceivers,
    maxHits: 2,
    when: 'before failed deliveries enter the retry set',
  },
  'retry.after': {
    ground: failingReceivers,
    maxHits: 2,
    when: 'with them in it and the position before them',
  },
  'cursor.before': everyEvent('before positions of endpoints are written down'),
  'cursor.after': everyEvent('after they are'),
  'token.before': { ground: newTokens, maxHits: 1, when: 'with new tokens in memory alone' },
  'token.after': { ground: newTokens, maxHits: 1, when: 'with new tokens saved and not used' },
  'subscription.before': {
    ground: freshSession,
    maxHits: 4,
    when: 'with a subscription made that its row does not know of',
  },
  'subscription.after': {
    ground: freshSession,
    maxHits: 4,
    when: 'with its row written and its gap not declared',
  },
  'unsubscribe.before': {
    ground: lastInterest,
    maxHits: 1,
    when: 'with a subscription deleted and its row still there',
  },
  'unsubscribe.after': { ground: lastInterest, maxHits: 1, when: 'with its row gone' },
  'removal.owners_told': { ground: leavingBot, maxHits: 1, when: "with a leaving bot's owners told" },
  'removal.subscriptions_removed': {
    ground: leavingBot,
    maxHits: 1,
    when: "with a leaving bot's subscriptions removed",
  },
  'removal.grant_revoked': { ground: leavingBot, maxHits: 1, when: "with a leaving bot's token given back" },
  'removal.forgotten': { ground: leavingBot, maxHits: 1, when: 'with a leaving bot forgotten' },
};

const kindOf = (point: CrashPoint): FaultKind => ({
  name: `crash-${point.replaceAll(/[._]/g, '-')}`,
  group: 'crash',
  what: `SIGKILL ${approaches[point].when}`,
  databases: ['embedded', 'postgres'],
  mayLose: true,
  async play(stage) {
    const { ground, maxHits: most } = approaches[point];
    const go = await ground(stage);
    const hits = 1 + Math.floor(stage.random() * most);
    const { ended } = stage.relay;
    const from = Date.now();
    await stage.relay.crashAt(point, hits);
    const undo = go(stage);
    try {
      const how = await Promise.race([ended, stage.lasts(diesWithinMs)]);
      if (how !== 'SIGKILL') throw new Error(`at ${point} (${hits}) it did not die: ${String(how)}`);
    } finally {
      if (stage.relay.pid === undefined) await stage.relay.start();
      else await restart(stage);
      await undo?.();
    }
    return { fired: 1, from, to: Date.now() };
  },
});

/** It still runs, with a point armed that nobody wants to meet later. */
async function restart({ relay }: Stage): Promise<void> {
  await relay.kill();
  await relay.start();
}

export const crashKinds: readonly FaultKind[] = crashPoints.map(kindOf);
