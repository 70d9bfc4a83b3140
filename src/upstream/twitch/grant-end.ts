// The end of every authorization, whichever way it came: the grant is looked at, judged and stored, or given back; the
// row says which. Each end is written down once. Throws only for a database that is away.
import { RelayError } from '../../domain/errors.ts';
import type { Authorization, GrantStore } from '../authorization-port.ts';
import type { AuthorizationsDeps } from './authorizations.ts';
import { grantVerdict } from './grant-verdict.ts';
import type { FreshToken, TokenFacts } from './oauth.ts';

/** What to tell whoever granted. */
export type AuthorizationEnd =
  | {
      readonly kind: 'completed';
      readonly botName: string;
      readonly twitchLogin: string;
      /** A known account's tokens were replaced. */
      readonly renewed: boolean;
      readonly scopes: readonly string[];
      readonly for: Authorization['kind'];
    }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

type Named = Pick<Authorization, 'id' | 'kind' | 'name' | 'scopes' | 'botAccountId' | 'serviceAccountId'>;

export class GrantEnd {
  readonly #deps: AuthorizationsDeps;
  /** The last grant of each Twitch user that is being judged or stored. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(deps: AuthorizationsDeps) {
    this.#deps = deps;
  }

  /** The user said no, or Twitch would not ask. `error` is what came in the address and is not trusted. */
  withoutGrant(authorization: Named, error: string): Promise<AuthorizationEnd> {
    return error === 'access_denied'
      ? this.#refuse(authorization, 'denied', 'access_denied', 'The request was declined at Twitch.')
      : this.#refuse(
          authorization,
          'failed',
          'authorization_refused',
          "Twitch did not ask for consent. Check the application's redirect URLs and the scopes, and start again.",
        );
  }

  codeInvalid(authorization: Named): Promise<AuthorizationEnd> {
    const reason =
      'Twitch does not accept the code; each is good for one time and a short while. Start again.';
    return this.#refuse(authorization, 'failed', 'code_invalid', reason);
  }

  unreachable(authorization: Named, why: string): Promise<AuthorizationEnd> {
    const reason = `Twitch could not be asked (${why}). Start again in a moment.`;
    return this.#refuse(authorization, 'failed', 'twitch_unreachable', reason);
  }

  async withGrant(authorization: Named, token: FreshToken): Promise<AuthorizationEnd> {
    const { oauth } = this.#deps;
    const inspected = await oauth.validate(token.accessToken);
    if (inspected.kind === 'unreachable') return this.unreachable(authorization, inspected.why);
    if (inspected.kind === 'invalid') return this.codeInvalid(authorization);
    const { facts } = inspected;
    return this.#inTurn(facts.userId, () => this.#conclude(authorization, token, facts));
  }

  /** Of two grants of one user at once the second is judged by what the first has left: it must not take scopes away. */
  async #inTurn<T>(userId: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#underWay.get(userId) ?? Promise.resolve()).then(work);
    const over = mine.catch(() => undefined);
    this.#underWay.set(userId, over);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(userId) === over) this.#underWay.delete(userId);
    }
  }

  async #conclude(authorization: Named, token: FreshToken, facts: TokenFacts): Promise<AuthorizationEnd> {
    const verdict = await this.#judge(authorization, facts);
    if (verdict.ok) return this.#save(authorization, token, facts);
    if (verdict.revoke) await this.#deps.oauth.revoke(token.accessToken);
    return this.#refuse(authorization, 'failed', verdict.code, verdict.reason);
  }

  async #judge({ kind, scopes, botAccountId }: Named, facts: TokenFacts) {
    const { clientId, grants } = this.#deps;
    const only = botAccountId === null ? null : ((await grants.get(botAccountId)) ?? 'gone');
    const known = await grants.byTwitchUser(facts.userId);
    return grantVerdict({ kind, clientId, asked: scopes, facts, only, known });
  }

  async #save(authorization: Named, token: FreshToken, facts: TokenFacts): Promise<AuthorizationEnd> {
    const { grants, oauth, observer, store } = this.#deps;
    const { id, kind, serviceAccountId } = authorization;
    let saved: Awaited<ReturnType<GrantStore['save']>>;
    try {
      saved = await grants.save({
        name: authorization.name ?? undefined,
        twitchUserId: facts.userId,
        twitchLogin: facts.login,
        scopes: facts.scopes,
        accessToken: token.accessToken,
        refreshToken: token.refreshToken,
        expiresAt: facts.expiresAt ?? token.expiresAt,
      });
    } catch (error) {
      if (!(error instanceof RelayError) || error.shouldRetry()) throw error;
      if (!(await grants.byTwitchUser(facts.userId))) await oauth.revoke(token.accessToken);
      return this.#refuse(authorization, 'failed', error.code, error.message);
    }
    const { bot, created } = saved;
    if (kind === 'broadcaster' && serviceAccountId !== null) await grants.allow(serviceAccountId, bot.id);
    if (await store.end(id, { state: 'completed', grantedBotId: bot.id }))
      observer.authorizationEnded({ id, kind, state: 'completed', code: null, botId: bot.id });
    return {
      kind: 'completed',
      botName: bot.name,
      twitchLogin: bot.twitchLogin,
      renewed: !created,
      scopes: bot.scopes,
      for: kind,
    };
  }

  async #refuse(
    { id, kind }: Named,
    state: 'denied' | 'failed',
    code: string,
    reason: string,
  ): Promise<AuthorizationEnd> {
    const { observer, store } = this.#deps;
    if (await store.end(id, { state, code, reason }))
      observer.authorizationEnded({ id, kind, state, code, botId: null });
    return { kind: 'refused', code, reason };
  }
}
