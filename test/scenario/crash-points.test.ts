// The relay dies by SIGKILL on each side of every hand-over, under load, and is started again on what it left: nothing that
// was committed is lost, a repetition says so, what is missing is declared, and Twitch has what is wanted, once.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { crashPoints, type CrashPoint } from '../../src/runtime/crash-points.ts';
import type { SimulatorOptions } from '../simulator/index.ts';
import { buildCrashChild, type CrashBundle } from '../support/crash-bundle.ts';
import { CrashStage, type Channel } from '../support/crash-stage.ts';
import { until as untilWithin } from '../support/until.ts';

/** Which time of coming there is the last one, counted from when the load begins; 1 where a round comes there once. */
const hits: Readonly<Record<CrashPoint, number>> = {
  'dedupe.before': 7,
  'dedupe.after': 7,
  'append.before': 4,
  'commit.before': 4,
  'commit.after': 4,
  'append.after': 4,
  'wake.before': 4,
  'wake.after': 4,
  'write.before': 4,
  'write.after': 4,
  'ack.before': 2,
  'ack.after': 2,
  'attempt.before': 4,
  'attempt.after': 1,
  'retry.before': 1,
  'retry.after': 1,
  'cursor.before': 2,
  'cursor.after': 2,
  'token.before': 1,
  'token.after': 1,
  'subscription.before': 1,
  'subscription.after': 1,
  'unsubscribe.before': 1,
  'unsubscribe.after': 1,
  'removal.owners_told': 1,
  'removal.subscriptions_removed': 1,
  'removal.grant_revoked': 1,
  'removal.forgotten': 1,
};

/** What Twitch may do with refresh tokens, and how long it believes in a socket whose process died. */
const twitches = {
  'that keeps refresh tokens': { rotateRefreshTokens: false },
  'whose refresh tokens are good for one use': { rotateRefreshTokens: true, zombieMs: 700 },
} as const satisfies Record<string, SimulatorOptions>;
type Twitch = keyof typeof twitches;
const names = Object.keys(twitches) as Twitch[];

/** What becomes of tokens depends on Twitch's ways; the rest is shared out between the two. */
const pointsOf = (twitch: Twitch): readonly CrashPoint[] =>
  crashPoints.filter((point, n) => point.startsWith('token.') || names[n % names.length] === twitch);

const pumpEveryMs = 20;
/** A start takes a second where nobody else works, and much longer where many do. */
const until = <T>(probe: () => T | Promise<T>, what: string) =>
  untilWithin(probe, { what, timeoutMs: 60_000 });

let bundle: CrashBundle;
beforeAll(async () => {
  bundle = await buildCrashChild();
});
afterAll(() => bundle[Symbol.asyncDispose]());

it('every point is tried out', () => {
  expect(new Set(names.flatMap(pointsOf))).toEqual(new Set(crashPoints));
});

// Side by side, since most of the time is spent on starts.
describe.concurrent.each(names)('with a Twitch %s', (twitch) => {
  it('a death costs nothing that was committed, wherever', { timeout: 600_000 }, async () => {
    await using stage = await CrashStage.open(bundle.entry, twitches[twitch]);
    const lane = await Lane.begin(stage);
    for (const point of pointsOf(twitch)) {
      try {
        await lane.play(point, twitches[twitch].rotateRefreshTokens);
      } catch (error) {
        throw new Error(`at ${point}: ${String(error)}`, { cause: error });
      }
    }
  });
});

class Lane {
  readonly #stage: CrashStage;
  readonly #socket: Channel;
  readonly #webhook: Channel;
  /** Wished for in this round, given up in the next one. */
  #newer: Channel;
  #logged: readonly string[] = [];

  private constructor(stage: CrashStage, socket: Channel, webhook: Channel, newer: Channel) {
    this.#stage = stage;
    this.#socket = socket;
    this.#webhook = webhook;
    this.#newer = newer;
  }

  static async begin(stage: CrashStage): Promise<Lane> {
    const wish = (webhook: boolean) => stage.wish(stage.addChannel(), { webhook });
    return new Lane(stage, await wish(false), await wish(true), await wish(false));
  }

