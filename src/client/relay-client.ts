// The SDK for a service: its events as a loop, its interests and the rest of the API as calls. Runs in Node and browsers.
import { z } from 'zod';
import {
  accessibleBots,
  consumerView,
  createdInterest,
  eventsPage,
  interestView,
  subscriptionTypeView,
} from '../protocol/index.ts';
import type {
  ConsumerView,
  CreatedInterest,
  CreateInterestBody,
  EventsPage,
  InterestView,
  RelayEvent,
} from '../protocol/index.ts';
import { broadcasterCalls, type BroadcasterCalls } from './authorizations.ts';
import type { ClientClock } from './clock.ts';
import { wallClock } from './clock.ts';
import type { ServiceCredentials } from './credentials.ts';
import { buyWsToken, serviceHeaders } from './credentials.ts';
import { RelayApiError, RelayInterestError } from './errors.ts';
import type { EventsOptions } from './events-options.ts';
import type { Http } from './http.ts';
import { baseUrlOf, createHttp } from './http.ts';
import type { SocketConstructor } from './socket.ts';
import type { Delivery, StreamDeps } from './stream.ts';
import { openStream } from './stream.ts';
import { webhookCalls, type WebhookCalls } from './webhooks.ts';

export interface ClientOptions {
  readonly fetch?: typeof fetch | undefined;
  /** Default: the platform's WebSocket, else the `ws` package. */
  readonly webSocket?: SocketConstructor | undefined;
  /** Gives [0, 1); spreads reconnections. */
  readonly random?: (() => number) | undefined;
  readonly clock?: ClientClock | undefined;
  /** Happenings that need no action, one line each, never with a secret. */
  readonly log?: ((message: string) => void) | undefined;
}

/** Reading events. All that a client can do which holds nothing but a way to get tokens. */
export interface RelayReader {
  /**
   * Every event that this consumer has not acknowledged, in the order of the log, at least once: dedupe on `id`. An event
   * is acknowledged when the loop asks for the next one, or ends through `signal`. It is *not* acknowledged when the body
   * is left by `break`, `return` or an exception, which an iterator cannot tell apart: it comes again, with a raised
   * attempt (to acknowledge and leave: `deliveries` and `done()`).
   *
   * Reconnects and resumes by itself, as long as the relay's close code allows. What was received but not yet handed to
   * the loop when a connection breaks is forgotten and comes again, so that it comes out once; what the loop was given and
   * had not finished may come out again. The body has 60 s per event, then the relay takes the consumer for stuck and the
   * event comes again. Rejects with RelayClosedError, RelayApiError or RelayProtocolError when coming back would not help.
   */
  events(options?: EventsOptions): AsyncGenerator<RelayEvent, void, undefined>;
  /** The same with cursor and attempt. */
  deliveries(options?: EventsOptions): AsyncGenerator<Delivery, void, undefined>;
}

export type SubscriptionType = z.infer<typeof subscriptionTypeView>;
export type AccessibleBots = z.infer<typeof accessibleBots>;

export interface Interests {
  /**
   * Idempotent. Answers at once, or after the platform's verdict or `waitSeconds` (at most 30), whichever is first. The
   * call that makes a webhook endpoint is told its `webhook_secret`, and no other one is: keep it.
   */
  create(wish: CreateInterestBody, options?: { waitSeconds?: number }): Promise<CreatedInterest>;
  /**
   * Creates it if it is missing and resolves when it is active; rejects with RelayInterestError when it will not be. That
   * error has the `webhookSecret` if the call made an endpoint.
   */
  ensure(wish: CreateInterestBody, options?: { withinMs?: number }): Promise<CreatedInterest>;
  list(): Promise<InterestView[]>;
  get(id: string): Promise<InterestView>;
  remove(id: string): Promise<void>;
}

