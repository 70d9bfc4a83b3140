// What the kinds of the Twitch side have in common: losing and moving a session, a wish of their own, a new grant.
import { allScopes } from '../../support/world.ts';
import type { ReconnectOptions } from '../../simulator/index.ts';
import { Api, type Service } from '../api.ts';
import type { DatabaseKind, Stage, StageBot, Topic } from '../contract.ts';
import { interestBody } from '../population.ts';
import { anyOf } from './pick.ts';

export const everyDatabase: readonly DatabaseKind[] = ['embedded', 'postgres'];

/** Types beside the load's, on the bot's own channel: nobody is judged by them, and they cost nothing. */
const typesOfWishes = ['channel.ban', 'channel.unban', 'channel.subscription.gift', 'channel.poll.end'];

export const topicsOf = ({ topics }: Stage, bot: StageBot): readonly Topic[] =>
  topics.filter((topic) => topic.bot.id === bot.id);

/** A moment of the run's own choosing, in whole milliseconds. */
export const anyMs = ({ random }: Stage, fromMs: number, toMs: number): number =>
  Math.round(fromMs + random() * (toMs - fromMs));

export function subscriptionsOf({ sim }: Stage, { userId }: StageBot, type?: string) {
  return sim
    .subscriptions()
    .filter(
      (each) =>
        each.userId === userId &&
        each.status === 'enabled' &&
        !each.zombie &&
        (type === undefined || each.type === type),
    );
}

/** Every topic of the bot is subscribed on a session that lives. */
export async function subscribed(stage: Stage, bot: StageBot, timeoutMs?: number): Promise<void> {
  await stage.until(
    () => {
      const live = subscriptionsOf(stage, bot);
      return topicsOf(stage, bot).every(({ type, broadcasterId }) =>
        live.some((each) => each.type === type && each.condition['broadcaster_user_id'] === broadcasterId),
      );
    },
    `the topics of ${bot.userId} to be subscribed`,
    timeoutMs,
  );
}

/** Twitch closes the bot's session; 1006: the connection is cut. The id of what was lost. */
export async function loseSession(stage: Stage, bot: StageBot, code = 4000): Promise<string> {
  const old = await stage.session(bot);
  if (code === 1006) stage.sim.dropSession(old);
  else stage.sim.closeSession(old, code);
  return old;
}

/** Twitch asks the bot's session to move; resolves when it has. The new id. */
export async function handOver(stage: Stage, bot: StageBot, options?: ReconnectOptions): Promise<string> {
  const old = await stage.session(bot);
  stage.sim.requestReconnect(old, options);
  return moved(stage, bot, old);
}

export async function moved(stage: Stage, bot: StageBot, old: string): Promise<string> {
  const next = await stage.session(bot, old);
  await stage.until(
    () => stage.sim.sessions().find(({ id, state }) => id === old && state === 'moved'),
    `session ${old} to be moved`,
  );
  return next;
}

/** Calls of one kind that Twitch has answered since. */
export const answered = ({ sim }: Stage, operation: string, since: number, status: number) =>
  sim.requests.filter((each) => each.operation === operation && each.at >= since && each.status === status);

/** The bot's user agrees anew, and the admin brings the tokens in. What was refused is tried again. */
export async function newGrant(stage: Stage, bot: StageBot) {
  const grant = stage.sim.grant({ userId: bot.userId, scopes: allScopes });
  await stage.admin('POST', '/v1/admin/bots/import', {
    name: `bot${stage.bots.indexOf(bot)}`,
    access_token: grant.accessToken,
    refresh_token: grant.refreshToken,
  });
  return grant;
}

export async function botState(stage: Stage, bot: StageBot): Promise<string | undefined> {
  const bots = await stage.admin<{ id: string; state: string }[]>('GET', '/v1/bots');
  return bots.find(({ id }) => id === bot.id)?.state;
}

const services = new WeakMap<Stage, Promise<Service>>();

function ownService(stage: Stage): Promise<Service> {
  const known = services.get(stage);
  if (known) return known;
  const made = stage
    .admin<{ client_id: string; client_secret: string }>('POST', '/v1/admin/service-accounts?name=wishes')
    .then(({ client_id, client_secret }) => ({
      name: 'wishes',
      clientId: client_id,
      clientSecret: client_secret,
    }));
  services.set(stage, made);
  return made;
}

/** An interest that a kind makes and takes back, in a topic that nobody else wants. */
export class Wish {
  readonly type: string;
  readonly #stage: Stage;
  readonly #bot: StageBot;
  readonly #api: Api;
  #made: { service: Service; id: string } | undefined;

  constructor(stage: Stage, bot: StageBot) {
    this.#stage = stage;
    this.#bot = bot;
    this.type = anyOf(stage, typesOfWishes);
    // A service's calls do not need the admin's key.
    this.#api = new Api(stage.relay.url, '');
  }

  async make(): Promise<void> {
    const service = await ownService(this.#stage);
    const body = interestBody({ bot: this.#bot, type: this.type, broadcasterId: this.#bot.userId });
    const { id } = await this.#api.as<{ id: string }>(service, 'POST', '/v1/interests', body);
    this.#made = { service, id };
  }

  /** Resolves when Twitch has it and its owner can see so. */
  async active(): Promise<void> {
    const made = this.#made;
    if (!made) throw new Error('there is no wish');
    await this.#stage.until(async () => {
      if (this.#subscriptions().length !== 1) return false;
      const view = await this.#api.as<{ state: string }>(made.service, 'GET', `/v1/interests/${made.id}`);
      return view.state === 'active';
    }, `the wish for ${this.type} to be active`);
  }

  async withdraw(): Promise<void> {
    if (!this.#made) return;
    const { service, id } = this.#made;
    this.#made = undefined;
    await this.#api.as(service, 'DELETE', `/v1/interests/${id}`);
  }

  /** Resolves when Twitch has no subscription for it any more. */
  async gone(): Promise<void> {
    await this.#stage.until(
      () => this.#subscriptions().length === 0,
      `the subscription to ${this.type} to be removed`,
    );
  }

  #subscriptions() {
    return subscriptionsOf(this.#stage, this.#bot, this.type);
  }
}

/** With a wish of its own; taken back whatever happens. */
export async function withWish(
  stage: Stage,
  bot: StageBot,
  work: (wish: Wish) => Promise<void>,
): Promise<void> {
  const wish = new Wish(stage, bot);
  try {
    await work(wish);
  } finally {
    await wish.withdraw();
  }
  await wish.gone();
}
