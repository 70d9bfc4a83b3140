// The Twitch side as one thing: sessions, reconciler, tokens, authorizations. What daemon.ts starts, stops and asks.
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { RelayError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { AuthorizationStore, GrantStore } from '../authorization-port.ts';
import type { UpstreamObserver } from '../observer.ts';
import type { UpstreamSink } from '../port.ts';
import type { UpstreamStore } from '../store-port.ts';
import { createAuthorizations, type Authorizations } from './authorizations.ts';
import type { UpstreamStatus, WakeReason } from './bot-upstream.ts';
import { checkUpstream, type UpstreamCheck } from './check.ts';
import { Fleet } from './fleet.ts';
import { HelixClient } from './helix-call.ts';
import { createHelix, foundUser } from './helix.ts';
import { createOAuth, type TokenFacts } from './oauth.ts';
import type { Timings } from './timings.ts';
import {
  createTokenKeeper,
  type StoredTokens,
  type TokenKeeper,
  type TokenOutcome,
  type TokenStore,
} from './token-keeper.ts';

export interface TwitchUpstream extends Pick<Fleet, 'standBy' | 'heldSince' | 'takeOver'> {
  /** Also after `standBy` and `takeOver`, which leave the rest to it. */
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
  /**
   * Gets the bot another token now; at most one call to Twitch however many ask. Throws RelayError `reauth_required` or
   * `no_refresh_token` (422), `twitch_unreachable` (503).
   */
  refresh(botId: string): Promise<void>;
  /** Asks Twitch now, within a few seconds. Never rejects. */
  check(botIds: readonly string[]): Promise<UpstreamCheck>;
  /** Usable at once; device codes are asked about between `start` and `stop`. */
  readonly authorizations: Authorizations;
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
  readonly authorizations: AuthorizationStore;
  readonly grants: GrantStore;
  /** Where Twitch sends browsers back to; asked for only once requests are taken. */
  readonly redirectUri: () => string;
  /** Of a stand-in for Twitch; undefined: Twitch itself. */
  readonly mockApiPort: number | undefined;
  readonly sink: UpstreamSink;
  readonly observer: UpstreamObserver;
  /** True while another relay is active: nothing of its is touched, no token is renewed, nothing is declared. */
  readonly standingBy?: (() => boolean) | undefined;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}

/**
 * How long a stop waits for what Twitch may tell only once. It answers within one; a Twitch that hangs must not take the
 * time that the rest of the stop needs (SHUTDOWN_TIMEOUT_SECONDS).
 */
const lastAnswersMs = 2_000;

export function createTwitchUpstream(deps: TwitchUpstreamDeps): TwitchUpstream {
  const { clientId, clientSecret, clock, mockApiPort, timings } = deps;
  const stopping = new AbortController();
  const late = new AbortController();
  // Every bot and every call listens to them.
  for (const { signal } of [stopping, late]) setMaxListeners(0, signal);
  const call = { clientId, clock, deadlineMs: timings.helixMs, signal: stopping.signal };
  const helix = createHelix({ ...call, client: new HelixClient({ clientId, mockApiPort }) });
  const oauth = createOAuth({ ...call, clientSecret, lateSignal: late.signal });
  const keeper = restrainedKeeper(
    createTokenKeeper({
      store: deps.tokens,
      oauth,
      clock,
      clientId,
      onReauth: (botId, reason) => fleet.reauthRequired(botId, reason),
      crash: deps.crash,
    }),
    deps,
  );
  const fleet = new Fleet({
    ...deps,
    eventSubUrl: withKeepalive(deps.eventSubUrl, deps.keepaliveSeconds),
    helix,
    keeper,
    stopping,
  });
  const authorizations = createAuthorizations({
    ...deps,
    // Not ended at once by a stop: what Twitch tells about a grant it may tell only once.
    oauth: createOAuth({ ...call, clientSecret, signal: late.signal, lateSignal: late.signal }),
    store: deps.authorizations,
    randomBytes,
  });
  let authorizing: Promise<void> = Promise.resolve();
  return {
    async start() {
      authorizing = authorizations.run(stopping.signal);
      await fleet.start();
    },
    async stop() {
      const cancel = clock.after(lastAnswersMs, () => late.abort());
      try {
        await fleet.stop();
        await authorizing;
      } finally {
        cancel();
        // What a request asked for: the listener has waited for it, and nobody is left who could save it.
        late.abort();
      }
    },
    standBy: () => fleet.standBy(),
    heldSince: (botId, topicId) => fleet.heldSince(botId, topicId),
    takeOver: (inherited, switchOver) => fleet.takeOver(inherited, switchOver),
    wake: (botId, reason) => fleet.wake(botId, reason),
    status: (botId) => fleet.status(botId),
    statuses: () => fleet.statuses(),
    inspect: (brought) => keeper.inspect(brought),
    authorizations,
    check: (botIds) => checkUpstream({ oauth, keeper, clock }, botIds),
    async refresh(botId) {
      const outcome = await keeper.refresh(botId);
      if (outcome.kind === 'no_refresh_token') throw noRefreshToken();
      if (outcome.kind === 'reauth')
        throw reauthRequired(`${outcome.reason}; the bot must be authorised again.`);
      if (outcome.kind === 'later') throw unreachable('for a new token', outcome.reason);
    },
    async lookupUser(botId, login) {
      const token = await keeper.usable(botId);
      if (token.kind === 'reauth')
        throw reauthRequired('The bot must be authorised again before it can look users up.');
      if (token.kind === 'later') throw unreachable('for the user', token.reason);
      let answer = await helix.userByLogin(token.accessToken, login);
      if (answer.status === 401) {
        const renewed = await keeper.renew(botId, token.accessToken);
        if (renewed.kind === 'token') answer = await helix.userByLogin(renewed.accessToken, login);
      }
      if (answer.status === 200) return foundUser(answer.body);
      if (answer.status === 400) return undefined;
      throw unreachable(
        'for the user',
        answer.status === 0 ? answer.message : `it answered ${answer.status}`,
      );
    },
  };
}

/** Tokens are the active relay's to renew: a second renewal could end the pair that it has. */
function restrainedKeeper(
  keeper: TokenKeeper,
  { standingBy, tokens }: Pick<TwitchUpstreamDeps, 'standingBy' | 'tokens'>,
): TokenKeeper {
  if (!standingBy) return keeper;
  const stored = async (botId: string, refused?: string): Promise<TokenOutcome> => {
    const known = await tokens.tokens(botId);
    return known && known.accessToken !== refused
      ? { kind: 'token', accessToken: known.accessToken }
      : { kind: 'later', reason: 'the active relay has to renew the token' };
  };
  return {
    ...keeper,
    usable: (botId) => (standingBy() ? stored(botId) : keeper.usable(botId)),
    renew: (botId, refused) => (standingBy() ? stored(botId, refused) : keeper.renew(botId, refused)),
  };
}

const unreachable = (what: string, why: string) =>
  new RelayError('twitch_unreachable', 503, `Twitch could not be asked ${what} (${why}); try again.`);

const reauthRequired = (message: string) => new RelayError('reauth_required', 422, message);

const noRefreshToken = () =>
  new RelayError(
    'no_refresh_token',
    422,
    'The bot was brought in without a refresh token; authorise it again to have it renewed.',
  );

/** https://dev.twitch.tv/docs/eventsub/handling-websocket-events/#keepalive-message */
function withKeepalive(eventSubUrl: string, seconds: number): string {
  const url = new URL(eventSubUrl);
  url.searchParams.set('keepalive_timeout_seconds', String(seconds));
  return url.href;
}
