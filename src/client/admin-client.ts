// The SDK for whoever holds the admin key: bots and service accounts. For servers and consoles, never for a browser.
import { z } from 'zod';
import {
  authorizationLink,
  authorizationView,
  botRemoved,
  botView,
  checksView,
  deviceCode,
  serviceCreated,
  serviceRegenerated,
  serviceView,
} from '../protocol/index.ts';
import type {
  AuthorizationLink,
  AuthorizationView,
  AuthorizeBotBody,
  AuthorizeBroadcasterBody,
  BotPatch,
  BotRemoved,
  BotView,
  CheckView,
  DeviceCode,
  ImportBotBody,
  ServicePatch,
} from '../protocol/index.ts';
import { broadcasterCalls, type WaitOptions } from './authorizations.ts';
import { baseUrlOf, createHttp, type Http } from './http.ts';

export type ServiceView = z.infer<typeof serviceView>;
export type ServiceCreated = z.infer<typeof serviceCreated>;
export type ServiceRegenerated = z.infer<typeof serviceRegenerated>;

export interface ServiceAccounts {
  /** The answer holds the only copy of the secret. Rejects with 409 for a name that is taken. */
  create(name: string): Promise<ServiceCreated>;
  list(): Promise<ServiceView[]>;
  /** Both secrets work for `graceSeconds` (0 to 604800, default 0: the old one dies at once and its sockets close). */
  regenerate(clientId: string, options?: { graceSeconds?: number }): Promise<ServiceRegenerated>;
  /** What is left out stays as it is; in effect for its interests and sockets when this resolves. */
  patch(clientId: string, patch: ServicePatch): Promise<ServiceView>;
  setEnabled(clientId: string, enabled: boolean): Promise<ServiceView>;
  /** With all its interests. */
  remove(clientId: string): Promise<void>;
}

export interface AdminClient {
  bots(): Promise<BotView[]>;
  /** Validates the token with the platform and keeps it encrypted. */
  importBot(bot: ImportBotBody): Promise<BotView>;
  /** A link for a browser. Follow it with `authorization`. Whoever has the link can answer it: treat it as a secret. */
  authorizeBot(ask?: AuthorizeBotBody): Promise<AuthorizationLink>;
  /** A code for a user on another device. The relay asks the platform; follow it with `authorization`. */
  deviceBot(ask?: AuthorizeBotBody): Promise<DeviceCode>;
  /** What became of a link or a code. */
  authorization(id: string, options?: WaitOptions): Promise<AuthorizationView>;
  /** What is left out stays as it is. */
  patchBot(id: string, patch: BotPatch): Promise<BotView>;
  /** Gets new tokens now. Rejects with 422 `reauth_required` when only a new authorisation helps. */
  refreshBot(id: string): Promise<BotView>;
  /** With its interests, whose owners are told, and its grant. */
  removeBot(id: string): Promise<BotRemoved>;
  /** A link by which a broadcaster who is no bot grants the app what topics need. */
  authorizeBroadcaster(ask?: AuthorizeBroadcasterBody): Promise<AuthorizationLink>;
  /** Looks at everything now. Seconds may pass: the platform is asked. */
  checks(options?: { readonly signal?: AbortSignal | undefined }): Promise<CheckView[]>;
  /** The numbers, as OpenMetrics text. */
  metrics(options?: { readonly signal?: AbortSignal | undefined }): Promise<string>;
  readonly serviceAccounts: ServiceAccounts;
}

const removed = z.object({ deleted: z.literal(true) });
const pageSize = 1_000;

/** Opens nothing until it is used. */
export function createAdminClient(
  login: { readonly url: string; readonly adminKey: string },
  options: { readonly fetch?: typeof fetch | undefined } = {},
): AdminClient {
  if (!login.adminKey) throw new TypeError('adminKey: expected the key of the relay');
  const http = createHttp({
    baseUrl: baseUrlOf(login.url),
    headers: { 'x-admin-key': login.adminKey },
    fetch: options.fetch ?? ((...args) => fetch(...args)),
  });
  return {
    ...botCalls(http),
    authorizeBroadcaster: (body) => broadcasterCalls(http).authorizeBroadcaster(body),
    async checks({ signal } = {}) {
      const { checks } = await http.call('/v1/admin/checks', checksView, { signal });
      return checks;
    },
    metrics: ({ signal } = {}) => http.text('/metrics', { signal }),
    serviceAccounts: serviceAccounts(http),
  };
}

function botCalls(http: Http) {
  const bots = '/v1/admin/bots';
  const bot = (id: string) => `${bots}/${encodeURIComponent(id)}`;
  return {
    bots: () => http.list('/v1/bots', botView, { query: { limit: pageSize } }),
    importBot: (body) => http.call(`${bots}/import`, botView, { method: 'POST', body }),
    authorizeBot: (body = {}) => http.call(`${bots}/authorize`, authorizationLink, { method: 'POST', body }),
    deviceBot: (body = {}) => http.call(`${bots}/device`, deviceCode, { method: 'POST', body }),
    authorization: (id, { waitSeconds, signal } = {}) =>
      http.call(`/v1/admin/authorizations/${encodeURIComponent(id)}`, authorizationView, {
        query: { wait: waitSeconds },
        waitSeconds,
        signal,
      }),
    patchBot: (id, body) => http.call(bot(id), botView, { method: 'PATCH', body }),
    refreshBot: (id) => http.call(`${bot(id)}/refresh`, botView, { method: 'POST' }),
    removeBot: (id) => http.call(bot(id), botRemoved, { method: 'DELETE' }),
  } satisfies Partial<AdminClient>;
}

function serviceAccounts(http: Http): ServiceAccounts {
  const accounts = '/v1/admin/service-accounts';
  const account = (clientId: string) => `${accounts}/${encodeURIComponent(clientId)}`;
  const patch: ServiceAccounts['patch'] = (clientId, body) =>
    http.call(account(clientId), serviceView, { method: 'PATCH', body });
  return {
    create: (name) => http.call(accounts, serviceCreated, { method: 'POST', query: { name } }),
    list: () => http.list(accounts, serviceView, { query: { limit: pageSize } }),
    regenerate: (clientId, { graceSeconds = 0 } = {}) =>
      http.call(`${account(clientId)}/regenerate`, serviceRegenerated, {
        method: 'POST',
        query: { grace_seconds: graceSeconds },
      }),
    patch,
    setEnabled: (clientId, enabled) => patch(clientId, { enabled }),
    async remove(clientId) {
      await http.call(account(clientId), removed, { method: 'DELETE' });
    },
  };
}