  async play(point: CrashPoint, rotates: boolean): Promise<void> {
    const stage = this.#stage;
    const older = this.#newer;
    const newUserId = stage.addChannel();
    const leaving = point.startsWith('removal.') ? await this.#leavingBot(point) : undefined;
    const accessToken = await stage.authorize();
    stage.receiver.reply = failingOnce(point.startsWith('retry.'));
    await stage.arm({ point, hits: hits[point] });

    const users = [this.#socket, this.#webhook, older].map(({ userId }) => userId);
    const pump = setInterval(() => [...users, newUserId].forEach((id) => stage.follow(id)), pumpEveryMs);
    try {
      const death = stage.death();
      // Whichever of these the process does not live to answer is asked again, as their callers would.
      if (point.startsWith('token.')) stage.sim.expireToken(accessToken);
      const giveUp = () => stage.service('DELETE', `/v1/interests/${older.interestId}`);
      const asked = [
        stage.wish(newUserId),
        giveUp(),
        ...(leaving ? [stage.admin('DELETE', `/v1/admin/bots/${leaving}`)] : []),
      ];
      await Promise.allSettled(asked);
      expect(await death).toEqual({ signal: 'SIGKILL', point });

      const requests = stage.sim.requests.length;
      await stage.start();
      const consumer = await stage.connect();
      if (point === 'token.before' && rotates) await this.#grantWasLost(consumer.events.length);
      await until(async () => (await giveUp()).status === 404, 'the interest to be given up');
      const newer = await until(() => stage.wish(newUserId), 'the new interest to be active');
      this.#newer = newer;
      await this.#exactly([this.#socket, this.#webhook, newer], requests);
      if (leaving) await this.#isGone(leaving);
    } finally {
      clearInterval(pump);
    }
    await this.#judge();
  }

  /** Twitch has ended the old pair and given a new one to a process that is dead: only its user can help, and is told. */
  async #grantWasLost(from: number): Promise<void> {
    const stage = this.#stage;
    const consumer = stage.consumers.at(-1);
    await until(
      () => consumer?.events.slice(from).some(({ type }) => type === 'relay.bot.reauth_required'),
      'the owners to be told',
    );
    const { body } = await stage.admin('GET', '/v1/bots');
    expect(body).toContainEqual(expect.objectContaining({ id: stage.botId, state: 'reauth_required' }));
    await stage.authorize();
  }

