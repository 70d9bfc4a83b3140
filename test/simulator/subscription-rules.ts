// Owns Twitch's verdict on a wish to subscribe: one small rule after the other, the first refusal wins. It must never
// write to a socket. Rules: https://dev.twitch.tv/docs/eventsub/manage-subscriptions/ and …/docs/chat/
import { z } from 'zod';
import type { AccessToken } from './accounts.ts';
import type { CatalogEntry } from './catalog.ts';
import { findEntry, isKnownType, needsAuthorization, scopesSuffice } from './catalog.ts';
import type { Core } from './core.ts';
import type { Session } from './session.ts';
import type { SessionHub } from './session-hub.ts';
import type { Condition, Subscription } from './types.ts';

export const createBodySchema = z.object({
  type: z.string().min(1),
  version: z.string().min(1),
  condition: z.record(z.string(), z.string()),
  transport: z.object({ method: z.string(), session_id: z.string().optional() }),
});

type CreateBody = z.infer<typeof createBodySchema>;

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly existingId?: string;
}

export type Verdict =
  | { readonly ok: true; readonly subscription: Subscription }
  | { readonly ok: false; readonly refusal: Refusal };

interface Wish {
  readonly core: Core;
  readonly token: AccessToken & { readonly userId: string };
  readonly entry: CatalogEntry;
  readonly body: CreateBody;
  readonly condition: Condition;
  readonly session: Session;
  readonly cost: number;
  /** Of this user, enabled, whichever session they are on: what the limits count. */
  readonly mine: readonly Subscription[];
  readonly recentChatJoins: readonly number[];
}

type Rule = (wish: Wish) => Refusal | undefined;

const CHAT_JOIN = 'channel.chat.message';
const NOT_AUTHORIZED: Refusal = { status: 403, message: 'subscription missing proper authorization' };

function refuseIf(broken: boolean, status: number, message: string): Refusal | undefined {
  return broken ? { status, message } : undefined;
}

const RULES: readonly Rule[] = [
  ({ session, token }) =>
    refuseIf(
      session.userId !== null && session.userId !== token.userId,
      400,
      'websocket transport cannot have subscriptions created by different users',
    ),
  ({ entry, token }) => (scopesSuffice(entry, token.scopes) ? undefined : NOT_AUTHORIZED),
  ({ entry, condition, token }) =>
    entry.token_user === null || condition[entry.token_user] === token.userId ? undefined : NOT_AUTHORIZED,
  ({ core, token, body, condition, session }) => {
    const wanted = { ...body, condition };
    const twin = core.store
      .enabledLike(wanted)
      .find(
        ({ userId, sessionId }) =>
          userId === token.userId && (core.settings.conflictScope === 'user' || sessionId === session.id),
      );
    return twin && { status: 409, message: 'subscription already exists', existingId: twin.id };
  },
  ({ core, mine, session }) => {
    const others = new Set(mine.map((item) => item.sessionId));
    others.delete(session.id);
    return refuseIf(
      others.size >= core.settings.maxTransports,
      429,
      'number of websocket transports limit exceeded',
    );
  },
  ({ core, session }) =>
    refuseIf(
      core.store.enabledOfSession(session.id).length >= core.settings.maxSubscriptionsPerSession,
      429,
      'number of subscriptions per websocket transport limit exceeded',
    ),
  ({ core, body, condition }) => {
    const wanted = { ...body, condition };
    return refuseIf(
      core.store.enabledLike(wanted).length >= core.settings.maxSameCondition,
      429,
      'maximum subscriptions with type and condition exceeded',
    );
  },
  ({ core, mine, cost }) =>
    refuseIf(
      cost > 0 && totalCost(mine) + cost > core.settings.maxTotalCost,
      429,
      'subscription limit exceeded: total cost would exceed max_total_cost',
    ),
  // Twitch words the join limits like a missing scope, which is what makes them hard to tell apart.
  ({ core, mine, body, recentChatJoins }) => {
    if (body.type !== CHAT_JOIN) return undefined;
    const joined = new Set(
      mine.filter((item) => item.type === CHAT_JOIN).map((item) => item.condition.broadcaster_user_id),
    );
    const tooMany =
      joined.size >= core.settings.maxJoinedChannels ||
      recentChatJoins.length >= core.settings.chatJoinsPerWindow;
    return tooMany ? NOT_AUTHORIZED : undefined;
  },
];

export function totalCost(subscriptions: readonly Subscription[]): number {
  return subscriptions.reduce((sum, item) => sum + item.cost, 0);
}

