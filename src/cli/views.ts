// Bots, services, interests and the rest as columns, the same for the commands and the console. Pure.
import type {
  AttemptView,
  BotView,
  ConsumerView,
  EndpointView,
  InterestView,
  ServiceView,
} from '../client/index.ts';
import { count, relative } from './format.ts';
import type { Style } from './style.ts';
import type { Column } from './table.ts';

/** Green for what is well, red for what somebody has to look at, yellow for what may pass. */
function paintState(text: string, _row: unknown, style: Style): string {
  const [word = ''] = text.trim().split(/[ (]/u);
  if (good.has(word)) return style.green(text);
  if (bad.has(word)) return style.red(text);
  return style.yellow(text);
}
const good: ReadonlySet<string> = new Set([
  'live',
  'idle',
  'active',
  'healthy',
  'delivered',
  'enabled',
  'yes',
]);
const bad: ReadonlySet<string> = new Set([
  'reauthorise',
  'rejected',
  'revoked',
  'disabled',
  'failed',
  'expired',
]);

/** One word for how a bot is. */
export function botState(bot: BotView): string {
  if (!bot.enabled) return 'disabled';
  if (bot.state === 'reauth_required') return 'reauthorise';
  return bot.session.state === 'none' ? 'idle' : bot.session.state;
}

const topicsOf = (bot: BotView) =>
  Object.entries(bot.topics)
    .map(([state, topics]) => `${topics} ${state}`)
    .join(', ') || '–';

export const botColumns = (nowMs: number): readonly Column<BotView>[] => [
  { title: 'NAME', value: (bot) => bot.name, whole: true },
  { title: 'LOGIN', value: (bot) => bot.twitch_login },
  { title: 'STATE', value: botState, paint: paintState, whole: true },
  { title: 'TOPICS', value: topicsOf },
  { title: 'SUBSCRIPTIONS', value: ({ subscriptions: { used, limit } }) => `${used}/${limit}` },
  { title: 'COST', value: ({ cost: { used, limit } }) => `${used}/${limit}` },
  { title: 'LAST FRAME', value: (bot) => relative(bot.session.last_frame_at, nowMs) },
];

export const botDetails = (nowMs: number): readonly Column<BotView>[] => [
  { title: 'name', value: (bot) => bot.name },
  { title: 'id', value: (bot) => bot.id },
  { title: 'Twitch user', value: (bot) => `${bot.twitch_login} (${bot.twitch_user_id})` },
  { title: 'state', value: botState, paint: paintState },
  { title: 'scopes', value: (bot) => bot.scopes.join(' ') || '–' },
  { title: 'token', value: (bot) => tokenText(bot, nowMs) },
  {
    title: 'session',
    value: ({ session }) =>
      `${session.state}, ${count(session.sockets, 'socket')}, ${count(session.reconnects, 'reconnect')}`,
  },
  { title: 'connected', value: (bot) => relative(bot.session.connected_at, nowMs) },
  { title: 'last frame', value: (bot) => relative(bot.session.last_frame_at, nowMs) },
  { title: 'subscriptions', value: ({ subscriptions }) => `${subscriptions.used} of ${subscriptions.limit}` },
  { title: 'cost', value: ({ cost }) => `${cost.used} of ${cost.limit}` },
  { title: 'topics', value: topicsOf },
];

function tokenText(bot: BotView, nowMs: number): string {
  if (bot.state === 'reauth_required') return 'refused by Twitch: authorise the bot again';
  return bot.token_expires_at === null
    ? '–'
    : `renewed ${relative(bot.token_expires_at, nowMs)} at the latest`;
}

export const serviceColumns = (nowMs: number): readonly Column<ServiceView>[] => [
  { title: 'NAME', value: (service) => service.name, whole: true },
  { title: 'CLIENT ID', value: (service) => service.client_id, whole: true },
  {
    title: 'STATE',
    value: (service) => (service.enabled ? 'enabled' : 'disabled'),
    paint: paintState,
    whole: true,
  },
  { title: 'BOTS', value: accessText },
  { title: 'LAST SEEN', value: (service) => relative(service.last_seen_at, nowMs) },
];

export const accessText = (service: ServiceView): string =>
  service.access_mode === 'all' ? 'all' : `${service.bot_account_ids.length} chosen`;

const who = (interest: InterestView) => interest.broadcaster_user_id ?? conditionText(interest);
const conditionText = (interest: InterestView) =>
  Object.entries(interest.condition)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

export const interestColumns: readonly Column<InterestView>[] = [
  { title: 'ID', value: (interest) => interest.id, whole: true },
  { title: 'TYPE', value: (interest) => `${interest.event_type} ${interest.version}` },
  { title: 'OF', value: who },
  { title: 'STATE', value: (interest) => interest.state, paint: paintState, whole: true },
  { title: 'OVER', value: (interest) => interest.webhook_url ?? interest.transport },
  { title: 'REASON', value: (interest) => interest.reason ?? '' },
];

export const interestDetails: readonly Column<InterestView>[] = [
  { title: 'id', value: (interest) => interest.id },
  { title: 'type', value: (interest) => `${interest.event_type} ${interest.version}` },
  { title: 'condition', value: conditionText },
  { title: 'bot', value: (interest) => interest.bot_account_id },
  { title: 'transport', value: (interest) => interest.webhook_url ?? interest.transport },
  { title: 'endpoint', value: (interest) => interest.endpoint_id ?? '–' },
  { title: 'topic', value: (interest) => interest.topic_id },
  { title: 'state', value: (interest) => interest.state, paint: paintState },
  { title: 'reason', value: (interest) => interest.reason ?? '–' },
  { title: 'tried again', value: (interest) => interest.retry_at ?? '–' },
  { title: 'created', value: (interest) => interest.created_at },
];

export const consumerColumns = (nowMs: number): readonly Column<ConsumerView>[] => [
  { title: 'NAME', value: (consumer) => consumer.name, whole: true },
  {
    title: 'CONNECTED',
    value: (consumer) => (consumer.connected ? 'yes' : 'no'),
    paint: paintState,
  },
  { title: 'BEHIND', value: (consumer) => count(consumer.behind_events, 'event') },
  { title: 'POSITION', value: (consumer) => consumer.position, whole: true },
  { title: 'UPDATED', value: (consumer) => relative(consumer.updated_at, nowMs) },
];

export const endpointColumns = (nowMs: number): readonly Column<EndpointView>[] => [
  { title: 'ID', value: (endpoint) => endpoint.id, whole: true },
  { title: 'URL', value: (endpoint) => endpoint.url },
  { title: 'STATE', value: (endpoint) => endpoint.state, paint: paintState, whole: true },
  { title: 'BEHIND', value: (endpoint) => count(endpoint.behind_events, 'event') },
  { title: 'WAITING', value: (endpoint) => String(endpoint.waiting) },
  { title: 'SINCE', value: (endpoint) => relative(endpoint.state_since, nowMs) },
];

export const endpointDetails = (nowMs: number): readonly Column<EndpointView>[] => [
  { title: 'id', value: (endpoint) => endpoint.id },
  { title: 'url', value: (endpoint) => endpoint.url },
  { title: 'description', value: (endpoint) => endpoint.description || '–' },
  { title: 'state', value: (endpoint) => endpoint.state, paint: paintState },
  { title: 'reason', value: (endpoint) => endpoint.reason ?? '–' },
  { title: 'since', value: (endpoint) => relative(endpoint.state_since, nowMs) },
  { title: 'next probe', value: (endpoint) => relative(endpoint.next_probe_at, nowMs) },
  { title: 'retries', value: (endpoint) => endpoint.retry_profile },
  { title: 'order', value: (endpoint) => endpoint.order },
  { title: 'concurrency', value: (endpoint) => String(endpoint.concurrency) },
  { title: 'behind', value: (endpoint) => count(endpoint.behind_events, 'event') },
  { title: 'waiting', value: (endpoint) => count(endpoint.waiting, 'event') },
  { title: 'position', value: (endpoint) => endpoint.position },
];

export const attemptColumns = (nowMs: number): readonly Column<AttemptView>[] => [
  { title: 'ID', value: (attempt) => attempt.id, whole: true },
  { title: 'WHEN', value: (attempt) => relative(attempt.started_at, nowMs) },
  { title: 'TYPE', value: (attempt) => attempt.event_type },
  { title: 'EVENT', value: (attempt) => attempt.event_id, whole: true },
  { title: 'TRY', value: (attempt) => String(attempt.attempt) },
  { title: 'STATE', value: (attempt) => attempt.state, paint: paintState, whole: true },
  { title: 'OUTCOME', value: outcomeText },
];

const outcomeText = (attempt: AttemptView) =>
  `${attempt.status ?? attempt.outcome} in ${attempt.duration_ms} ms${attempt.next_attempt_at === null ? '' : ', again later'}`;
