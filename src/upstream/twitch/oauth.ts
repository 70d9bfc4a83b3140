// Twitch's token endpoints as outcomes, through @twurple/auth. What the library throws never leaves this file: its
// errors carry the client secret and the refresh token in message and url.
// Source: https://dev.twitch.tv/docs/authentication/refresh-tokens/, …/validate-tokens/
import { HttpStatusCodeError } from '@twurple/api-call';
import { getTokenInfo, InvalidTokenError, refreshUserToken, type TokenInfo } from '@twurple/auth';
import { z } from 'zod';
import { pause, type Clock } from '../../runtime/clock.ts';

export interface TokenFacts {
  readonly userId: string;
  readonly login: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch; null for a token that does not expire. */
  readonly expiresAt: number | null;
}

export interface FreshToken {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
}

// The library passes on whatever came with status 200, and a proxy's page may have come.
const tokenInfo = z.object({
  userId: z.string().min(1).nullable(),
  userName: z.string().min(1).nullable(),
  clientId: z.string().min(1),
  scopes: z.array(z.string()).nullish(),
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
  | { readonly kind: 'valid'; readonly facts: TokenFacts }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unreachable'; readonly why: string };
export type RefreshOutcome =
  | { readonly kind: 'refreshed'; readonly token: FreshToken }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'unreachable'; readonly why: string };

export interface OAuth {
  validate(accessToken: string): Promise<ValidateOutcome>;
  refresh(refreshToken: string): Promise<RefreshOutcome>;
}

export function createOAuth(options: {
  clientId: string;
  clientSecret: string;
  clock: Clock;
  deadlineMs: number;
  /** Nobody waits for a validation any longer; a refresh is waited for, since Twitch may give its pair only once. */
  signal?: AbortSignal;
}): OAuth {
  const { clientId, clientSecret, clock, deadlineMs, signal } = options;
  return {
    async validate(accessToken) {
      try {
        const info = tokenInfo.parse(
          await withinDeadline(clock, deadlineMs, getTokenInfo(accessToken, clientId).then(plain), signal),
        );
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
      } catch (error) {
        return error instanceof InvalidTokenError ? { kind: 'invalid' } : failed(error);
      }
    },
    async refresh(refreshToken) {
      try {
        const token = tokenPair.parse(
          await withinDeadline(clock, deadlineMs, refreshUserToken(clientId, clientSecret, refreshToken)),
        );
        return {
          kind: 'refreshed',
          token: {
            accessToken: token.accessToken,
            refreshToken: token.refreshToken,
            scopes: token.scope,
            expiresAt: token.expiresIn === null ? null : clock.now() + token.expiresIn * 1000,
          },
        };
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** 400 and 401 are Twitch's final word on a grant; anything else says nothing about it. */
function failed(error: unknown): { kind: 'invalid' } | { kind: 'unreachable'; why: string } {
  if (error instanceof HttpStatusCodeError) {
    const { statusCode } = error;
    return statusCode === 400 || statusCode === 401
      ? { kind: 'invalid' }
      : { kind: 'unreachable', why: `Twitch answered ${statusCode}` };
  }
  return {
    kind: 'unreachable',
    why:
      error instanceof DeadlineError
        ? 'no answer in time'
        : error instanceof z.ZodError
          ? 'an answer that cannot be read'
          : 'network failure',
  };
}

class DeadlineError extends Error {}

async function withinDeadline<T>(
  clock: Clock,
  deadlineMs: number,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const done = new AbortController();
  work.catch(() => undefined);
  const either = signal ? AbortSignal.any([done.signal, signal]) : done.signal;
  const late = pause(clock, deadlineMs, either).then(() => Promise.reject(new DeadlineError('late')));
  late.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
}

/** The getters of the library's object as plain members. */
const plain = ({ userId, userName, clientId, scopes, expiryDate }: TokenInfo) => ({
  userId,
  userName,
  clientId,
  scopes,
  expiryDate,
});
