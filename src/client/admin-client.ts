// The SDK for whoever holds the admin key: bots and service accounts. For servers and consoles, never for a browser.
import { z } from 'zod';
import { botView, serviceCreated, serviceRegenerated, serviceView } from '../protocol/index.ts';
import type { BotView, ImportBotBody } from '../protocol/index.ts';
import { baseUrlOf, createHttp } from './http.ts';

export type ServiceView = z.infer<typeof serviceView>;
export type ServiceCreated = z.infer<typeof serviceCreated>;
export type ServiceRegenerated = z.infer<typeof serviceRegenerated>;

export interface ServiceAccounts {
  /** The answer holds the only copy of the secret. Rejects with 409 for a name that is taken. */
  create(name: string): Promise<ServiceCreated>;
  list(): Promise<ServiceView[]>;
  /** Both secrets work for `graceSeconds` (0 to 604800, default 0: the old one dies at once and its sockets close). */
  regenerate(clientId: string, options?: { graceSeconds?: number }): Promise<ServiceRegenerated>;
  setEnabled(clientId: string, enabled: boolean): Promise<ServiceView>;
  /** With all its interests. */
  remove(clientId: string): Promise<void>;
}

export interface AdminClient {
  bots(): Promise<BotView[]>;
  /** Validates the token with the platform and keeps it encrypted. */
  importBot(bot: ImportBotBody): Promise<BotView>;
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
  const accounts = '/v1/admin/service-accounts';
  const account = (clientId: string) => `${accounts}/${encodeURIComponent(clientId)}`;
  return {
    bots: () => http.list('/v1/bots', botView, { query: { limit: pageSize } }),
    importBot: (body) => http.call('/v1/admin/bots/import', botView, { method: 'POST', body }),
    serviceAccounts: {
      create: (name) => http.call(accounts, serviceCreated, { method: 'POST', query: { name } }),
      list: () => http.list(accounts, serviceView, { query: { limit: pageSize } }),
      regenerate: (clientId, { graceSeconds = 0 } = {}) =>
        http.call(`${account(clientId)}/regenerate`, serviceRegenerated, {
          method: 'POST',
          query: { grace_seconds: graceSeconds },
        }),
      setEnabled: (clientId, enabled) =>
        http.call(account(clientId), serviceView, { method: 'PATCH', body: { enabled } }),
      async remove(clientId) {
        await http.call(account(clientId), removed, { method: 'DELETE' });
      },
    },
  };
}
