// From a validated request to a stored wish: bot, broadcaster, topic, obstacles, budget, receiver, row. What is refused
// costs nothing and stores nothing. The budget is a forecast, not a lock: of two wishes at the same moment both may pass,
// and then the platform decides.
import { mayUse } from '../domain/access.ts';
import { fits } from '../domain/budget.ts';
import { RelayError } from '../domain/errors.ts';
import type { EventTypeRule } from '../domain/event-type.ts';
import { topicId, type TopicSpec } from '../domain/topic.ts';
import { botObstacle, resolveWish, type WishRefusal } from '../domain/wish.ts';
import { readBroadcaster } from '../domain/wish-broadcaster.ts';
import { webhookUrlOf } from '../domain/wish-webhook.ts';
import type { CreateInterestBody } from '../protocol/rest.ts';
import { admitWebhook } from './admit-webhook.ts';
import { budgetTopic, counts, grantedUserIds } from './bot-usage.ts';
import { fieldRefusal } from './parse.ts';
import type { BotRow, HttpDeps, InterestRow, ServiceRow } from './port.ts';

/**
 * Idempotent: the same wish again, in whatever spelling and however concurrently, gives the same row. `webhookSecret` is
 * set for the one call that made the endpoint.
 */
export async function createInterest(
  deps: HttpDeps,
  service: ServiceRow,
  body: CreateInterestBody,
): Promise<{ interest: InterestRow; created: boolean; webhookSecret: string | null }> {
  const { id: serviceAccountId } = service;
  const bot = await usableBot(deps, service, body.bot_account_id);
  const broadcasterUserId = await resolveBroadcaster(deps, bot, body.broadcaster_user_id ?? null);
  const wish = {
    eventType: body.event_type,
    version: body.version ?? null,
    condition: body.condition ?? null,
    broadcasterUserId,
    transport: body.transport,
    webhookUrl: body.webhook_url ?? null,
  };
  const outcome = resolveWish(wish, bot, deps.catalogue);
  if (!outcome.ok) throw refused(outcome.error);
  const { topic, rule } = outcome;
  const existing = await deps.store.interests.filters(serviceAccountId);
  const id = topicId(topic);
  if (!existing.some((row) => row.topicId === id)) await refuseImpossible(deps, bot, topic, rule);
  const webhookUrl = wish.webhookUrl ? webhookUrlOf(wish.webhookUrl) : null;
  const webhookSecret =
    webhookUrl === null
      ? undefined
      : await admitWebhook(deps, { serviceAccountId, topicId: id, url: webhookUrl }, existing);
  const { transport } = body;
  return deps.audience.whileChanging(serviceAccountId, () => {
    const made = { serviceAccountId, topic, transport, webhookUrl, createdSeq: deps.feed.head() };
    return deps.store.interests.create({
      ...made,
      ...(webhookSecret === undefined ? {} : { webhookSecret }),
    });
  });
}

/**
 * Before anything is asked of Twitch in the bot's name. A forbidden bot is told apart from none: services are the
 * operator's own, and whoever reads "no such bot" would look for a mistake in the id.
 */
async function usableBot(deps: HttpDeps, service: ServiceRow, botId: string): Promise<BotRow> {
  const path = 'bot_account_id';
  const bot = await deps.store.bots.get(botId);
  if (!bot) throw fieldRefusal(path, `${path}: there is no such bot`, 'unknown_bot', 404);
  // Its own id: the one that was given may be spelled in capitals.
  if (mayUse(service, bot.id)) return bot;
  const message =
    `${path}: this service may not use bot ${bot.name}. An admin allows it with ` +
    `PATCH /v1/admin/service-accounts/${service.clientId}, naming the bot in bot_account_ids`;
  throw fieldRefusal(path, message, 'bot_access_denied', 403);
}

async function resolveBroadcaster(deps: HttpDeps, bot: BotRow, text: string | null): Promise<string | null> {
  if (text === null) return null;
  const path = 'broadcaster_user_id';
  const read = readBroadcaster(text);
  switch (read.kind) {
    case 'id':
      return read.id;
    case 'unreadable':
      throw fieldRefusal(
        path,
        `${path}: expected a user id, a login or a channel URL; given "${text.slice(0, 80)}"`,
      );
    case 'login': {
      // Whoever cannot ask for anything cannot ask for a name either.
      const obstacle = botObstacle(bot, undefined);
      if (obstacle) throw refused(obstacle);
      const user = await deps.lookupUser(bot.id, read.login);
      if (user) return user.id;
      throw fieldRefusal(path, `${path}: Twitch knows no user "${read.login}"`, 'unknown_user');
    }
  }
}

async function refuseImpossible(
  deps: HttpDeps,
  bot: BotRow,
  topic: TopicSpec,
  rule: EventTypeRule | undefined,
): Promise<void> {
  const obstacle = botObstacle(bot, rule);
  if (obstacle) throw refused(obstacle);
  const [topics, bots] = await Promise.all([deps.store.topics.forBot(bot.id), deps.store.bots.list()]);
  const id = topicId(topic);
  const counted = topics.filter(counts);
  // Somebody else wants the same already: it costs nothing more.
  if (counted.some((known) => known.id === id)) return;
  const used = counted.map((known) => budgetTopic(deps, known));
  const verdict = fits(used, budgetTopic(deps, topic), grantedUserIds(bots));
  if (!verdict.ok) throw fieldRefusal('bot_account_id', verdict.message, verdict.code);
}

const refused = ({ code, status, message, errors }: WishRefusal): RelayError =>
  new RelayError(code, status, message, { errors });
