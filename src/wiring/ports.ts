// Small adapters between rooms that do not know each other: what one has, in the shape in which another asks for it.
// No rule of the relay lives here.
import type { ImportBotBody } from '../protocol/rest.ts';
import { RelayError } from '../domain/errors.ts';
import type { GatewayHandle } from '../delivery/gateway/index.ts';
import type { BotStatus, HttpDeps } from '../http/port.ts';
import type { Database } from '../store/database.ts';
import { migrationState } from '../store/migrate.ts';
import type { Store } from '../store/store.ts';
import type { Bot } from '../store/bots.ts';
import type { AffectedInterest } from '../store/services.ts';
import type { BusinessEvents } from '../observability/business-events.ts';
import type { Ingest } from '../ingest/ingest.ts';
import { isoTime, type Clock } from '../runtime/clock.ts';
import type { GrantStore } from '../upstream/authorization-port.ts';
import type { UpstreamStore } from '../upstream/store-port.ts';
import type { TokenStore } from '../upstream/twitch/token-keeper.ts';
import type { TwitchUpstream } from '../upstream/twitch/twitch-upstream.ts';

export const upstreamStore = (store: Store): UpstreamStore => ({
  bot: (id) => store.bots.getAny(id),
  botIds: () => store.bots.ids(),
  topics: (botId) => store.topics.forBot(botId),
  updateTopic: (id, patch, only) => store.topics.update(id, patch, only),
  forgetTopic: (id) => store.topics.removeIfUnwanted(id),
  interestsOf: (topicId) => store.topics.interestsOf(topicId),
  interestsOfBot: (botId) => store.interests.ofBot(botId),
  removeInterests: (botId, ids) => store.interests.removeOfBot(botId, ids),
  forgetBot: (botId) => store.bots.finishRemoval(botId),
  saveCoverage: (rows) => store.bots.saveCoverage(rows),
});

export const grantStore = (
  store: Store,
  tellResumed: (resumed: readonly AffectedInterest[]) => Promise<void>,
): GrantStore => ({
  get: (id) => store.bots.get(id),
  byTwitchUser: (twitchUserId) => store.bots.byTwitchUser(twitchUserId),
  save: (grant) => store.bots.upsert(grant),
  async allow(serviceAccountId, botId) {
    const changed = await store.services.allowBot(serviceAccountId, botId);
    await tellResumed(changed?.resumed ?? []);
  },
});

export const tokenStore = (store: Store): TokenStore => ({
  tokens: (botId) => store.bots.tokens(botId),
  saveTokens: (botId, tokens, only) => store.bots.saveTokens(botId, tokens, only),
  setValidated: (botId, at) => store.bots.setValidated(botId, at),
  requireReauth: (botId, only) => store.bots.requireReauth(botId, only),
  clearReauth: (botId) => store.bots.setState(botId, 'ok'),
});

export async function importBot(
  store: Store,
  upstream: TwitchUpstream,
  told: Pick<BusinessEvents, 'authorization'>,
  body: ImportBotBody,
): Promise<Bot> {
  const { facts, tokens } = await upstream.inspect({
    accessToken: body.access_token,
    refreshToken: body.refresh_token ?? null,
    scopes: body.scopes,
  });
  const { bot } = await store.bots.upsert({
    name: body.name,
    twitchUserId: facts.userId,
    twitchLogin: facts.login,
    scopes: facts.scopes,
    ...tokens,
  });
  told.authorization('import', 'completed', { bot: bot.id });
  return bot;
}

export function botStatus(upstream: TwitchUpstream, botId: string): BotStatus {
  const status = upstream.status(botId);
  return {
    session: {
      state: status?.state ?? 'none',
      sockets: status?.sockets ?? 0,
      connected_at: instant(status?.connectedAt),
      last_frame_at: instant(status?.lastFrameAt),
      reconnects: status?.reconnects ?? 0,
    },
    healthy: status?.healthy ?? false,
    detail: status ? status.detail || 'every wanted topic is confirmed' : 'not started yet',
    usage: null,
  };
}

const instant = (ms: number | null | undefined): string | null =>
  ms === null || ms === undefined ? null : isoTime(ms);

/** An acknowledgement over HTTP: by the open connection if there is one, else straight into the row. */
export const consumerActions = (
  store: Store,
  gateway: () => GatewayHandle | undefined,
): HttpDeps['consumerActions'] => ({
  connected: (serviceId, name) => gateway()?.isConnected(serviceId, name) ?? false,
  async ack(serviceId, name, seq) {
    const outcome = gateway()?.acknowledge(serviceId, name, seq) ?? 'not_connected';
    if (outcome === 'beyond') {
      const message = 'cursor: lies beyond what was sent to this consumer; acknowledge what it has received';
      throw new RelayError('cursor_ahead', 422, message, { errors: [{ path: 'cursor', message }] });
    }
    return outcome === 'applied' ? seq : store.consumers.acknowledge(serviceId, name, seq);
  },
});

export const readiness = (deps: {
  database: Database;
  ingest: Ingest;
  clock: Clock;
}): HttpDeps['readiness'] => [
  {
    name: 'database',
    check: async () => {
      await deps.database.pool.query('SELECT 1');
      return { ok: true, detail: deps.database.kind };
    },
  },
  {
    name: 'migrations',
    check: async () => {
      const { ok, detail } = await migrationState(deps.database.pool);
      return { ok, detail };
    },
  },
  {
    name: 'log',
    check: async () => {
      const { failing, pending, oldestPendingMs } = deps.ingest.stats();
      return failing === null
        ? { ok: true, detail: `${pending} waiting` }
        : { ok: false, detail: `cannot be written (${failing}); ${pending} held for ${oldestPendingMs} ms` };
    },
  },
];
