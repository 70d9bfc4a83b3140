// How a client proves who it is: headers on calls, a single-use token for a socket. Secrets go into these two and
// nowhere else.
import { wsTokenView } from '../protocol/index.ts';
import type { Http } from './http.ts';

export interface ServiceCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

export function serviceHeaders(credentials: ServiceCredentials): Record<string, string> {
  const { clientId, clientSecret } = credentials;
  if (!clientId || !clientSecret) throw new TypeError('clientId and clientSecret: expected both');
  return { 'x-client-id': clientId, 'x-client-secret': clientSecret };
}

/** Buys a token for one connection with the service's credentials. */
export async function buyWsToken(http: Http, signal: AbortSignal): Promise<string> {
  const { ws_token: token } = await http.call('/v1/ws-token', wsTokenView, { method: 'POST', signal });
  return token;
}
