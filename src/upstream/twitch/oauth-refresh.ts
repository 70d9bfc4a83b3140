// Refreshing, with care for a pair that comes late: a refresh token may be good for one use, so an answer that nobody
// waited for any more is kept for the next who asks with the same one. Holds tokens in memory only.
// Source: https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#device-code-grant-flow ("one time use")
import type { Clock } from '../../runtime/clock.ts';
import { DeadlineError, failed, withinDeadline, type FreshToken, type Unreachable } from './oauth-call.ts';

export type RefreshOutcome =
  { readonly kind: 'refreshed'; readonly token: FreshToken } | { readonly kind: 'invalid' } | Unreachable;

/** A call that has not been answered for so long never will be; then asking again risks less than waiting. */
const givenUpAfterMs = 60_000;

interface UnderWay {
  readonly since: number;
  readonly outcome: Promise<RefreshOutcome>;
  /** A pair has come and nobody has taken it yet. */
  came: boolean;
}

export function createRefresher(deps: {
  clock: Clock;
  deadlineMs: number;
  signal?: AbortSignal | undefined;
  /** Rejects as the library does. */
  ask: (refreshToken: string) => Promise<FreshToken>;
}): (refreshToken: string) => Promise<RefreshOutcome> {
  const { clock, deadlineMs, signal, ask } = deps;
  const underWay = new Map<string, UnderWay>();

  const forget = (refreshToken: string, call: UnderWay) => {
    if (underWay.get(refreshToken) === call) underWay.delete(refreshToken);
  };

  const begin = (refreshToken: string): UnderWay => {
    const outcome = ask(refreshToken).then(
      (token) => ({ kind: 'refreshed', token }) as const,
      (error: unknown) => failed(error),
    );
    const call: UnderWay = { since: clock.now(), outcome, came: false };
    underWay.set(refreshToken, call);
    void outcome.then(({ kind }) => {
      call.came = kind === 'refreshed';
      // Without a pair there is nothing to keep.
      if (!call.came) forget(refreshToken, call);
    });
    return call;
  };

  return async (refreshToken) => {
    const known = underWay.get(refreshToken);
    const worthIt = known && (known.came || clock.now() - known.since < givenUpAfterMs);
    const call = worthIt ? known : begin(refreshToken);
    try {
      const outcome = await withinDeadline(clock, deadlineMs, call.outcome, signal);
      forget(refreshToken, call);
      return outcome;
    } catch (error) {
      return error instanceof DeadlineError
        ? { kind: 'unreachable', why: 'no answer in time' }
        : failed(error);
    }
  };
}
