// The three calls to /helix/eventsub/subscriptions and the one to /helix/users, each under its own deadline. Answers
// come back as outcomes; nothing throws.
// Source: https://dev.twitch.tv/docs/api/reference/#create-eventsub-subscription
import { z } from 'zod';
import type { Condition } from '../../domain/topic.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { HelixClient, HelixRequest, HelixResponse } from './helix-call.ts';

/** What came of one HTTP call. `status` 0: no answer (network, deadline). */
export interface HelixAnswer {
  readonly status: number;
  /** Twitch's own sentence, for people; never holds a token. */
  readonly message: string;
  /** When the rate limiter lets calls through again, if it said so. Milliseconds since the epoch. */
  readonly resetAt: number | null;
  /** Calls that the rate limiter still allows, if it said so. */
  readonly callsLeft: number | null;
  readonly body: unknown;
}

export interface HelixSubscription {
  readonly id: string;
  readonly status: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Readonly<Record<string, unknown>>;
  readonly cost: number;
  readonly method: string;
  readonly sessionId: string | null;
  /** By Twitch's clock, in milliseconds since the epoch; undefined when it does not say. */
  readonly createdAt: number | undefined;
}

export type ListOutcome =
  | { readonly ok: true; readonly subscriptions: readonly HelixSubscription[] }
  | { readonly ok: false; readonly answer: HelixAnswer };

const item = z.looseObject({
  id: z.string(),
  status: z.string(),
  type: z.string(),
  version: z.string(),
  condition: z.record(z.string(), z.unknown()),
  cost: z.number().default(0),
  transport: z.looseObject({ method: z.string(), session_id: z.string().optional() }),
  created_at: z.unknown().optional(),
});
const page = z.looseObject({
  data: z.array(item),
  pagination: z.looseObject({ cursor: z.string().optional() }).optional(),
});
const users = z.looseObject({ data: z.array(z.looseObject({ id: z.string(), login: z.string() })) });
const failure = z.looseObject({ message: z.string().optional() });

const subscriptions = 'eventsub/subscriptions';
/** 900 subscriptions are nine pages; more means that the cursor goes in circles. */
const maxPages = 20;

export interface Helix {
  create(
    token: string,
    wish: { type: string; version: string; condition: Condition; sessionId: string },
  ): Promise<HelixAnswer>;
  /** Everything of this bot's user, all pages or none. */
  list(token: string): Promise<ListOutcome>;
  remove(token: string, subscriptionId: string): Promise<HelixAnswer>;
  userByLogin(token: string, login: string): Promise<HelixAnswer>;
}

interface HelixOptions {
  readonly client: Pick<HelixClient, 'call'>;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Ends every call under way, as if there had been no answer. */
  readonly signal?: AbortSignal;
}

export function createHelix(options: HelixOptions): Helix {
  const call = (token: string, request: HelixRequest) => answer(options, token, request);
  return {
    create: (token, wish) =>
      call(token, {
        method: 'POST',
        path: subscriptions,
        json: {
          type: wish.type,
          version: wish.version,
          condition: wish.condition,
          transport: { method: 'websocket', session_id: wish.sessionId },
        },
      }),
    async list(token) {
      const found: HelixSubscription[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < maxPages; pages++) {
        const got = await call(token, { method: 'GET', path: subscriptions, query: { after } });
        const parsed = page.safeParse(got.body);
        if (got.status !== 200) return { ok: false, answer: got };
        if (!parsed.success) return { ok: false, answer: { ...got, status: 0, message: 'unreadable list' } };
        found.push(...parsed.data.data.map(subscriptionOf));
        after = parsed.data.pagination?.cursor;
        if (!after) return { ok: true, subscriptions: found };
      }
      return {
        ok: false,
        answer: noAnswer('the list does not end'),
      };
    },
    remove: (token, subscriptionId) =>
      call(token, { method: 'DELETE', path: subscriptions, query: { id: subscriptionId } }),
    userByLogin: (token, login) => call(token, { method: 'GET', path: 'users', query: { login } }),
  };
}

/** The created subscription of a 202, or undefined when the answer is not readable. */
export function createdSubscription(answerBody: unknown): HelixSubscription | undefined {
  const parsed = page.safeParse(answerBody);
  const first = parsed.success ? parsed.data.data[0] : undefined;
  return first && subscriptionOf(first);
}

/** The user of a `userByLogin` answer; undefined when there is none of that name. */
export function foundUser(answerBody: unknown): { id: string; login: string } | undefined {
  const parsed = users.safeParse(answerBody);
  const first = parsed.success ? parsed.data.data[0] : undefined;
  return first && { id: first.id, login: first.login };
}

function subscriptionOf(raw: z.infer<typeof item>): HelixSubscription {
  return {
    id: raw.id,
    status: raw.status,
    type: raw.type,
    version: raw.version,
    condition: raw.condition,
    cost: raw.cost,
    method: raw.transport.method,
    sessionId: raw.transport.session_id ?? null,
    createdAt: instantOf(raw.created_at),
  };
}

function instantOf(stamp: unknown): number | undefined {
  const at = typeof stamp === 'string' ? Date.parse(stamp) : Number.NaN;
  return Number.isNaN(at) ? undefined : at;
}

async function answer(
  { client, clock, deadlineMs, signal }: HelixOptions,
  token: string,
  request: HelixRequest,
): Promise<HelixAnswer> {
  if (signal?.aborted) return noAnswer('network failure');
  const call = client.call(token, request);
  let isLate = false;
  const cancel = clock.after(deadlineMs, () => {
    isLate = true;
    call.abort();
  });
  signal?.addEventListener('abort', call.abort, { once: true });
  try {
    const { status, headers, text } = await call.answer;
    const body = parseJson(text);
    return {
      status,
      message: failure.safeParse(body).data?.message ?? '',
      resetAt: resetOf(headers),
      callsLeft: callsLeftOf(headers),
      body,
    };
  } catch {
    return noAnswer(isLate ? `no answer within ${deadlineMs} ms` : 'network failure');
  } finally {
    cancel();
    signal?.removeEventListener('abort', call.abort);
  }
}

const noAnswer = (message: string): HelixAnswer => ({
  status: 0,
  message,
  resetAt: null,
  callsLeft: null,
  body: null,
});

function parseJson(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** https://dev.twitch.tv/docs/api/guide/#twitch-rate-limits: seconds since the epoch. */
function resetOf(headers: HelixResponse['headers']): number | null {
  const seconds = Number(headers['ratelimit-reset']);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
}

function callsLeftOf(headers: HelixResponse['headers']): number | null {
  const text = headers['ratelimit-remaining'];
  const calls = Number(text);
  return text === undefined || text === '' || !Number.isFinite(calls) ? null : calls;
}
