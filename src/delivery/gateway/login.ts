// Who asks: the credentials of a handshake in the order of PROTOCOL §4, and what the store says of them. Secrets pass
// through here and are never put into a message.
import type { IncomingMessage } from 'node:http';
import type { LoginClaim, Visitor } from '../../domain/visitor.ts';
import { bearerProtocolPrefix } from '../../protocol/frames.ts';
import type { Authentication, GatewayService, GatewayStore } from './ports.ts';

export type Given =
  | { readonly kind: 'secret'; readonly clientId: string; readonly clientSecret: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'none' };

export type Login =
  | { readonly ok: true; readonly service: GatewayService; readonly given: Given }
  | { readonly ok: false; readonly reason: 'unauthorized' | 'forbidden'; readonly message: string };

/** Too many have failed: nothing was looked up. */
export interface Throttled {
  readonly retryAfterSeconds: number;
}

/** First match: headers, Authorization, subprotocol, query with a secret, query with a token. */
export function credentialsOf(
  req: IncomingMessage,
  query: URLSearchParams,
  protocols: readonly string[],
): Given {
  const clientId = header(req, 'x-client-id');
  const clientSecret = header(req, 'x-client-secret');
  if (clientId !== undefined || clientSecret !== undefined) return secret(clientId, clientSecret);
  const bearer = /^Bearer +(\S+)$/i.exec(header(req, 'authorization') ?? '')?.[1];
  if (bearer !== undefined) return { kind: 'token', token: bearer };
  const offered = protocols.find((protocol) => protocol.startsWith(bearerProtocolPrefix));
  if (offered !== undefined) return { kind: 'token', token: offered.slice(bearerProtocolPrefix.length) };
  if (query.has('client_id') || query.has('client_secret')) {
    return secret(query.get('client_id'), query.get('client_secret'));
  }
  const token = query.get('ws_token');
  return token === null ? { kind: 'none' } : { kind: 'token', token };
}

const secret = (clientId: string | null | undefined, clientSecret: string | null | undefined): Given => ({
  kind: 'secret',
  clientId: clientId ?? '',
  clientSecret: clientSecret ?? '',
});

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** How often a log-in that was overtaken by a change of some account is tried again. */
const maxTries = 3;

/** More are nobody's, and not worth a look. */
const maxCredentialLength = 256;

export interface LoginContext {
  readonly visitor: Visitor;
  /** Counts changes of service accounts. */
  readonly changes: () => number;
}

/**
 * Asks the store, if the visitor may still ask. An answer that a change of an account may have overtaken is not used, so
 * that a log-in racing with a rotation cannot slip through. Rejects when the database is away.
 */
export async function logIn(
  store: GatewayStore,
  given: Given,
  { visitor, changes }: LoginContext,
): Promise<Login | Throttled> {
  const checked = await visitor.logIn(
    claimOf(given),
    () => lookUp(store, given, changes),
    (login) => login.ok || login.reason === 'forbidden',
  );
  return checked.limited ? checked : checked.answer;
}

async function lookUp(store: GatewayStore, given: Given, changes: () => number): Promise<Login> {
  if (given.kind === 'none') return refusal('no credentials were given');
  if (isTooLong(given)) return toLogin({ ok: false, reason: 'unknown' }, given);
  for (let tries = 1; ; tries++) {
    const before = changes();
    const answer = await ask(store, given);
    if (before === changes() || !answer.ok) return toLogin(answer, given);
    if (given.kind === 'token' || tries >= maxTries) return refusal('the account changed during the log-in');
  }
}

function claimOf(given: Given): LoginClaim {
  switch (given.kind) {
    case 'secret':
      return { kind: 'service', clientId: given.clientId, secret: given.clientSecret };
    case 'token':
      return { kind: 'token', secret: given.token };
    case 'none':
      return { kind: 'nobody' };
  }
}

const isTooLong = (given: Exclude<Given, { kind: 'none' }>): boolean =>
  given.kind === 'token'
    ? given.token.length > maxCredentialLength
    : given.clientId.length > maxCredentialLength || given.clientSecret.length > maxCredentialLength;

async function ask(store: GatewayStore, given: Exclude<Given, { kind: 'none' }>): Promise<Authentication> {
  if (given.kind === 'secret') return store.services.authenticate(given.clientId, given.clientSecret);
  const service = await store.wsTokens.redeem(given.token);
  if (!service) return { ok: false, reason: 'unknown' };
  return service.enabled ? { ok: true, service } : { ok: false, reason: 'disabled' };
}

function toLogin(answer: Authentication, given: Given): Login {
  if (answer.ok) return { ok: true, service: answer.service, given };
  if (answer.reason === 'disabled')
    return { ok: false, reason: 'forbidden', message: 'the account is disabled' };
  return refusal(given.kind === 'token' ? 'ws_token unknown, used or expired' : 'client id or secret wrong');
}

const refusal = (message: string): Login => ({ ok: false, reason: 'unauthorized', message });
