// The whole Twitch side on rows in memory, against Twitch's stand-in: for tests that must make a single write fail, or
// stop the relay between two of them.
import type { EventDraft } from '../../src/domain/event.ts';
import { topicId } from '../../src/domain/topic.ts';
import { silentObserver, type UpstreamObserver } from '../../src/upstream/observer.ts';
import type { UpstreamBot, UpstreamStore, UpstreamTopic } from '../../src/upstream/store-port.ts';
import { defaultTimings } from '../../src/upstream/twitch/timings.ts';
import type { StoredTokens } from '../../src/upstream/twitch/token-keeper.ts';
import { createTwitchUpstream, type TwitchUpstream } from '../../src/upstream/twitch/twitch-upstream.ts';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { AuthorizationMemory } from '../support/authorization-memory.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

export const botId = 'bot';
export const userId = '1001';
const types = ['stream.online', 'channel.update'] as const;
const versions = { 'stream.online': '1', 'channel.update': '2' } as const;

interface Interest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly botAccountId: string;
  readonly topicId: string;
}

/** Rows that outlive a relay. */
export class Rows {
  bot: UpstreamBot | undefined;
  tokens: StoredTokens | undefined;
  readonly topics = new Map<string, Omit<UpstreamTopic, 'wanted' | 'interestCount'>>();
  interests: Interest[] = [];
  validated = 0;
  /** The write or read of this name fails, and all that follow: the process is as good as dead. */
  failAt: string | null = null;
  dead = false;
  /** What was called, without reads. */
  readonly log: string[] = [];

  /** Two topics with an interest of a service each. */
  wish(): void {
    for (const type of types) this.want(type, versions[type], { broadcaster_user_id: userId });
  }

  /** A topic with an interest of a service of its own; topics come in the order in which they were wanted. */
  want(type: string, version: string, condition: Readonly<Record<string, string>>): void {
    const id = topicId({ provider: 'twitch', botAccountId: botId, type, version, condition });
    const index = this.topics.size % types.length;
    this.topics.set(id, {
      id,
      type,
      version,
      condition,
      state: 'pending',
      retryAt: null,
      subscriptionId: null,
      gapFrom: null,
      gapCause: null,
      createdAt: 0,
    });
    this.interests.push({
      id: `interest-${index}-${this.log.length}-${this.interests.length}`,
      serviceAccountId: `service-${index}`,
      botAccountId: botId,
      topicId: id,
    });
  }

  remove(): void {
    if (this.bot) this.bot = { ...this.bot, removedAt: 1 };
  }

  readonly store: UpstreamStore = {
    bot: () => this.#step('bot', () => this.bot),
    botIds: () => Promise.resolve(this.bot ? [this.bot.id] : []),
    interestsOfBot: () => this.#step('interestsOfBot', () => [...this.interests]),
    removeInterests: (_botId, ids) =>
      this.#step('removeInterests', () => {
        this.log.push('removeInterests');
        this.interests = this.interests.filter(({ id }) => !ids.includes(id));
      }),
    forgetBot: () =>
      this.#step('forgetBot', () => {
        this.log.push('forgetBot');
        if (this.bot?.removedAt === null || !this.bot) return false;
        this.bot = undefined;
        this.topics.clear();
        return true;
      }),
    topics: () => this.#step('topics', () => [...this.topics.values()].map((topic) => this.#wanted(topic))),
    updateTopic: (id, patch) =>
      this.#step('updateTopic', () => {
        const topic = this.topics.get(id);
        if (topic) this.topics.set(id, { ...topic, ...patch });
      }),
    forgetTopic: (id) =>
      this.#step(
        'forgetTopic',
        () => this.#wanted(this.topics.get(id)).interestCount === 0 && this.topics.delete(id),
      ),
    interestsOf: (id) => Promise.resolve(this.interests.filter((each) => each.topicId === id)),
    saveCoverage: () => Promise.resolve(),
  };

  #wanted(topic: Omit<UpstreamTopic, 'wanted' | 'interestCount'> | undefined): UpstreamTopic {
    if (!topic) throw new Error('no such topic');
    const interestCount = this.interests.filter((each) => each.topicId === topic.id).length;
    return { ...topic, interestCount, wanted: interestCount > 0 && this.bot?.removedAt === null };
  }

  #step<T>(name: string, work: () => T): Promise<T> {
    if (this.failAt === name) this.dead = true;
    return this.dead ? Promise.reject(new Error(`the process died at ${name}`)) : Promise.resolve(work());
  }
}

