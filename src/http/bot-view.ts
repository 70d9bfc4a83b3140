// A bot as an answer shows it: to the admin with what its session and its budget are like, to a service without.
import type { z } from 'zod';
import type { accessibleBot, BotView } from '../protocol/rest.ts';
import { isoTime } from '../runtime/clock.ts';
import { budgetOf } from './bot-usage.ts';
import type { BotRow, HttpDeps } from './port.ts';

export const identity = (bot: BotRow): z.input<typeof accessibleBot> => ({
  id: bot.id,
  name: bot.name,
  provider: bot.provider,
  twitch_user_id: bot.twitchUserId,
  twitch_login: bot.twitchLogin,
  enabled: bot.enabled,
  state: bot.state,
  scopes: [...bot.scopes],
});

/** `granted`: users whose grant the relay holds, as `grantedUserIds` has it. */
export async function botView(deps: HttpDeps, bot: BotRow, granted: ReadonlySet<string>): Promise<BotView> {
  const topics = await deps.store.topics.forBot(bot.id);
  const states: Record<string, number> = {};
  for (const { state, wanted } of topics) if (wanted) states[state] = (states[state] ?? 0) + 1;
  const status = deps.upstream.botStatus(bot.id);
  const { subscriptions, cost } = status.usage ?? budgetOf(deps, topics, granted);
  return {
    ...identity(bot),
    token_expires_at: bot.tokenExpiresAt === null ? null : isoTime(bot.tokenExpiresAt),
    session: { ...status.session },
    subscriptions: { ...subscriptions },
    cost: { ...cost },
    topics: states,
  };
}
