// What the routes of bots, service accounts and authorizations need of the rest of the house. Instants are milliseconds
// since the epoch; every call may reject when the database is away.
import type { BotPatch, ServicePatch } from '../protocol/rest.ts';
import type { AuthorizationState, AuthorizationView } from '../protocol/rest-authorizations.ts';
import type { BotRow, ServiceRow } from './port.ts';

export interface AuthorizationRow {
  readonly id: string;
  readonly kind: AuthorizationView['kind'];
  /** `expired` once a pending one is too old, whoever asks. */
  readonly state: AuthorizationState;
  readonly code: string | null;
  readonly reason: string | null;
  readonly scopes: readonly string[];
  /** The account that came of it. */
  readonly grantedBotId: string | null;
  /** The service that asked; null when the admin did. */
  readonly serviceAccountId: string | null;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** What the browser brought back, as it was in the query. */
export interface AuthorizationReturn {
  readonly state: string | undefined;
  readonly code: string | undefined;
  readonly error: string | undefined;
}

/**
 * What to show in the browser that came back. `code` of a failure, beside those in the row: `state_missing`,
 * `state_unknown`, `state_used`, `state_expired`: no row was changed by it.
 */
export type AuthorizationEnd =
  | {
      readonly kind: 'completed';
      readonly botName: string;
      readonly twitchLogin: string;
      /** A known account's tokens were replaced. */
      readonly renewed: boolean;
      readonly scopes: readonly string[];
      readonly for: AuthorizationView['kind'];
    }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

export interface HttpAuthorizations {
  /** With `botAccountId` only that account's user may grant. Throws RelayError 404 `unknown_bot`. */
  startBrowser(ask: {
    name: string | undefined;
    botAccountId: string | undefined;
    scopes: readonly string[];
  }): Promise<{ authorization: AuthorizationRow; authorizeUrl: string }>;
  /** As `startBrowser`. Throws RelayError 503 `twitch_unreachable`. The relay itself asks Twitch from now on. */
  startDevice(ask: {
    name: string | undefined;
    botAccountId: string | undefined;
    scopes: readonly string[];
  }): Promise<{
    authorization: AuthorizationRow;
    userCode: string;
    verificationUri: string;
    intervalSeconds: number;
  }>;
  /** The account that comes of it may be used by the service that asked. Null: the admin asks. */
  startBroadcaster(ask: {
    serviceAccountId: string | null;
    scopes: readonly string[];
  }): Promise<{ authorization: AuthorizationRow; authorizeUrl: string }>;
  /** A browser is back from Twitch. Each state is good for one call. Never throws for what the browser or Twitch did. */
  finish(back: AuthorizationReturn): Promise<AuthorizationEnd>;
  get(id: string): Promise<AuthorizationRow | undefined>;
}

/** Changes of accounts that reach further than a row; each is in effect for every reader when it resolves. */
export interface HttpAccounts {
  /** Undefined: no such bot. Throws RelayError 409 `name_taken`. */
  patchBot(id: string, patch: BotPatch): Promise<BotRow | undefined>;
  /**
   * Takes the bot out: owners of its interests are told (relay.interest.revoked, code `bot_removed`), subscriptions and
   * grant given back to Twitch, the row deleted. Resolves when that is done or after a few seconds; it then goes on, also
   * after a restart. Undefined: no such bot.
   */
  removeBot(id: string): Promise<{ interests: number; revoked: boolean } | undefined>;
  /**
   * Gets new tokens now. Undefined: no such bot. Throws RelayError 422 `reauth_required` or `no_refresh_token`, 503
   * `twitch_unreachable`.
   */
  refreshBot(id: string): Promise<BotRow | undefined>;
  /**
   * Undefined: no such account. Throws RelayError 422 `unknown_bot`. Owners of interests that are suspended or resumed by
   * it are told (relay.interest.revoked, code `bot_access_denied`; relay.interest.active).
   */
  patchService(clientId: string, patch: ServicePatch): Promise<ServiceRow | undefined>;
}
