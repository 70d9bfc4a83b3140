// Who holds the bots' tokens: hands out a usable one, refreshes single-flight and saves the pair before anybody uses
// it, validates at start and hourly as Twitch demands, and says so when a grant is gone. No token leaves but to Helix.
import { RelayError } from '../../domain/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { FreshToken, OAuth, RefreshOutcome, RevokeOutcome, TokenFacts } from './oauth.ts';

export interface StoredTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresAt: number | null;
}

/** The durable side, as this file needs it. */
export interface TokenStore {
  tokens(botId: string): Promise<StoredTokens | undefined>;
  /** Does nothing and answers false when the stored access token is another than `replaces` (by now). */
  saveTokens(botId: string, tokens: StoredTokens, only?: { readonly replaces: string }): Promise<unknown>;
  setValidated(botId: string, at: number): Promise<unknown>;
  /** Whether that was news. Nothing is written when the stored access token is another than `holding` (by now). */
  requireReauth(botId: string, only?: { readonly holding: string }): Promise<boolean>;
  /** A refresh has shown that the grant stands after all: `ok` again, if it was not, and announced. */
  clearReauth(botId: string): Promise<unknown>;
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
  /** Another token now, whatever the present one is worth; at most one call however many ask. */
  refresh(botId: string): Promise<TokenOutcome | { readonly kind: 'no_refresh_token' }>;
  /**
   * Gives the grant back, as long as `still` holds when the token to be given back is known. `gone`: there is none (any
   * more), or no key opens it.
   */
  revoke(botId: string, still: () => Promise<boolean>): Promise<'gone' | 'later' | 'not_any_more'>;
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

const noToken = { kind: 'reauth', reason: 'no token is stored' } as const;

/** Renew this long before the announced expiry, so that no call starts with a token that dies under way. */
const expiryMarginMs = 60_000;

export function createTokenKeeper(deps: {
  store: TokenStore;
  oauth: Pick<OAuth, 'validate' | 'refresh' | 'revoke'>;
  clock: Clock;
  clientId: string;
  onReauth: (botId: string, reason: string) => void;
  /** For tests that end the process there; nothing in production. */
  crash?: Crash | undefined;
}): TokenKeeper {
  const { store, oauth, clock } = deps;
  const underWay = new Map<string, Promise<TokenOutcome>>();

  /** Refreshed pairs that could not be saved: Twitch may not give another for the same refresh token. */
  const unsaved = new Map<string, { replaces: string; token: FreshToken }>();

  const gone = async (botId: string, holding: string, reason: string): Promise<TokenOutcome> => {
    if (await store.requireReauth(botId, { holding })) deps.onReauth(botId, reason);
    return { kind: 'reauth', reason };
  };

  const refresh = async (botId: string, refused: string): Promise<TokenOutcome> => {
    const stored = await store.tokens(botId);
    if (!stored) return noToken;
    if (stored.accessToken !== refused) return { kind: 'token', accessToken: stored.accessToken };
    if (stored.refreshToken === null)
      return gone(botId, refused, 'the token has ended and came without a refresh token');
    const kept = unsaved.get(botId);
    const outcome: RefreshOutcome =
      kept?.replaces === refused
        ? { kind: 'refreshed', token: kept.token }
        : await oauth.refresh(stored.refreshToken);
    // Somebody may have brought in a new grant meanwhile: then this answer is about one that no longer matters.
    const now = await store.tokens(botId);
    if (now && now.accessToken !== refused) return { kind: 'token', accessToken: now.accessToken };
    if (outcome.kind === 'invalid') return gone(botId, refused, 'Twitch no longer accepts the refresh token');
    if (outcome.kind === 'unreachable') return { kind: 'later', reason: outcome.why };
    const { token } = outcome;
    unsaved.set(botId, { replaces: refused, token });
    const pair = {
      accessToken: token.accessToken,
      refreshToken: token.refreshToken ?? stored.refreshToken,
      expiresAt: token.expiresAt,
    };
    deps.crash?.('token.before');
    const saved = await store.saveTokens(botId, pair, { replaces: refused });
    deps.crash?.('token.after');
    unsaved.delete(botId);
    if (saved === false) return overtaken(botId);
    await store.clearReauth(botId);
    return { kind: 'token', accessToken: token.accessToken };
  };

  /** What somebody brought in at the moment of saving wins. */
  const overtaken = async (botId: string): Promise<TokenOutcome> => {
    const stored = await store.tokens(botId);
    return stored ? { kind: 'token', accessToken: stored.accessToken } : noToken;
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
    if (!stored) return noToken;
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
    async refresh(botId) {
      const running = underWay.get(botId);
      if (running) return running;
      const stored = await store.tokens(botId);
      if (!stored) return noToken;
      return stored.refreshToken === null ? { kind: 'no_refresh_token' } : renew(botId, stored.accessToken);
    },
    async revoke(botId, still) {
      // Or the pair that a refresh brings at this moment would outlive the row.
      await underWay.get(botId)?.catch(() => undefined);
      const stored = await readable(store, botId);
      if (!stored) return 'gone';
      if (!(await still())) return 'not_any_more';
      const first = await oauth.revoke(stored.accessToken);
      // The token is dead, but what it was renewed with may live.
      if (first.kind !== 'invalid' || stored.refreshToken === null) return given(first);
      const renewed = await renew(botId, stored.accessToken);
      if (renewed.kind !== 'token') return renewed.kind === 'reauth' ? 'gone' : 'later';
      return (await still()) ? given(await oauth.revoke(renewed.accessToken)) : 'not_any_more';
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

const given = (outcome: RevokeOutcome) => (outcome.kind === 'unreachable' ? 'later' : 'gone');

/** Whether tokens are stored, but no key opens them. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof RelayError && error.code.startsWith('seal_');

/** Undefined also for tokens that no key opens: they are of no use to anybody. */
async function readable(store: TokenStore, botId: string): Promise<StoredTokens | undefined> {
  try {
    return await store.tokens(botId);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

function refusal(code: string, message: string, path = 'access_token'): RelayError {
  return new RelayError(code, 422, message, { errors: [{ path, message }] });
}
