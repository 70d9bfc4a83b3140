// Bot accounts and their tokens. Tokens leave this file only through `tokens`, and enter the database sealed.
import { nameTaken, takeGrant } from './bot-grant.ts';
import type { BotGrant } from './bot-grant.ts';
import { finishRemoval, startRemoval } from './bot-remove.ts';
import { findBot, openedTokens, openTokens, sealTokens, toBot } from './bot-row.ts';
import type { Bot, BotState, BotTokens } from './bot-row.ts';
import type { StoreContext } from './context.ts';
import { isUniqueViolation, isUuid } from './rows.ts';

export type { BotGrant } from './bot-grant.ts';
export type { Bot, BotState, BotTokens } from './bot-row.ts';

/** What is left out stays as it is. */
export interface BotPatch {
  readonly name?: string | undefined;
  readonly enabled?: boolean | undefined;
}

/** One that is being taken out is known to `ids`, `getAny` and what concerns its tokens, and to nothing else. */
export interface Bots {
  /** By name. */
  list(): Promise<Bot[]>;
  get(id: string): Promise<Bot | undefined>;
  byTwitchUser(twitchUserId: string): Promise<Bot | undefined>;
  /** In order; also of those that are being taken out. */
  ids(): Promise<string[]>;
  /** Also one that is being taken out. */
  getAny(id: string): Promise<Bot | undefined>;
  /**
   * Takes in a grant. For a known Twitch user the tokens are replaced, the state is `ok` again, and what was rejected or
   * revoked waits for another try. One that is being taken out stays, and comes back as a new one would: enabled, under
   * the name that is given or its login, on no service's list; interests that were not removed yet count again. Throws
   * RelayError `name_taken` (409) when another bot has the name.
   */
  upsert(grant: BotGrant): Promise<{ bot: Bot; created: boolean }>;
  /** Undefined for an unknown bot. Throws RelayError `name_taken` (409). */
  patch(id: string, patch: BotPatch): Promise<Bot | undefined>;
  /**
   * From now on nobody may use the bot: nothing of it is wanted, and its name is free. How many interests in it there are;
   * they, and its row, stay for the reconciler. Undefined for an unknown bot and for one that is being taken out already.
   */
  startRemoval(id: string): Promise<{ interests: number } | undefined>;
  /**
   * Deletes the row of a bot that is being taken out, with its topics and whatever interests are left; false when it is
   * unknown, or was brought in again.
   */
  finishRemoval(id: string): Promise<boolean>;
  /** The tokens in plain text, or undefined for an unknown bot. Throws what `Sealer.open` throws. */
  tokens(id: string): Promise<BotTokens | undefined>;
  /** Replaces the tokens after a refresh; false for an unknown bot. Announces nothing, since nothing else changed. */
  saveTokens(id: string, tokens: BotTokens, only?: { readonly replaces: string }): Promise<boolean>;
  /**
   * The grant is gone; whether that was news. With `holding` only if that is still the access token: somebody may have
   * brought in a new grant meanwhile.
   */
  requireReauth(id: string, only?: { readonly holding: string }): Promise<boolean>;
  setState(id: string, state: BotState): Promise<boolean>;
  setValidated(id: string, at: number): Promise<boolean>;
  /** Moves the covered instants forward, never back, all in one statement. */
  saveCoverage(points: readonly { id: string; at: number }[]): Promise<void>;
  /**
   * Seals again what was sealed with a key that is not the first; how many bots that were. Tokens that no listed key
   * opens are left as they are: `tokens` says so to whoever needs them.
   */
  reseal(): Promise<number>;
}