export class Rig {
  readonly clock = new ShiftClock();
  readonly rows = new Rows();
  readonly memory = new AuthorizationMemory(() => this.clock.now());
  /** By id, as the log keeps them. */
  readonly events = new Map<string, EventDraft>();
  readonly told: string[] = [];
  readonly reauth: string[] = [];
  failures = 0;
  /** Declared events become durable only when this is resolved. */
  durable: Promise<unknown> = Promise.resolve();
  readonly sim: Simulator;
  #upstream: TwitchUpstream | undefined;
  readonly #portBefore = process.env.TWURPLE_MOCK_API_PORT;

  private constructor(sim: Simulator) {
    this.sim = sim;
    process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  }

  static async open(): Promise<Rig> {
    const sim = await startSimulator({ seed: 9 });
    sim.addUser({ id: userId, login: 'relaybot' });
    const rig = new Rig(sim);
    rig.authorise();
    return rig;
  }

  get upstream(): TwitchUpstream {
    if (!this.#upstream) throw new Error('the relay is stopped');
    return this.#upstream;
  }

  /** What an import or a finished authorization leaves behind; also of a bot that is being taken out. */
  authorise(): void {
    this.rows.tokens = { ...this.sim.grant({ userId, scopes: [] }), expiresAt: null };
    const { bot } = this.rows;
    this.rows.bot = {
      ...(bot ?? { id: botId, name: 'Bot', twitchUserId: userId, enabled: true, coveredUntil: null }),
      state: 'ok',
      validatedAt: this.clock.now(),
      removedAt: null,
    };
  }

  async start(): Promise<void> {
    this.rows.dead = false;
    this.rows.failAt = null;
    this.#upstream = this.#create();
    await this.#upstream.start();
  }

  /** A relay whose two topics are confirmed. */
  async live(): Promise<void> {
    this.rows.wish();
    await this.start();
    await until(() => this.upstream.status(botId)?.confirmed === 2, { what: 'two confirmed topics' });
  }

  wake(): void {
    this.upstream.wake(botId, 'bot');
  }

  async stop(): Promise<void> {
    await this.#upstream?.stop();
    this.#upstream = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    if (this.#portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
    else process.env.TWURPLE_MOCK_API_PORT = this.#portBefore;
    await this.sim.close();
  }

  eventsOf(type: string): EventDraft[] {
    return [...this.events.values()].filter((each) => each.type === type);
  }

  requests(operation: string): number {
    return this.sim.requests.filter((each) => each.operation === operation).length;
  }

  #create(): TwitchUpstream {
    const { rows, clock, sim, memory } = this;
    const observer: UpstreamObserver = {
      ...silentObserver,
      passFailed: () => void this.failures++,
      reauthRequired: ({ reason }) => void this.reauth.push(reason),
      botRemoval: ({ step, done }) => void this.told.push(done ? step : `not ${step}`),
    };
    return createTwitchUpstream({
      clientId: sim.clientId,
      clientSecret: sim.clientSecret,
      eventSubUrl: sim.eventSubUrl,
      keepaliveSeconds: 10,
      clock,
      timings: { ...defaultTimings, backOff: { firstMs: 20, maxMs: 100 }, coverageMs: 50 },
      random: () => 0,
      store: rows.store,
      tokens: {
        tokens: () => Promise.resolve(rows.tokens),
        saveTokens: (_id, tokens) => Promise.resolve(void (rows.tokens = tokens)),
        setValidated: () => Promise.resolve(void rows.validated++),
        requireReauth: () => Promise.resolve(this.#setState('reauth_required')),
        clearReauth: () => Promise.resolve(this.#setState('ok')),
      },
      authorizations: memory.store,
      grants: memory.grants,
      redirectUri: () => 'http://localhost:8480/oauth/callback',
      mockApiPort: sim.port,
      sink: {
        notification: () => undefined,
        declare: async (draft) => {
          await this.durable;
          this.events.set(draft.id, draft);
        },
        durableUntil: (_id, at) => at,
      },
      observer,
    });
  }

  #setState(state: UpstreamBot['state']): boolean {
    const { bot } = this.rows;
    if (!bot || bot.state === state) return false;
    this.rows.bot = { ...bot, state };
    return true;
  }
}