export interface PullOptions {
  /** Without it: from the oldest kept event. */
  readonly after?: string | undefined;
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
  readonly types?: readonly string[] | undefined;
  /** Hold the answer until there is an event. Seconds, at most 30. */
  readonly wait?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RelayClient extends RelayReader, WebhookCalls, BroadcasterCalls {
  readonly interests: Interests;
  /** The bots that this service may use. */
  bots(): Promise<AccessibleBots>;
  /** The catalogue of event types. */
  types(): Promise<SubscriptionType[]>;
  /** One page of the log, for all interests whatever their transport; go on with `after: page.next`. */
  pull(options?: PullOptions): Promise<EventsPage>;
  /** The consumers of this service, with their positions and lag. */
  consumers(): Promise<ConsumerView[]>;
  /** Everything up to the cursor is done, over HTTP. */
  ack(consumer: string, cursor: string): Promise<ConsumerView>;
}

export type ServiceLogin = { readonly url: string } & ServiceCredentials;
/** For a browser: a function that fetches a fresh `ws_token` from your own server, called for every connection. */
export interface TokenLogin {
  readonly url: string;
  readonly token: () => Promise<string>;
}

const removed = z.object({ deleted: z.literal(true) });
/** What the relay lets a call wait. */
const maxWaitSeconds = 30;
const ensureWithinMs = 30_000;

/** Opens nothing until it is used. Throws a TypeError for a login that cannot work. */
export function createRelayClient(login: ServiceLogin, options?: ClientOptions): RelayClient;
export function createRelayClient(login: TokenLogin, options?: ClientOptions): RelayReader;
export function createRelayClient(
  login: ServiceLogin | TokenLogin,
  options: ClientOptions = {},
): RelayClient | RelayReader {
  const baseUrl = baseUrlOf(login.url);
  const clock = options.clock ?? wallClock;
  const base = {
    baseUrl,
    webSocket: options.webSocket,
    clock,
    random: options.random ?? Math.random,
    log: options.log ?? (() => undefined),
  };
  if ('token' in login) return reader({ ...base, token: () => login.token() });
  const fetcher = options.fetch ?? ((...args: Parameters<typeof fetch>) => fetch(...args));
  const http = createHttp({ baseUrl, headers: serviceHeaders(login), fetch: fetcher });
  return {
    ...reader({
      ...base,
      token: (signal) => buyWsToken(http, signal),
      checkCursor: (after, signal) => checkCursor(http, after, signal),
    }),
    ...calls(http),
    ...webhookCalls(http),
    ...broadcasterCalls(http),
    interests: interests(http, clock),
  };
}

function reader(deps: StreamDeps): RelayReader {
  const deliveries = (options: EventsOptions = {}) => openStream(deps, options);
  return {
    deliveries,
    async *events(options) {
      for await (const delivery of deliveries(options)) yield delivery.event;
    },
  };
}

/** Rejects if the relay says that it cannot go on from there; what else may be wrong shows at the next handshake. */
async function checkCursor(http: Http, after: string, signal: AbortSignal): Promise<void> {
  try {
    await http.call('/v1/events', eventsPage, { query: { after, limit: 1 }, signal });
  } catch (error) {
    if (error instanceof RelayApiError && [400, 410, 422].includes(error.status)) throw error;
  }
}

function calls(
  http: Http,
): Omit<RelayClient, 'interests' | keyof RelayReader | keyof WebhookCalls | keyof BroadcasterCalls> {
  return {
    bots: () => http.call('/v1/bots/accessible', accessibleBots),
    types: () => http.list('/v1/eventsub/subscription-types', subscriptionTypeView),
    pull: ({ after, limit, types, wait, signal } = {}) =>
      http.call('/v1/events', eventsPage, {
        query: { after, limit, types: types?.join(','), wait },
        waitSeconds: wait,
        signal,
      }),
    consumers: () => http.list('/v1/consumers', consumerView),
    ack: (consumer, cursor) =>
      http.call(`/v1/consumers/${encodeURIComponent(consumer)}/ack`, consumerView, {
        method: 'POST',
        body: { cursor },
      }),
  };
}

function interests(http: Http, clock: ClientClock): Interests {
  const path = '/v1/interests';
  const create: Interests['create'] = (body, { waitSeconds = 0 } = {}) =>
    http.call(path, createdInterest, {
      method: 'POST',
      body,
      query: { wait: waitSeconds || undefined },
      waitSeconds,
    });
  return {
    create,
    async ensure(wish, { withinMs = ensureWithinMs } = {}) {
      const deadline = clock.now() + withinMs;
      let known: CreatedInterest | undefined;
      for (;;) {
        const leftSeconds = Math.max(0, deadline - clock.now()) / 1_000;
        const waitSeconds = Math.min(maxWaitSeconds, leftSeconds);
        const answer = await create(wish, { waitSeconds }).catch((cause: unknown) => {
          throw known?.webhook_secret === undefined ? cause : new RelayInterestError(known, { cause });
        });
        // Only the call that created it is told the secret.
        const secret = known?.webhook_secret ?? answer.webhook_secret;
        known = secret === undefined ? answer : { ...answer, webhook_secret: secret };
        if (known.state === 'active') return known;
        if (known.state !== 'pending' || clock.now() >= deadline) throw new RelayInterestError(known);
      }
    },
    list: () => http.list(path, interestView, { query: { limit: 1_000 } }),
    get: (id) => http.call(`${path}/${encodeURIComponent(id)}`, interestView),
    async remove(id) {
      await http.call(`${path}/${encodeURIComponent(id)}`, removed, { method: 'DELETE' });
    },
  };
}