export function createBots(context: StoreContext): Bots {
  const { prisma, pool } = context.database;
  const getAny = async (id: string) => {
    const row = await findBot(context, id);
    return row && toBot(row);
  };
  return {
    async list() {
      const rows = await prisma.botAccount.findMany({ where: { removedAt: null }, orderBy: { name: 'asc' } });
      return rows.map(toBot);
    },
    async get(id) {
      const bot = await getAny(id);
      return bot?.removedAt === null ? bot : undefined;
    },
    async byTwitchUser(twitchUserId) {
      const where = { provider: 'twitch', twitchUserId, removedAt: null };
      const row = await prisma.botAccount.findFirst({ where });
      return row ? toBot(row) : undefined;
    },
    async ids() {
      const rows = await prisma.botAccount.findMany({ select: { id: true }, orderBy: { id: 'asc' } });
      return rows.map(({ id }) => id);
    },
    getAny,
    upsert: (grant) => takeGrant(context, grant),
    async patch(id, change) {
      return isUuid(id) ? patchBot(context, id, change) : undefined;
    },
    async startRemoval(id) {
      return isUuid(id) ? startRemoval(context, id) : undefined;
    },
    async finishRemoval(id) {
      return isUuid(id) && finishRemoval(context, id);
    },
    async tokens(id) {
      const row = await findBot(context, id);
      return row && openTokens(context, row);
    },
    async saveTokens(id, tokens, only) {
      const where = await holding(context, id, only?.replaces);
      if (!where) return false;
      const { count } = await prisma.botAccount.updateMany({ where, data: sealTokens(context, id, tokens) });
      return count > 0;
    },
    async requireReauth(id, only) {
      const where = await holding(context, id, only?.holding);
      if (!where) return false;
      const { count } = await prisma.botAccount.updateMany({
        where: { ...where, state: 'ok' },
        data: { state: 'reauth_required' },
      });
      if (count > 0) context.changes.emit({ kind: 'bot', botAccountId: id });
      return count > 0;
    },
    async setState(id, state) {
      const { count } = await prisma.botAccount.updateMany({
        where: { id, state: { not: state } },
        data: { state },
      });
      if (count > 0) context.changes.emit({ kind: 'bot', botAccountId: id });
      return count > 0 || (await prisma.botAccount.count({ where: { id } })) > 0;
    },
    async setValidated(id, at) {
      const data = { validatedAt: new Date(at) };
      return (await prisma.botAccount.updateMany({ where: { id }, data })).count > 0;
    },
    async saveCoverage(points) {
      if (points.length === 0) return;
      await pool.query(
        `UPDATE bot_account AS b SET covered_until = greatest(b.covered_until, p.at)
           FROM unnest($1::uuid[], $2::timestamptz[]) AS p(id, at) WHERE b.id = p.id`,
        [points.map(({ id }) => id), points.map(({ at }) => new Date(at))],
      );
    },
    reseal: () => reseal(context),
  };
}

/**
 * The row as long as its access token is this one, whatever happens between the look and the write: each sealing of a token
 * gives another text. Undefined when it is another, or there is no such row. Without a token: the row, whatever it holds.
 */
async function holding(context: StoreContext, id: string, accessToken: string | undefined) {
  if (!isUuid(id)) return undefined;
  if (accessToken === undefined) return { id };
  const row = await findBot(context, id);
  const held = row && openedTokens(context, row);
  return row && held?.accessToken === accessToken ? { id, accessToken: row.accessToken } : undefined;
}

async function patchBot(context: StoreContext, id: string, change: BotPatch): Promise<Bot | undefined> {
  const { name, enabled } = change;
  const data = { ...(name === undefined ? {} : { name }), ...(enabled === undefined ? {} : { enabled }) };
  const where = { id, removedAt: null };
  const [row] = await context.database.prisma.botAccount
    .updateManyAndReturn({ where, data })
    .catch((error: unknown) => {
      throw name !== undefined && isUniqueViolation(error) ? nameTaken(name) : error;
    });
  if (!row) return undefined;
  context.changes.emit({ kind: 'bot', botAccountId: row.id });
  return toBot(row);
}

async function reseal(context: StoreContext): Promise<number> {
  const { prisma } = context.database;
  let count = 0;
  for (const row of await prisma.botAccount.findMany()) {
    const envelopes = [row.accessToken, ...(row.refreshToken === null ? [] : [row.refreshToken])];
    const due = envelopes.some((envelope) => context.sealer.needsReseal(envelope));
    const tokens = due ? openedTokens(context, row) : undefined;
    if (!tokens) continue;
    const data = sealTokens(context, row.id, tokens);
    // Unless a refresh replaced them meanwhile: then they are sealed with the first key already.
    const where = { id: row.id, accessToken: row.accessToken };
    count += (await prisma.botAccount.updateMany({ where, data })).count;
  }
  return count;
}
