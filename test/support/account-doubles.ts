// Stand-ins for what routes ask of accounts and authorizations: the rows are real, what Twitch would say is set by the test.
import { randomUUID } from 'node:crypto';
import type {
  AuthorizationEnd,
  AuthorizationReturn,
  AuthorizationRow,
  HttpAccounts,
  HttpAuthorizations,
} from '../../src/http/port-accounts.ts';
import { RelayError } from '../../src/domain/errors.ts';
import type { ServicePatch, BotPatch } from '../../src/protocol/rest.ts';
import type { Store } from '../../src/store/store.ts';

type Call<Port extends object> = {
  [Name in keyof Port]: Port[Name] extends (...asked: infer Asked) => unknown ? [Name, ...Asked] : never;
}[keyof Port];

/** The state that the links of `AuthorizationsDouble` carry: it must never be seen anywhere else. */
export const linkedState = 'state-canary-4711';

/** Keeps rows in memory; what a returning browser is told is `end`, or what `fault` throws. */
export class AuthorizationsDouble implements HttpAuthorizations {
  readonly calls: Call<HttpAuthorizations>[] = [];
  readonly rows = new Map<string, AuthorizationRow>();
  end: AuthorizationEnd = {
    kind: 'refused',
    code: 'state_unknown',
    reason: 'the relay never made this link',
  };
  fault: Error | null = null;
  unreachable = false;

  async startBrowser(ask: Parameters<HttpAuthorizations['startBrowser']>[0]) {
    this.calls.push(['startBrowser', ask]);
    return this.#link('browser', ask.scopes, null);
  }
  async startDevice(ask: Parameters<HttpAuthorizations['startDevice']>[0]) {
    this.calls.push(['startDevice', ask]);
    if (this.unreachable) throw new RelayError('twitch_unreachable', 503, 'Twitch does not answer');
    const authorization = this.#row('device', ask.scopes, null);
    return {
      authorization,
      userCode: 'ABCDEFGH',
      verificationUri: 'https://www.twitch.tv/activate',
      intervalSeconds: 5,
    };
  }
  async startBroadcaster(ask: Parameters<HttpAuthorizations['startBroadcaster']>[0]) {
    this.calls.push(['startBroadcaster', ask]);
    return this.#link('broadcaster', ask.scopes, ask.serviceAccountId);
  }
  async finish(back: AuthorizationReturn) {
    this.calls.push(['finish', back]);
    if (this.fault) throw this.fault;
    return this.end;
  }
  async get(id: string) {
    return this.rows.get(id);
  }
  /** As if the user had answered, which nobody is told of. */
  settle(id: string, change: Partial<AuthorizationRow>): void {
    const row = this.rows.get(id);
    if (row) this.rows.set(id, { ...row, ...change });
  }
  /** The last call of that name, without it. */
  asked<Name extends keyof HttpAuthorizations>(
    name: Name,
  ): Parameters<HttpAuthorizations[Name]>[0] | undefined {
    const call = this.calls.findLast((each) => each[0] === name);
    return call?.[1] as Parameters<HttpAuthorizations[Name]>[0] | undefined;
  }

  #link(kind: AuthorizationRow['kind'], scopes: readonly string[], serviceAccountId: string | null) {
    const authorization = this.#row(kind, scopes, serviceAccountId);
    return { authorization, authorizeUrl: `https://id.twitch.tv/oauth2/authorize?state=${linkedState}` };
  }
  #row(
    kind: AuthorizationRow['kind'],
    scopes: readonly string[],
    serviceAccountId: string | null,
  ): AuthorizationRow {
    const row: AuthorizationRow = {
      id: randomUUID(),
      kind,
      state: 'pending',
      code: null,
      reason: null,
      scopes,
      grantedBotId: null,
      serviceAccountId,
      createdAt: 1_795_000_000_000,
      expiresAt: 1_795_000_600_000,
    };
    this.rows.set(row.id, row);
    return row;
  }
}

/** Writes rows and stops there: no socket, no event, no Twitch. */
export class AccountsDouble implements HttpAccounts {
  readonly #store: Store;
  /** Why a refresh fails; null: it does not. */
  refusal: RelayError | null = null;
  revoked = true;
  refreshes = 0;
  patches: ServicePatch[] = [];

  constructor(store: Store) {
    this.#store = store;
  }
  patchBot(id: string, patch: BotPatch) {
    return this.#store.bots.patch(id, patch);
  }
  async removeBot(id: string) {
    const started = await this.#store.bots.startRemoval(id);
    return started && { interests: started.interests, revoked: this.revoked };
  }
  async refreshBot(id: string) {
    const bot = await this.#store.bots.get(id);
    if (!bot) return undefined;
    this.refreshes += 1;
    if (this.refusal) throw this.refusal;
    return bot;
  }
  async patchService(clientId: string, patch: ServicePatch) {
    this.patches.push(patch);
    const { enabled, access_mode: accessMode, bot_account_ids: botAccountIds } = patch;
    return (await this.#store.services.patch(clientId, { enabled, accessMode, botAccountIds }))?.service;
  }
}