function entryOrRefusal(body: CreateBody): CatalogEntry | Refusal {
  const entry = findEntry(body.type, body.version);
  if (!entry) {
    return isKnownType(body.type)
      ? { status: 400, message: `invalid subscription version: ${body.version}` }
      : { status: 400, message: `invalid subscription type and version combination: ${body.type}` };
  }
  if (entry.removed) return { status: 410, message: 'the subscription type and version was removed' };
  return entry;
}

function conditionOrRefusal(entry: CatalogEntry, given: Condition): Condition | Refusal {
  const condition = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  const missing = entry.condition.find((field) => condition[field] === undefined);
  if (missing !== undefined)
    return { status: 400, message: `missing or invalid condition field: ${missing}` };
  const oneOf = entry.condition_exactly_one_of;
  if (oneOf.length > 0 && oneOf.filter((field) => condition[field] !== undefined).length !== 1) {
    return { status: 400, message: `exactly one of the condition fields is required: ${oneOf.join(', ')}` };
  }
  return condition;
}

function isRefusal(value: object): value is Refusal {
  return 'status' in value && typeof value.status === 'number';
}

export class SubscriptionRules {
  readonly #core: Core;
  readonly #hub: SessionHub;
  readonly #chatJoins = new Map<string, number[]>();

  constructor(core: Core, hub: SessionHub) {
    this.#core = core;
    this.#hub = hub;
  }

  create(token: AccessToken, rawBody: unknown): Verdict {
    const wish = this.#prepare(token, rawBody);
    if (isRefusal(wish)) return { ok: false, refusal: wish };
    for (const rule of RULES) {
      const refusal = rule(wish);
      if (refusal) return { ok: false, refusal };
    }
    if (wish.body.type === CHAT_JOIN) this.#recordJoin(wish.token.userId);
    wish.session.markUsed(wish.token.userId);
    const subscription = this.insert({
      userId: wish.token.userId,
      sessionId: wish.session.id,
      type: wish.body.type,
      version: wish.body.version,
      condition: wish.condition,
      connectedAt: wish.session.connectedAt,
      planted: false,
      status: 'enabled',
    });
    return { ok: true, subscription };
  }

  insert(
    wanted: Omit<Subscription, 'id' | 'cost' | 'createdAt' | 'createdAtMs' | 'disconnectedAt'>,
  ): Subscription {
    const now = Date.now();
    return this.#core.store.add({
      ...wanted,
      id: this.#core.ids.uuid(),
      cost: this.#cost(findEntry(wanted.type, wanted.version), wanted.condition),
      createdAtMs: now,
      createdAt: this.#core.ids.timestamp(now),
      disconnectedAt: null,
    });
  }

  #prepare(token: AccessToken, rawBody: unknown): Wish | Refusal {
    const parsed = createBodySchema.safeParse(rawBody);
    if (!parsed.success) {
      const where = parsed.error.issues[0]?.path.join('.') ?? 'body';
      return { status: 400, message: `The parameter "${where}" was invalid or missing` };
    }
    const body = parsed.data;
    const entry = entryOrRefusal(body);
    if (isRefusal(entry)) return entry;
    if (body.transport.method !== 'websocket') return { status: 400, message: 'invalid transport method' };
    if (!entry.websocket) {
      return {
        status: 400,
        message: `subscription type ${body.type} does not support the websocket transport`,
      };
    }
    const userId = token.userId;
    if (userId === null) return { status: 400, message: 'invalid transport and auth combination' };
    const condition = conditionOrRefusal(entry, body.condition);
    if (isRefusal(condition)) return condition;
    const session = this.#hub.sessions.get(body.transport.session_id ?? '');
    if (!session || (session.state !== 'open' && session.state !== 'zombie')) {
      return {
        status: 400,
        message: 'websocket transport session does not exist or has already disconnected',
      };
    }
    return {
      core: this.#core,
      token: { ...token, userId },
      entry,
      body,
      condition,
      session,
      cost: this.#cost(entry, condition),
      mine: this.#core.store.enabledOfUser(userId),
      recentChatJoins: this.#recentJoins(userId),
    };
  }

  /** 0 if the type needs an authorization or somebody the condition names has authorized the app, else 1. */
  #cost(entry: CatalogEntry | undefined, condition: Condition): number {
    const free =
      (entry && needsAuthorization(entry)) || this.#core.accounts.conditionNamesAuthorizedUser(condition);
    return free === true ? 0 : 1;
  }

  #recentJoins(userId: string): readonly number[] {
    const since = Date.now() - this.#core.settings.chatJoinWindowMs;
    return (this.#chatJoins.get(userId) ?? []).filter((at) => at > since);
  }

  #recordJoin(userId: string): void {
    this.#chatJoins.set(userId, [...this.#recentJoins(userId), Date.now()]);
  }
}
