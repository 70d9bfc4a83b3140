// All bots' upstreams: starts and ends one per bot account as the rows say, and writes down what is covered. The sole
// creator of sockets towards Twitch is below it, one BotUpstream per bot.
import { reauthEvent } from '../../domain/relay-event.ts';
import { pause } from '../../runtime/clock.ts';
import { BotUpstream, type UpstreamStatus, type WakeReason } from './bot-upstream.ts';
import type { BotUpstreamDeps, Inherited } from './deps.ts';
import { validateHourly } from './validate-hourly.ts';

export interface FleetDeps extends Omit<BotUpstreamDeps, 'checkToken'> {
  /** Aborted by the fleet's stop, once what is covered is written down. */
  readonly stopping: AbortController;
}

interface Running {
  readonly upstream: BotUpstream;
  readonly ended: Promise<void>;
}

export class Fleet {
  readonly #deps: FleetDeps;
  readonly #running = new Map<string, Running>();
  readonly #loops: Promise<void>[] = [];
  readonly #checks = new Set<Promise<unknown>>();

  constructor(deps: FleetDeps) {
    this.#deps = deps;
  }

  /** Begins what is not under way of the bots' sessions and looks at the rows again, while another relay is active. */
  async standBy(): Promise<void> {
    for (const botId of await this.#deps.store.botIds()) this.wake(botId, 'interests');
  }

  /** Since when everything of the topic has been held; null when it is not. */
  heldSince(botId: string, topicId: string): number | null {
    return this.#running.get(botId)?.upstream.succession.heldSince(topicId) ?? null;
  }

  /**
   * The other relay has ended. Between `switchOver` and what each bot inherits no frame is read and no call is made;
   * `switchOver` may ask whether a topic was not held at some instant.
   */
  async takeOver(
    inherited: ReadonlyMap<string, Inherited>,
    switchOver: (missed: (botId: string, topicId: string, at: number) => boolean) => void,
  ): Promise<void> {
    const upstreams = [...this.#running].map(([botId, { upstream }]) => ({ botId, upstream }));
    const resumes = await Promise.all(upstreams.map(({ upstream }) => upstream.succession.pause()));
    try {
      for (const { botId, upstream } of upstreams)
        upstream.succession.gaveUp(inherited.get(botId)?.dropped ?? []);
      switchOver(
        (botId, topicId, at) => this.#running.get(botId)?.upstream.succession.missedAt(topicId, at) ?? true,
      );
      for (const { botId, upstream } of upstreams) {
        const rows = inherited.get(botId);
        if (rows) upstream.succession.inherit(rows);
      }
    } finally {
      for (const resume of resumes) resume();
    }
  }

  /** Begins every bot's session; resolves as soon as they are under way, not when they are live. */
  async start(): Promise<void> {
    for (const botId of await this.#deps.store.botIds()) this.#begin(botId);
    const { clock, keeper, observer, stopping, timings } = this.#deps;
    this.#loops.push(
      this.#recordCoverage(),
      validateHourly(
        {
          keeper,
          clock,
          everyMs: timings.validateMs,
          bots: () => this.#keptBots(),
          onError: (error) => observer.passFailed({ botId: '', error }),
        },
        stopping.signal,
      ),
    );
  }

  /** Something about the bot or its wishes has changed. */
  wake(botId: string, reason: WakeReason): void {
    if (this.#deps.stopping.signal.aborted) return;
    const running = this.#running.get(botId);
    if (running) running.upstream.wake(reason);
    else this.#begin(botId);
  }

  status(botId: string): UpstreamStatus | undefined {
    return this.#running.get(botId)?.upstream.status();
  }

  statuses(): { botId: string; status: UpstreamStatus }[] {
    return [...this.#running].map(([botId, { upstream }]) => ({ botId, status: upstream.status() }));
  }

  /** The grant is gone: the owners of the bot's topics are told. Given to the token keeper as `onReauth`. */
  reauthRequired(botId: string, reason: string): void {
    this.#track(botId, this.#tellReauth(botId, reason));
  }

  async #tellReauth(botId: string, reason: string): Promise<void> {
    const { clock, observer, sink, store } = this.#deps;
    observer.reauthRequired({ botId, reason });
    const [bot, topics] = [await store.bot(botId), await store.topics(botId)];
    // The owners of one that is being taken out are told that instead.
    if (bot && bot.removedAt === null) {
      const topicIds = topics.filter((topic) => topic.wanted).map((topic) => topic.id);
      // Not awaited: with the database away it is durable only later, and a stop would wait for that.
      const event = reauthEvent({ id: botId, name: bot.name, topicIds }, reason, clock.now());
      void sink.declare(event).catch(() => undefined);
    }
    this.wake(botId, 'bot');
  }

  /** Writes down what is covered and closes every socket; resolves when they are closed. */
  async stop(): Promise<void> {
    await this.#saveCoverage();
    this.#deps.stopping.abort();
    await Promise.all([...this.#running.values()].map((running) => running.ended));
    await Promise.all([...this.#loops, ...this.#checks]);
  }

  /** Every token that is kept, also of a bot that is switched off; not of one that is being taken out. */
  async #keptBots(): Promise<readonly string[]> {
    const { store } = this.#deps;
    const bots = await Promise.all((await store.botIds()).map((botId) => store.bot(botId)));
    return bots.flatMap((bot) => (bot?.removedAt === null ? [bot.id] : []));
  }

  #begin(botId: string): void {
    if (this.#running.has(botId)) return;
    const upstream = new BotUpstream({ ...this.#deps, checkToken: (id) => this.#checkToken(id) }, botId);
    // It ends by itself when the bot's row is gone.
    const ended = upstream.run(this.#deps.stopping.signal).then(() => void this.#running.delete(botId));
    this.#running.set(botId, { upstream, ended });
  }

  #checkToken(botId: string): void {
    if (this.#deps.standingBy?.()) return;
    this.#track(botId, this.#deps.keeper.validate(botId));
  }

  /** Work that a stop waits for. */
  #track(botId: string, work: Promise<unknown>): void {
    const check = work
      .catch((error: unknown) => this.#deps.observer.passFailed({ botId, error }))
      .finally(() => this.#checks.delete(check));
    this.#checks.add(check);
  }

  async #recordCoverage(): Promise<void> {
    const { clock, stopping, timings } = this.#deps;
    while ((await pause(clock, timings.coverageMs, stopping.signal)) === 'elapsed')
      await this.#saveCoverage();
  }

  async #saveCoverage(): Promise<void> {
    const { observer, store } = this.#deps;
    const rows: { id: string; at: number }[] = [];
    for (const [id, { upstream }] of this.#running) {
      try {
        const at = await upstream.covered();
        if (at !== undefined) rows.push({ id, at });
      } catch (error) {
        observer.passFailed({ botId: id, error });
      }
    }
    if (rows.length === 0) return;
    await store.saveCoverage(rows).catch((error: unknown) => observer.passFailed({ botId: '', error }));
  }
}
