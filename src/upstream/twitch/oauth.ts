// Twitch's token endpoints as outcomes, through @twurple/auth. What the library throws never leaves this file: its
// errors carry the client secret and the refresh token in message and url.
// Source: https://dev.twitch.tv/docs/authentication/refresh-tokens/, …/validate-tokens/, …/revoke-tokens/
import {
  exchangeCode,
  getTokenInfo,
  InvalidTokenError,
  refreshUserToken,
  revokeToken,
  type AccessToken,
  type TokenInfo,
} from '@twurple/auth';
import { z } from 'zod';
import type { Clock } from '../../runtime/clock.ts';
import {
  answered,
  failed,
  rawAuthCall,
  unreached,
  withinDeadline,
  type FreshToken,
  type Unreachable,
} from './oauth-call.ts';
import { createDeviceFlow, type DeviceFlow } from './oauth-device.ts';
import { createRefresher, type RefreshOutcome } from './oauth-refresh.ts';

export type { FreshToken } from './oauth-call.ts';
export type { RefreshOutcome } from './oauth-refresh.ts';

export interface TokenFacts {
  readonly userId: string;
  readonly login: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch; null for a token that does not expire. */
  readonly expiresAt: number | null;
}

// The library passes on whatever came with status 200, and a proxy's page may have come. No name or scope has a control in
// it; the database would refuse some, again and again.
const word = z.string().regex(/^\P{Cc}+$/u);
const tokenInfo = z.object({
  userId: word.nullable(),
  userName: word.nullable(),
  clientId: z.string().min(1),
  scopes: z.array(word).nullish(),
  expiryDate: z.date().nullable(),
});
const tokenPair = z.object({
  accessToken: z.string().min(1),
  refreshToken: z.string().min(1).nullable(),
  scope: z.array(z.string()),
  expiresIn: z.number().nullable(),
});

/** `invalid`: Twitch says that the token or grant is no good. `unreachable`: nothing is known; try again later. */
export type ValidateOutcome =
  { readonly kind: 'valid'; readonly facts: TokenFacts } | { readonly kind: 'invalid' } | Unreachable;
export type ExchangeOutcome =
  { readonly kind: 'token'; readonly token: FreshToken } | { readonly kind: 'invalid' } | Unreachable;
/** `invalid`: there is nothing left to revoke. */
export type RevokeOutcome = { readonly kind: 'revoked' } | { readonly kind: 'invalid' } | Unreachable;
/** `date`: when Twitch says it answered, good to a second. */
export type PingOutcome =
  | {
      readonly kind: 'answered';
      readonly askedAt: number;
      readonly answeredAt: number;
      readonly date: number | null;
    }
  | Unreachable;

export interface OAuth extends DeviceFlow {
  validate(accessToken: string): Promise<ValidateOutcome>;
  refresh(refreshToken: string): Promise<RefreshOutcome>;
  /** The code that a browser brought back, with the redirect URI that it was asked for with. */
  exchangeCode(code: string, redirectUri: string): Promise<ExchangeOutcome>;
  revoke(accessToken: string): Promise<RevokeOutcome>;
  /** Whether the token endpoints answer at all; sends no token. */
  ping(): Promise<PingOutcome>;
}

export function createOAuth(options: {
  clientId: string;
  clientSecret: string;
  clock: Clock;
  deadlineMs: number;
  /** Nobody waits any longer for an answer that can be had again. */
  signal?: AbortSignal;
  /** Nor for a refresh and an exchange, whose pair Twitch may give only once. */
  lateSignal?: AbortSignal;
}): OAuth {
  const { clientId, clientSecret, clock, deadlineMs, signal, lateSignal } = options;
  return {
    ...createDeviceFlow({ clientId, clock, deadlineMs, signal }),
    refresh: createRefresher({
      clock,
      deadlineMs,
      signal: lateSignal,
      // With the secret, also for a grant of the device flow: whether Twitch wants it depends on the kind of the
      // application alone, and one that has a secret is refused without it (github.com/twitchdev/issues/issues/943).
      ask: async (refreshToken) => fresh(await refreshUserToken(clientId, clientSecret, refreshToken), clock),
    }),
    async validate(accessToken) {
      try {
        const asking = getTokenInfo(accessToken, clientId).then(plain);
        return factsOf(tokenInfo.parse(await withinDeadline(clock, deadlineMs, asking, signal)));
      } catch (error) {
        return error instanceof InvalidTokenError ? { kind: 'invalid' } : failed(error);
      }
    },
    async exchangeCode(code, redirectUri) {
      try {
        const asking = exchangeCode(clientId, clientSecret, code, redirectUri);
        return {
          kind: 'token',
          token: fresh(await withinDeadline(clock, deadlineMs, asking, lateSignal), clock),
        };
      } catch (error) {
        return failed(error);
      }
    },
    async revoke(accessToken) {
      try {
        await withinDeadline(clock, deadlineMs, revokeToken(clientId, accessToken), signal);
        return { kind: 'revoked' };
      } catch (error) {
        return failed(error);
      }
    },
    async ping() {
      try {
        const askedAt = clock.now();
        const { status, headers } = await withinDeadline(
          clock,
          deadlineMs,
          rawAuthCall({ url: 'validate' }),
          signal,
        );
        if (status >= 500) return answered(status);
        const date = Date.parse(headers.get('date') ?? '');
        return {
          kind: 'answered',
          askedAt,
          answeredAt: clock.now(),
          date: Number.isNaN(date) ? null : date,
        };
      } catch (error) {
        return unreached(error);
      }
    },
  };
}

function factsOf(info: z.infer<typeof tokenInfo>): ValidateOutcome {
  if (info.userId === null || info.userName === null) return { kind: 'invalid' };
  return {
    kind: 'valid',
    facts: {
      userId: info.userId,
      login: info.userName,
      clientId: info.clientId,
      scopes: info.scopes ?? [],
      expiresAt: info.expiryDate?.getTime() ?? null,
    },
  };
}

function fresh(answer: AccessToken, clock: Clock): FreshToken {
  const token = tokenPair.parse(answer);
  return {
    accessToken: token.accessToken,
    refreshToken: token.refreshToken,
    scopes: token.scope,
    expiresAt: token.expiresIn === null ? null : clock.now() + token.expiresIn * 1_000,
  };
}

/** The getters of the library's object as plain members. */
const plain = ({ userId, userName, clientId, scopes, expiryDate }: TokenInfo) => ({
  userId,
  userName,
  clientId,
  scopes,
  expiryDate,
});
