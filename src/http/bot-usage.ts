// A bot's topics as the budget counts them. Reads rows, asks nobody upstream.
import { forecast, type Budget, type BudgetTopic } from '../domain/budget.ts';
import type { BotRow, HttpDeps, TopicRow } from './port.ts';

export type WantedTopic = TopicRow & { readonly wanted: boolean };

/** Wanted, and not refused for good: what has, or is about to have, a subscription. */
export const counts = (topic: WantedTopic): boolean =>
  topic.wanted && topic.state !== 'rejected' && topic.state !== 'revoked';

export function budgetTopic(
  deps: Pick<HttpDeps, 'catalogue'>,
  topic: Pick<TopicRow, 'type' | 'version' | 'condition'> &
    Partial<Pick<TopicRow, 'subscriptionId' | 'cost'>>,
): BudgetTopic {
  const known = topic.subscriptionId !== null && topic.subscriptionId !== undefined;
  return {
    condition: topic.condition,
    rule: deps.catalogue.findType(topic.type, topic.version),
    reportedCost: known ? (topic.cost ?? null) : null,
  };
}

/** Users whose grant the relay holds: what Twitch counts as free. */
export const grantedUserIds = (bots: readonly BotRow[]): ReadonlySet<string> =>
  new Set(bots.filter((bot) => bot.state === 'ok').map((bot) => bot.twitchUserId));

export const budgetOf = (
  deps: Pick<HttpDeps, 'catalogue'>,
  topics: readonly WantedTopic[],
  granted: ReadonlySet<string>,
): Budget =>
  forecast(
    topics.filter(counts).map((topic) => budgetTopic(deps, topic)),
    granted,
  );
