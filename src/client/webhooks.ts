// The part of the SDK that is about webhook delivery: endpoints, what was sent to them, sending it again.
import { attemptOutcome, attemptView, endpointSecret, endpointView, replayView } from '../protocol/index.ts';
import type {
  AttemptOutcome,
  AttemptsQuery,
  AttemptView,
  EndpointPatch,
  EndpointSecret,
  EndpointView,
  ReplayBody,
  ReplayView,
} from '../protocol/index.ts';
import type { Http } from './http.ts';

/** One per URL, made by the first interest that names it. A foreign id rejects with 404 like an unknown one. */
export interface Endpoints {
  list(): Promise<EndpointView[]>;
  get(id: string): Promise<EndpointView>;
  /** What is left out stays as it is. */
  update(id: string, patch: EndpointPatch): Promise<EndpointView>;
  /**
   * The answer holds the only copy of the new secret. Both sign for `graceSeconds` (0 to 604800, default 86400), so that
   * no receiver has to change at the same moment.
   */
  rotateSecret(id: string, options?: { graceSeconds?: number }): Promise<EndpointSecret>;
  /** Goes on where it stopped. Rejects with `challenge_failed` when the relay asks for proof and the receiver gives none. */
  enable(id: string): Promise<EndpointView>;
  /** Sends a `relay.endpoint.test` event at once; resolves with what came of it, whatever the receiver said. */
  test(id: string): Promise<AttemptOutcome>;
}

export interface WebhookCalls {
  readonly endpoints: Endpoints;
  /** One page of the history, newest first; what is older follows with `after: page.at(-1)?.id`. */
  attempts(query?: AttemptsQuery): Promise<AttemptView[]>;
  /**
   * Sends events of the log to an endpoint once more: by `event_ids`, by cursors or by time. With `dry_run` it only
   * counts. Only what the endpoint has passed and the log still holds; rejects with 410 for a cursor that is gone.
   */
  replay(request: ReplayBody): Promise<ReplayView>;
}

const base = '/v1/endpoints';
const pageSize = 1_000;

export const webhookCalls = (http: Http): WebhookCalls => ({
  endpoints: endpoints(http),
  attempts: ({ endpoint, state, event, run, limit, after } = {}) =>
    http.call('/v1/deliveries', attemptView.array(), {
      query: { endpoint, state, event, run, limit, after },
    }),
  replay: (body) => http.call('/v1/deliveries/replay', replayView, { method: 'POST', body }),
});

function endpoints(http: Http): Endpoints {
  const path = (id: string) => `${base}/${encodeURIComponent(id)}`;
  return {
    list: () => http.list(base, endpointView, { query: { limit: pageSize } }),
    get: (id) => http.call(path(id), endpointView),
    update: (id, body) => http.call(path(id), endpointView, { method: 'PATCH', body }),
    rotateSecret: (id, { graceSeconds } = {}) =>
      http.call(`${path(id)}/rotate-secret`, endpointSecret, {
        method: 'POST',
        query: { grace_seconds: graceSeconds },
      }),
    enable: (id) => http.call(`${path(id)}/enable`, endpointView, { method: 'POST' }),
    test: (id) => http.call(`${path(id)}/test`, attemptOutcome, { method: 'POST' }),
  };
}
