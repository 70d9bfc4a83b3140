// Who holds the bots' tokens: hands out a usable one, refreshes single-flight and saves the pair before anybody uses
// it, validates at start and hourly as Twitch demands, and says so when a grant is gone. No token leaves but to Helix.
import { RelayError } from '../../domain/errors.ts';
import { pause, type Clock } from '../../runtime/clock.ts';
import type { FreshToken, OAuth, RefreshOutcome, TokenFacts } from './oauth.ts';

export interface StoredTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresAt: number | null;
}

/** The durable side, as this file needs it. */
export interface TokenStore {
  tokens(botId: string): Promise<StoredTokens | undefined>;
  saveTokens(botId: string, tokens: StoredTokens): Promise<unknown>;
  setValidated(botId: string, at: number): Promise<unknown>;
  /** Whether that was news. */
  requireReauth(botId: string): Promise<boolean>;
}

export type TokenOutcome =
  | { readonly kind: 'token'; readonly accessToken: string }
  /** The grant is gone; somebody has to authorise the bot again. */
  | { readonly kind: 'reauth'; readonly reason: string }
  /** Nothing is known right now. */
  | { readonly kind: 'later'; readonly reason: string };

export interface TokenKeeper {
  /** A token that was not expired a minute ahead when last looked at. */
  usable(botId: string): Promise<TokenOutcome>;
  /** After a 401 with `refused`: another token, refreshed at most once however many ask. */
  renew(botId: string, refused: string): Promise<TokenOutcome>;
  /** Asks Twitch whether the stored token still stands, renewing it if not. */
  validate(botId: string): Promise<TokenOutcome>;
  /** Checks tokens that somebody brings in; throws a RelayError that says what to do about it. */
  inspect(brought: {
    accessToken: string;
    refreshToken: string | null;
    scopes: readonly string[] | undefined;
  }): Promise<{
    facts: TokenFacts;
    tokens: StoredTokens;
  }>;
}

/** Renew this long before the announced expiry, so that no call starts with a token that dies under way. */
const expiryMarginMs = 60_000;

export function createTokenKeeper(deps: {
  store: TokenStore;
  oauth: OAuth;
  clock: Clock;
  clientId: string;
  onReauth: (botId: string, reason: string) => void;
}): TokenKeeper {
  const { store, oauth, clock } = deps;
  const underWay = new Map<string, Promise<TokenOutcome>>();

  /** Refreshed pairs that could not be saved: Twitch may not give another for the same refresh token. */
  const unsaved = new Map<string, { replaces: string; token: FreshToken }>();

  const gone = async (botId: string, reason: string): Promise<TokenOutcome> => {
    if (await store.requireReauth(botId)) deps.onReauth(botId, reason);
    return { kind: 'reauth', reason };
  };

  const refresh = async (botId: string, refused: string): Promise<TokenOutcome> => {
    const stored = await store.tokens(botId);
    if (!stored) return { kind: 'reauth', reason: 'no token is stored' };
    if (stored.accessToken !== refused) return { kind: 'token', accessToken: stored.accessToken };
    if (stored.refreshToken === null)
      return gone(botId, 'the token has ended and came without a refresh token');
    const kept = unsaved.get(botId);
    const outcome: RefreshOutcome =
      kept?.replaces === refused
        ? { kind: 'refreshed', token: kept.token }
        : await oauth.refresh(stored.refreshToken);
    // Somebody may have brought in a new grant meanwhile: then this answer is about one that no longer matters.
    const now = await store.tokens(botId);
    if (now && now.accessToken !== refused) return { kind: 'token', accessToken: now.accessToken };
    if (outcome.kind === 'invalid') return gone(botId, 'Twitch no longer accepts the refresh token');
    if (outcome.kind === 'unreachable') return { kind: 'later', reason: outcome.why };
    const { token } = outcome;
    unsaved.set(botId, { replaces: refused, token });
    await store.saveTokens(botId, {
      accessToken: token.accessToken,
      refreshToken: token.refreshToken ?? stored.refreshToken,
      expiresAt: token.expiresAt,
    });
    unsaved.delete(botId);
    return { kind: 'token', accessToken: token.accessToken };
  };

  const renew = (botId: string, refused: string): Promise<TokenOutcome> => {
    const running = underWay.get(botId);
    if (running) return running;
    const started = refresh(botId, refused).finally(() => underWay.delete(botId));
    underWay.set(botId, started);
    return started;
  };

  const usable = async (botId: string): Promise<TokenOutcome> => {
    const stored = await store.tokens(botId);
    if (!stored) return { kind: 'reauth', reason: 'no token is stored' };
    const endsSoon = stored.expiresAt !== null && stored.expiresAt - clock.now() < expiryMarginMs;
    if (endsSoon && stored.refreshToken !== null) return renew(botId, stored.accessToken);
    return { kind: 'token', accessToken: stored.accessToken };
  };

  return {
    usable,
    renew,
    async validate(botId) {
      const got = await usable(botId);
      if (got.kind !== 'token') return got;
      const outcome = await oauth.validate(got.accessToken);
      if (outcome.kind === 'unreachable') return { kind: 'later', reason: outcome.why };
      if (outcome.kind === 'invalid') return renew(botId, got.accessToken);
      await store.setValidated(botId, clock.now());
      return got;
    },
    async inspect(brought) {
      let tokens: StoredTokens = {
        accessToken: brought.accessToken,
        refreshToken: brought.refreshToken,
        expiresAt: null,
      };
      let outcome = await oauth.validate(tokens.accessToken);
      if (outcome.kind === 'invalid' && tokens.refreshToken !== null) {
        const renewed = await oauth.refresh(tokens.refreshToken);
        if (renewed.kind === 'refreshed') {
          const { accessToken, refreshToken, expiresAt } = renewed.token;
          tokens = { accessToken, refreshToken: refreshToken ?? tokens.refreshToken, expiresAt };
          outcome = await oauth.validate(accessToken);
        } else outcome = renewed;
      }
      if (outcome.kind === 'unreachable') {
        throw new RelayError(
          'twitch_unreachable',
          503,
          `Twitch could not be asked about the token (${outcome.why}); try again.`,
        );
      }
      if (outcome.kind === 'invalid')
        throw refusal(
          'token_invalid',
          'Twitch does not accept this token; get a new one for this client id.',
        );
      const { facts } = outcome;
      if (facts.clientId !== deps.clientId) {
        throw refusal(
          'wrong_client',
          'The token belongs to another client id than TWITCH_CLIENT_ID; get one for this application.',
        );
      }
      const lacking = (brought.scopes ?? []).filter((scope) => !facts.scopes.includes(scope));
      if (lacking.length > 0) {
        throw refusal(
          'missing_scopes',
          `The token lacks ${lacking.join(', ')}; authorise it again with these scopes.`,
          'scopes',
        );
      }
      return { facts, tokens: { ...tokens, expiresAt: facts.expiresAt } };
    },
  };
}

function refusal(code: string, message: string, path = 'access_token'): RelayError {
  return new RelayError(code, 422, message, { errors: [{ path, message }] });
}

/** Validates every bot now and then hourly, until the signal. */
export async function validateHourly(
  deps: {
    keeper: TokenKeeper;
    clock: Clock;
    everyMs: number;
    bots: () => Promise<readonly string[]>;
    onError: (error: unknown) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const botId of await deps.bots()) {
        if (signal.aborted) return;
        // One bot whose tokens cannot be read must not keep the others from being validated.
        await deps.keeper.validate(botId).catch(deps.onError);
      }
    } catch (error) {
      deps.onError(error);
    }
    await pause(deps.clock, deps.everyMs, signal);
  }
}
