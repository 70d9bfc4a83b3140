// What every call to id.twitch.tv has in common: a deadline, and outcomes instead of what was thrown. Errors of the
// library carry the client secret and tokens in message and url: none may pass this file.
import { callTwitchApiRaw, HttpStatusCodeError, type TwitchApiCallOptions } from '@twurple/api-call';
import { z } from 'zod';
import { pause, type Clock } from '../../runtime/clock.ts';

/** Nothing is known; the same call may succeed later. `why` is for people and holds no secret. */
export interface Unreachable {
  readonly kind: 'unreachable';
  readonly why: string;
}

export interface FreshToken {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch; null for a token that does not expire. */
  readonly expiresAt: number | null;
}

export class DeadlineError extends Error {}

export async function withinDeadline<T>(
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

/** 400 and 401 are Twitch's final word on what was sent; anything else says nothing about it. */
export function failed(error: unknown): { readonly kind: 'invalid' } | Unreachable {
  if (error instanceof HttpStatusCodeError) {
    const { statusCode } = error;
    return statusCode === 400 || statusCode === 401 ? { kind: 'invalid' } : answered(statusCode);
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

/** As `failed`, for a call in which no answer is about what was sent. */
export function unreached(error: unknown): Unreachable {
  const outcome = failed(error);
  return outcome.kind === 'unreachable' ? outcome : { kind: 'unreachable', why: 'Twitch refused the call' };
}

export const answered = (status: number): Unreachable => ({
  kind: 'unreachable',
  why: `Twitch answered ${status}`,
});

/** The body as JSON, or null. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** A call whose refusals mean something. Rejects as the library does. */
export async function rawAuthCall(
  request: Pick<TwitchApiCallOptions, 'url' | 'method' | 'query'>,
): Promise<RawAnswer> {
  const response = await callTwitchApiRaw({ ...request, type: 'auth' });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: parseJson(text) };
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
