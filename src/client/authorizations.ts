// The part of the SDK by which a broadcaster who is no bot grants the app what topics need; for services and for the admin.
import { authorizationLink, authorizationView } from '../protocol/index.ts';
import type { AuthorizationLink, AuthorizationView, AuthorizeBroadcasterBody } from '../protocol/index.ts';
import type { Http } from './http.ts';

export interface WaitOptions {
  /** Hold the answer back until it is decided. Seconds, at most 30. */
  readonly waitSeconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BroadcasterCalls {
  /** A link to send to the broadcaster. Who says yes may be used by this service as a bot account. */
  authorizeBroadcaster(ask?: AuthorizeBroadcasterBody): Promise<AuthorizationLink>;
  /** What became of a link of this service. A foreign id rejects with 404 like an unknown one. */
  broadcasterAuthorization(id: string, options?: WaitOptions): Promise<AuthorizationView>;
}

const base = '/v1/broadcaster-authorizations';

export const broadcasterCalls = (http: Http): BroadcasterCalls => ({
  authorizeBroadcaster: (body = {}) =>
    http.call(`${base}/start`, authorizationLink, { method: 'POST', body }),
  broadcasterAuthorization: (id, { waitSeconds, signal } = {}) =>
    http.call(`${base}/${encodeURIComponent(id)}`, authorizationView, {
      query: { wait: waitSeconds },
      waitSeconds,
      signal,
    }),
});
