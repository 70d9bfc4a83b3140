// What an answer to "create this subscription" means and what to do next. Pure; one rule per answer that Helix can
// give, first match wins. No decision hangs on a word of Twitch's prose except where two meanings share one status.
// Source: https://dev.twitch.tv/docs/api/reference/#create-eventsub-subscription
import { createdSubscription, type HelixAnswer } from './helix.ts';

export type CreateVerdict =
  | {
      readonly do: 'confirm';
      readonly subscriptionId: string;
      readonly cost: number;
      /** By Twitch's clock. */
      readonly createdAt?: number | undefined;
    }
  /** It exists: adopt it if it is on our session, else remove it and create again. */
  | { readonly do: 'resolve_conflict'; readonly existingId: string | null }
  | { readonly do: 'refresh_token' }
  | { readonly do: 'reject'; readonly code: string; readonly reason: string }
  /** This session is gone on their side: nothing more can be created on it. */
  | { readonly do: 'abandon_session'; readonly reason: string }
  /** The rate limiter: nothing at all is sent before `until`. */
  | { readonly do: 'wait'; readonly until: number }
  /** Sockets of an earlier life still count against the limit of three. */
  | { readonly do: 'clear_zombies' }
  | { readonly do: 'retry_later'; readonly code: string; readonly reason: string };

export interface CreateContext {
  readonly now: number;
  /** The token was refreshed for this create already. */
  readonly refreshed: boolean;
}

/**
 * The rate limiter's bucket refills within a minute, whatever it says and whatever our clock thinks of it: an announced
 * instant far ahead is a clock that disagrees, and waiting for it would leave the bot deaf.
 */
export const maxResetMs = 60_000;

interface Rule {
  when(answer: HelixAnswer, context: CreateContext): boolean;
  verdict(answer: HelixAnswer, context: CreateContext): CreateVerdict;
}

const says = (answer: HelixAnswer, pattern: RegExp) => pattern.test(answer.message);
const reject =
  (code: string, fallback: string) =>
  (answer: HelixAnswer): CreateVerdict => ({
    do: 'reject',
    code,
    reason: answer.message || fallback,
  });
const later =
  (code: string, fallback: string) =>
  (answer: HelixAnswer): CreateVerdict => ({
    do: 'retry_later',
    code,
    reason: answer.message || fallback,
  });

const rules: readonly Rule[] = [
  {
    when: ({ status }) => status === 200 || status === 202,
    verdict: (answer) => {
      const created = createdSubscription(answer.body);
      if (!created)
        return {
          do: 'retry_later',
          code: 'unreadable_answer',
          reason: 'Twitch answered without a subscription',
        };
      if (created.status !== 'enabled')
        return { do: 'retry_later', code: 'not_enabled', reason: `Twitch created it as ${created.status}` };
      const { id: subscriptionId, cost, createdAt } = created;
      return {
        do: 'confirm',
        subscriptionId,
        cost,
        ...(createdAt === undefined ? {} : { createdAt }),
      };
    },
  },
  {
    when: ({ status }) => status === 409,
    verdict: (answer) => ({ do: 'resolve_conflict', existingId: createdSubscriptionId(answer.body) }),
  },
  {
    when: ({ status }, { refreshed }) => status === 401 && !refreshed,
    verdict: () => ({ do: 'refresh_token' }),
  },
  {
    when: ({ status }) => status === 401,
    verdict: later('unauthorized', 'Twitch does not accept the token'),
  },
  {
    // The 400s of a session that has ended or is somebody else's, told apart from a bad condition by the only thing
    // that differs: the text.
    when: (answer) =>
      answer.status === 400 &&
      says(answer, /session.*(does not exist|disconnected|expired)|created by different users/i),
    verdict: (answer) => ({ do: 'abandon_session', reason: answer.message }),
  },
  {
    when: ({ status }) => status === 400,
    verdict: reject('bad_request', 'Twitch refused the condition, type or version'),
  },
  { when: ({ status }) => status === 403, verdict: reject('forbidden', 'missing scope, ban, or join limit') },
  {
    when: ({ status }) => status === 410,
    verdict: reject('type_removed', 'Twitch has removed this type or version'),
  },
  {
    when: (answer) => answer.status === 429 && says(answer, /transports? limit/i),
    verdict: () => ({ do: 'clear_zombies' }),
  },
  {
    // Not the rate limiter if that has calls left.
    when: (answer) =>
      answer.status === 429 &&
      ((answer.callsLeft ?? 0) > 0 || says(answer, /cost|subscriptions? limit|maximum|combination/i)),
    verdict: later('limit_exceeded', 'a subscription limit is reached'),
  },
  {
    when: ({ status }) => status === 429,
    verdict: (answer, { now }) => ({
      do: 'wait',
      until: Math.min(Math.max(answer.resetAt ?? Number.POSITIVE_INFINITY, now + 1_000), now + maxResetMs),
    }),
  },
  { when: ({ status }) => status === 0, verdict: later('unreachable', 'Twitch did not answer') },
  { when: ({ status }) => status === 408 || status >= 500, verdict: later('twitch_error', 'Twitch failed') },
  { when: ({ status }) => status >= 400, verdict: reject('refused', 'Twitch refused the subscription') },
  { when: () => true, verdict: later('unexpected_answer', 'Twitch gave an answer that is not known') },
];

export function createVerdict(answer: HelixAnswer, context: CreateContext): CreateVerdict {
  for (const rule of rules) if (rule.when(answer, context)) return rule.verdict(answer, context);
  throw new Error('the last rule matches everything');
}

/** What became of a DELETE. */
export type RemoveVerdict = 'gone' | 'refresh_token' | 'retry_later';

export function removeVerdict(answer: HelixAnswer, context: CreateContext): RemoveVerdict {
  if (answer.status === 204 || answer.status === 200 || answer.status === 404) return 'gone';
  return answer.status === 401 && !context.refreshed ? 'refresh_token' : 'retry_later';
}

/** Since April 2026 a 409 names the subscription that exists. Wherever it puts the id, it is one of these places. */
function createdSubscriptionId(body: unknown): string | null {
  if (typeof body !== 'object' || body === null) return null;
  if ('data' in body && Array.isArray(body.data)) {
    const first: unknown = body.data[0];
    if (typeof first === 'object' && first !== null && 'id' in first && typeof first.id === 'string')
      return first.id;
  }
  for (const key of ['id', 'subscription_id'] as const) {
    const value: unknown = Reflect.get(body, key);
    if (typeof value === 'string' && value !== '') return value;
  }
  return null;
}

/**
 * What a subscription's status other than enabled says about the topic. Statuses are an open set
 * (https://dev.twitch.tv/docs/api/reference/#get-eventsub-subscriptions): those of the socket mean that the session is
 * gone, the rest that somebody took the permission away.
 */
export type StatusMeaning = 'session_lost' | 'revoked' | 'rejected';

export function statusMeaning(status: string): StatusMeaning {
  if (status.startsWith('websocket_')) return 'session_lost';
  return status === 'version_removed' || status === 'beta_maintenance' ? 'rejected' : 'revoked';
}
