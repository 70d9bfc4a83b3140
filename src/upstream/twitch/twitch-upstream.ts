// The Twitch side as one thing: sessions, reconciler, tokens. What daemon.ts starts, stops and asks.
import { RelayError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { UpstreamObserver } from '../observer.ts';
import type { UpstreamSink } from '../port.ts';
import type { UpstreamStore } from '../store-port.ts';
import type { UpstreamStatus, WakeReason } from './bot-upstream.ts';
import { Fleet } from './fleet.ts';
import { createHelix, foundUser } from './helix.ts';
import { createOAuth, type TokenFacts } from './oauth.ts';
import type { Timings } from './timings.ts';
import { createTokenKeeper, type StoredTokens, type TokenStore } from './token-keeper.ts';

export interface TwitchUpstream {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Something about the bot, its grant or its wishes has changed. */
  wake(botId: string, reason: WakeReason): void;
  status(botId: string): UpstreamStatus | undefined;
  statuses(): { botId: string; status: UpstreamStatus }[];
  /** Checks tokens that somebody brings in; throws RelayError `token_invalid`, `wrong_client`, `missing_scopes` (422) or `twitch_unreachable` (503). */
  inspect(brought: {
    accessToken: string;
    refreshToken: string | null;
    scopes: readonly string[] | undefined;
  }): Promise<{ facts: TokenFacts; tokens: StoredTokens }>;
  /** The user of that login, undefined if there is none; throws RelayError `twitch_unreachable` (503) or `reauth_required` (422). */
  lookupUser(botId: string, login: string): Promise<{ id: string; login: string } | undefined>;
}

export interface TwitchUpstreamDeps {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly eventSubUrl: string;
  readonly keepaliveSeconds: number;
  readonly clock: Clock;
  readonly timings: Timings;
  readonly random: () => number;
  readonly store: UpstreamStore;
  readonly tokens: TokenStore;
  readonly sink: UpstreamSink;
  readonly observer: UpstreamObserver;
}

export function createTwitchUpstream(deps: TwitchUpstreamDeps): TwitchUpstream {
  const { clientId, clientSecret, clock, timings } = deps;
  const stopping = new AbortController();
  const call = { clientId, clock, deadlineMs: timings.helixMs, signal: stopping.signal };
  const helix = createHelix(call);
  const oauth = createOAuth({ ...call, clientSecret });
  const keeper = createTokenKeeper({
    store: deps.tokens,
    oauth,
    clock,
    clientId,
    onReauth: (botId, reason) => fleet.reauthRequired(botId, reason),
  });
  const fleet = new Fleet({
    ...deps,
    eventSubUrl: withKeepalive(deps.eventSubUrl, deps.keepaliveSeconds),
    helix,
    keeper,
    stopping,
  });
  return {
    start: () => fleet.start(),
    stop: () => fleet.stop(),
    wake: (botId, reason) => fleet.wake(botId, reason),
    status: (botId) => fleet.status(botId),
    statuses: () => fleet.statuses(),
    inspect: (brought) => keeper.inspect(brought),
    async lookupUser(botId, login) {
      const token = await keeper.usable(botId);
      if (token.kind === 'reauth')
        throw new RelayError(
          'reauth_required',
          422,
          'The bot must be authorised again before it can look users up.',
        );
      if (token.kind === 'later') throw unreachable(token.reason);
      let answer = await helix.userByLogin(token.accessToken, login);
      if (answer.status === 401) {
        const renewed = await keeper.renew(botId, token.accessToken);
        if (renewed.kind === 'token') answer = await helix.userByLogin(renewed.accessToken, login);
      }
      if (answer.status === 200) return foundUser(answer.body);
      if (answer.status === 400) return undefined;
      throw unreachable(answer.status === 0 ? answer.message : `it answered ${answer.status}`);
    },
  };
}

const unreachable = (why: string) =>
  new RelayError('twitch_unreachable', 503, `Twitch could not be asked for the user (${why}); try again.`);

/** https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#keepalive-message */
function withKeepalive(eventSubUrl: string, seconds: number): string {
  const url = new URL(eventSubUrl);
  url.searchParams.set('keepalive_timeout_seconds', String(seconds));
  return url.href;
}
