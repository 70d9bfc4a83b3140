// The forecast of Twitch's limits per bot, so that a wish that cannot work is refused before it costs anything. Pure.
// Source: dev.twitch.tv/docs/eventsub/manage-subscriptions, "subscription limits", 2026-11.
import { needsAuthorization, type EventTypeRule } from './event-type.ts';
import type { Condition } from './topic.ts';

/** Per (client id, user): enabled subscriptions on one socket, sockets, and the sum of costs. */
export const budgetLimits = { subscriptionsPerSocket: 300, sockets: 3, cost: 10 } as const;
export const subscriptionLimit = budgetLimits.subscriptionsPerSocket * budgetLimits.sockets;

/** What counts: a topic that somebody wants and that Twitch has not refused. */
export interface BudgetTopic {
  readonly condition: Condition;
  /** The catalogue's entry; undefined for a type that it does not know. */
  readonly rule: EventTypeRule | undefined;
  /** What Twitch reported for the topic's subscription; null while it has none. */
  readonly reportedCost: number | null;
}

export interface Usage {
  readonly used: number;
  readonly limit: number;
}
export interface Budget {
  readonly subscriptions: Usage;
  readonly cost: Usage;
}

export type BudgetVerdict =
  | { readonly ok: true; readonly cost: number }
  | { readonly ok: false; readonly code: 'budget_exceeded'; readonly message: string };

/**
 * What one subscription costs: what Twitch reported; else 0 if the type needs an authorization or the user in the
 * condition is known to have authorised the app, else 1. An unknown type is taken as free: Twitch has the last word.
 */
export function costOf(topic: BudgetTopic, knownUserIds: ReadonlySet<string>): number {
  if (topic.reportedCost !== null) return topic.reportedCost;
  if (!topic.rule || needsAuthorization(topic.rule)) return 0;
  return Object.values(topic.condition).some((value) => knownUserIds.has(value)) ? 0 : 1;
}

/** What the topics use of the bot's limits. `knownUserIds`: users whose token this relay holds. */
export function forecast(topics: readonly BudgetTopic[], knownUserIds: ReadonlySet<string>): Budget {
  const cost = topics.reduce((sum, topic) => sum + costOf(topic, knownUserIds), 0);
  return {
    subscriptions: { used: topics.length, limit: subscriptionLimit },
    cost: { used: cost, limit: budgetLimits.cost },
  };
}

/** Whether one more topic fits beside `topics`; a refusal tells what is used and free. */
export function fits(
  topics: readonly BudgetTopic[],
  candidate: BudgetTopic,
  knownUserIds: ReadonlySet<string>,
): BudgetVerdict {
  const budget = forecast(topics, knownUserIds);
  const cost = costOf(candidate, knownUserIds);
  if (budget.subscriptions.used + 1 > budget.subscriptions.limit) {
    return exceeded(
      'subscriptions',
      budget.subscriptions,
      1,
      'drop an interest of this bot or use another bot',
    );
  }
  if (cost > 0 && budget.cost.used + cost > budget.cost.limit) {
    return exceeded(
      'cost',
      budget.cost,
      cost,
      'have the broadcaster authorise the app (POST /v1/broadcaster-authorizations/start), which makes it free, or use another bot',
    );
  }
  return { ok: true, cost };
}

function exceeded(what: string, usage: Usage, needed: number, cure: string): BudgetVerdict {
  const free = Math.max(0, usage.limit - usage.used);
  const message = `Twitch's limit of ${what} for this bot would be passed: ${usage.used} of ${usage.limit} used, ${free} free, ${needed} needed; ${cure}`;
  return { ok: false, code: 'budget_exceeded', message };
}
