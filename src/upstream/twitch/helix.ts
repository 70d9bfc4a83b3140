// The three calls to /helix/eventsub/subscriptions and the one to /helix/users, each under its own deadline. Answers
// come back as outcomes; nothing throws. Calls go out one at a time per bot, by the raw call of @twurple/api-call: the
// rate limiter of the ApiClient would repeat a 429 by itself, and the "transports" 429 must be seen.
// Source: https://dev.twitch.tv/docs/api/reference/#create-eventsub-subscription
import {
  callTwitchApiRaw,
  type TwitchApiCallFetchOptions,
  type TwitchApiCallOptions,
} from '@twurple/api-call';
import { z } from 'zod';
import type { Condition } from '../../domain/topic.ts';
import type { Clock } from '../../runtime/clock.ts';

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
  readonly clientId: string;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Ends every call under way, as if there had been no answer. */
  readonly signal?: AbortSignal;
}

export function createHelix(options: HelixOptions): Helix {
  const call = (token: string, request: TwitchApiCallOptions) => answer(options, token, request);
  return {
    create: (token, wish) =>
      call(token, {
        url: 'eventsub/subscriptions',
        method: 'POST',
        jsonBody: {
          type: wish.type,
          version: wish.version,
          condition: wish.condition,
          transport: { method: 'websocket', session_id: wish.sessionId },
        },
      }),
    async list(token) {
      const subscriptions: HelixSubscription[] = [];
      let after: string | undefined;
      for (let pages = 0; pages < maxPages; pages++) {
        const got = await call(token, { url: 'eventsub/subscriptions', query: { after } });
        const parsed = page.safeParse(got.body);
        if (got.status !== 200) return { ok: false, answer: got };
        if (!parsed.success) return { ok: false, answer: { ...got, status: 0, message: 'unreadable list' } };
        subscriptions.push(...parsed.data.data.map(subscriptionOf));
        after = parsed.data.pagination?.cursor;
        if (!after) return { ok: true, subscriptions };
      }
      return {
        ok: false,
        answer: noAnswer('the list does not end'),
      };
    },
    remove: (token, subscriptionId) =>
      call(token, { url: 'eventsub/subscriptions', method: 'DELETE', query: { id: subscriptionId } }),
    userByLogin: (token, login) => call(token, { url: 'users', query: { login } }),
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
  options: HelixOptions,
  token: string,
  request: TwitchApiCallOptions,
): Promise<HelixAnswer> {
  const deadline = new AbortController();
  const cancel = options.clock.after(options.deadlineMs, () => deadline.abort());
  try {
    // The type leaves `signal` out; the call spreads whatever it is given into fetch.
    const signal = options.signal ? AbortSignal.any([deadline.signal, options.signal]) : deadline.signal;
    const fetchOptions: TwitchApiCallFetchOptions & RequestInit = { signal };
    const response = await callTwitchApiRaw(request, options.clientId, token, 'Bearer', fetchOptions);
    const body = parseJson(await response.text());
    return {
      status: response.status,
      message: failure.safeParse(body).data?.message ?? '',
      resetAt: resetOf(response.headers),
      callsLeft: callsLeftOf(response.headers),
      body,
    };
  } catch {
    return noAnswer(
      deadline.signal.aborted ? `no answer within ${options.deadlineMs} ms` : 'network failure',
    );
  } finally {
    cancel();
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
function resetOf(headers: Headers): number | null {
  const seconds = Number(headers.get('ratelimit-reset'));
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null;
}

function callsLeftOf(headers: Headers): number | null {
  const text = headers.get('ratelimit-remaining');
  const calls = Number(text);
  return text === null || text === '' || !Number.isFinite(calls) ? null : calls;
}