  /** Twitch has these, once each, and nothing was created beyond them; with tokens that work. */
  async #exactly(channels: readonly Channel[], since: number): Promise<void> {
    const wanted = channels.map(({ userId }) => userId).toSorted();
    await until(
      () => JSON.stringify(this.#stage.subscribed()) === JSON.stringify(wanted),
      `exactly ${wanted.join()} at Twitch (there is ${this.#stage.subscribed().join()})`,
    );
    const created = this.#stage.created(since);
    expect(created).toEqual([...new Set(created)]);
    // All of them had ended with the socket; the one that was given up may have been wanted for a moment more.
    expect(created).toEqual(expect.arrayContaining(wanted));
    expect(created.length).toBeLessThanOrEqual(wanted.length + 1);
    const { body } = await this.#stage.admin('GET', '/v1/bots');
    expect(body).toContainEqual(expect.objectContaining({ id: this.#stage.botId, state: 'ok' }));
  }

  async #judge(): Promise<void> {
    const { sim, receiver, consumers } = this.#stage;
    const before = sim.sent.length;
    for (const { userId } of [this.#socket, this.#webhook]) this.#stage.follow(userId);
    const sent = sim.sent.slice(before).filter(({ delivered }) => delivered);
    const last = new Set(sent.map(({ messageId }) => messageId));
    expect(last.size).toBe(2);
    const events = await until(async () => {
      const log = await this.#stage.log();
      return log.filter(({ id }) => last.has(id)).length === last.size && log;
    }, 'the last events in the log');
    const of = (...channels: readonly Channel[]) =>
      events
        .filter((event) => channels.some(({ userId }) => userId === channelOf(event)))
        .map(({ id }) => id);
    const kept = of(this.#socket, this.#webhook);
    expect(kept.slice(0, this.#logged.length), 'what was committed stays').toEqual(this.#logged);
    this.#logged = kept;

    const given = new Map(
      consumers.flatMap((consumer) => consumer.events).map((event) => [event.id, channelOf(event)]),
    );
    const owed = of(this.#socket, this.#newer).filter((id) => !given.has(id));
    await until(() => {
      const late = new Set(consumers.at(-1)?.ids());
      return owed.every((id) => late.has(id));
    }, 'everything that was committed at the consumer');
    const hooked = new Set(of(this.#webhook));
    await until(() => {
      const accepted = new Set(receiver.accepted);
      return [...hooked].every((id) => accepted.has(id));
    }, 'everything that was committed at the receiver');
    // Nothing was given to anybody that is not in the log.
    const ofSocket = new Set(of(this.#socket));
    const unlogged = [...given].filter(([id, userId]) => userId === this.#socket.userId && !ofSocket.has(id));
    expect(unlogged).toEqual([]);
    expect(receiver.ids.filter((id) => !hooked.has(id) && !id.startsWith('relay-'))).toEqual([]);
    expect(receiver.unmarked).toEqual([]);
    expect(unmarked(consumers.flatMap((consumer) => consumer.eventFrames))).toEqual([]);
    expect(this.#undeclared(events)).toEqual([]);
  }

  /** Sent by Twitch while it was owed, in no log, and in no gap. What is wished for is owed once it is active. */
  #undeclared(events: readonly RelayEvent[]): string[] {
    const channels = [this.#socket, this.#webhook, this.#newer];
    const logged = new Set(events.map(({ id }) => id));
    const gaps = events
      .filter(({ type }) => type === 'relay.gap')
      .map(({ event }) => event as { topic_ids: string[]; from: string; to: string });
    return this.#stage.sim.sent.flatMap(({ messageId, condition, sentAt }) => {
      const channel = channels.find((each) => each.userId === condition['broadcaster_user_id']);
      if (!channel || sentAt < channel.owedFrom) return [];
      const isTold = gaps.some(
        ({ topic_ids, from, to }) =>
          topic_ids.includes(channel.topicId) && Date.parse(from) <= sentAt && sentAt <= Date.parse(to),
      );
      return logged.has(messageId) || isTold ? [] : [`${messageId} at ${new Date(sentAt).toISOString()}`];
    });
  }

  /** A bot that is about to be taken out, with a wish in it. */
  async #leavingBot(point: CrashPoint): Promise<string> {
    const botId = await this.#stage.addBot(`leaving_${point.replace('.', '_')}`);
    await this.#stage.wish(this.#stage.addChannel(), { botId });
    return botId;
  }

  /** Also where nobody asks again: the row remembers that it is to go. */
  async #isGone(botId: string): Promise<void> {
    const { sim } = this.#stage;
    await until(async () => {
      const { body } = await this.#stage.admin('GET', '/v1/bots');
      return Array.isArray(body) && !body.some((bot: { id: string }) => bot.id === botId);
    }, 'the bot to be gone');
    const users = new Set(
      sim
        .users()
        .filter(({ login }) => login.startsWith('leaving_'))
        .map(({ id }) => id),
    );
    await until(
      () => !sim.subscriptions().some((each) => users.has(each.userId) && each.status === 'enabled'),
      'its subscriptions to be gone',
    );
  }
}

/** Frames that repeat an event without a higher attempt than it had before. */
function unmarked(frames: readonly { readonly attempt: number; readonly event: RelayEvent }[]): string[] {
  const highest = new Map<string, number>();
  return frames.flatMap(({ attempt, event }) => {
    const before = highest.get(event.id) ?? 0;
    highest.set(event.id, Math.max(before, attempt));
    return attempt > before ? [] : [`${event.id} attempt ${attempt}`];
  });
}

function failingOnce(fails: boolean): CrashStage['receiver']['reply'] {
  let left = fails ? 1 : 0;
  return () => (left-- > 0 ? 500 : 204);
}

const channelOf = ({ event }: RelayEvent): unknown =>
  (event as Record<string, unknown>)['broadcaster_user_id'];
