// Bot accounts and their tokens. Tokens leave this file only through `tokens`, and enter the database sealed.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import type { StoreContext } from './context.ts';
import type { BotAccount } from './generated/client.ts';
import { instant, isUniqueViolation, isUuid, millis } from './rows.ts';

const botState = z.enum(['ok', 'reauth_required']);
export type BotState = z.infer<typeof botState>;

/** A row without its tokens. */
export interface Bot {
  readonly id: string;
  readonly provider: string;
  readonly name: string;
  readonly twitchUserId: string;
  readonly twitchLogin: string;
  readonly enabled: boolean;
  readonly state: BotState;
  readonly scopes: readonly string[];
  readonly tokenExpiresAt: number | null;
  readonly validatedAt: number | null;
  /** Up to here everything that its upstream session delivered is in the log. */
  readonly coveredUntil: number | null;
  readonly createdAt: number;
}

export interface BotTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresAt: number | null;
}

export interface BotGrant extends BotTokens {
  /** Defaults to the name it has, or to the login. */
  readonly name?: string | undefined;
  readonly twitchUserId: string;
  readonly twitchLogin: string;
  readonly scopes: readonly string[];
}

export interface Bots {
  /** By name. */
  list(): Promise<Bot[]>;
  get(id: string): Promise<Bot | undefined>;
  /**
   * Takes in a grant. For a known Twitch user the tokens are replaced, the state is `ok` again, and what was rejected or
   * revoked waits for another try. Throws RelayError `name_taken` (409) when another bot has the name.
   */
  upsert(grant: BotGrant): Promise<{ bot: Bot; created: boolean }>;
  /** The tokens in plain text, or undefined for an unknown bot. Throws what `Sealer.open` throws. */
  tokens(id: string): Promise<BotTokens | undefined>;
  /** Replaces the tokens after a refresh; false for an unknown bot. Announces nothing, since nothing else changed. */
  saveTokens(id: string, tokens: BotTokens): Promise<boolean>;
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
  return {
    list: async () => (await prisma.botAccount.findMany({ orderBy: { name: 'asc' } })).map(toBot),
    async get(id) {
      const row = isUuid(id) ? await prisma.botAccount.findUnique({ where: { id } }) : null;
      return row ? toBot(row) : undefined;
    },
    upsert: (grant) => upsert(context, grant),
    async tokens(id) {
      const row = isUuid(id) ? await prisma.botAccount.findUnique({ where: { id } }) : null;
      return row ? openTokens(context, row) : undefined;
    },
    async saveTokens(id, tokens) {
      const { count } = await prisma.botAccount.updateMany({
        where: { id },
        data: sealTokens(context, id, tokens),
      });
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

/** More than one round only when somebody else brings in the same user at the same moment. */
const maxRounds = 5;

async function upsert(context: StoreContext, grant: BotGrant): Promise<{ bot: Bot; created: boolean }> {
  for (let round = 1; ; round++) {
    try {
      const outcome = await writeGrant(context, grant);
      context.changes.emit({ kind: 'bot', botAccountId: outcome.bot.id });
      for (const topicId of outcome.retried)
        context.changes.emit({ kind: 'topic', topicId, state: 'pending' });
      return { bot: outcome.bot, created: outcome.created };
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await refuseTakenName(context, grant);
      if (round === maxRounds) throw error;
    }
  }
}

async function writeGrant(context: StoreContext, grant: BotGrant) {
  const known = await context.database.prisma.botAccount.findUnique({
    where: { provider_twitchUserId: { provider: 'twitch', twitchUserId: grant.twitchUserId } },
  });
  const id = known?.id ?? randomUUID();
  const data = {
    ...sealTokens(context, id, grant),
    name: grant.name ?? known?.name ?? grant.twitchLogin,
    twitchLogin: grant.twitchLogin,
    scopes: [...grant.scopes],
    state: 'ok',
    validatedAt: new Date(context.clock.now()),
  };
  if (!known) {
    const row = await context.database.prisma.botAccount.create({
      data: { ...data, id, twitchUserId: grant.twitchUserId },
    });
    return { bot: toBot(row), created: true, retried: [] };
  }
  const [row, topics] = await context.database.prisma.$transaction([
    context.database.prisma.botAccount.update({ where: { id }, data }),
    context.database.prisma.topic.updateManyAndReturn({
      where: { botAccountId: id, state: { in: ['rejected', 'revoked'] } },
      data: { state: 'pending', reason: null, code: null, retryAt: null },
      select: { id: true },
    }),
  ]);
  return { bot: toBot(row), created: false, retried: topics.map((topic) => topic.id) };
}

async function refuseTakenName(context: StoreContext, grant: BotGrant): Promise<void> {
  const name = grant.name ?? grant.twitchLogin;
  const holder = await context.database.prisma.botAccount.findUnique({ where: { name } });
  if (!holder || holder.twitchUserId === grant.twitchUserId) return;
  const message = `Another bot is already called ${name}; give a different name.`;
  throw new RelayError('name_taken', 409, message, { errors: [{ path: 'name', message }] });
}

async function reseal(context: StoreContext): Promise<number> {
  const { prisma } = context.database;
  let count = 0;
  for (const row of await prisma.botAccount.findMany()) {
    const envelopes = [row.accessToken, ...(row.refreshToken === null ? [] : [row.refreshToken])];
    const due = envelopes.some((envelope) => context.sealer.needsReseal(envelope));
    const tokens = due ? openedOrNot(context, row) : undefined;
    if (!tokens) continue;
    const data = sealTokens(context, row.id, tokens);
    // Unless a refresh replaced them meanwhile: then they are sealed with the first key already.
    const where = { id: row.id, accessToken: row.accessToken };
    count += (await prisma.botAccount.updateMany({ where, data })).count;
  }
  return count;
}

function sealTokens(context: StoreContext, id: string, tokens: BotTokens) {
  const { accessToken, refreshToken, expiresAt } = tokens;
  return {
    accessToken: context.sealer.seal(accessToken, `bot:${id}:access`),
    refreshToken: refreshToken === null ? null : context.sealer.seal(refreshToken, `bot:${id}:refresh`),
    tokenExpiresAt: instant(expiresAt),
  };
}

function openedOrNot(context: StoreContext, row: BotAccount): BotTokens | undefined {
  try {
    return openTokens(context, row);
  } catch (error) {
    if (error instanceof RelayError) return undefined;
    throw error;
  }
}

function openTokens(context: StoreContext, row: BotAccount): BotTokens {
  const { id, accessToken, refreshToken, tokenExpiresAt } = row;
  return {
    accessToken: context.sealer.open(accessToken, `bot:${id}:access`),
    refreshToken: refreshToken === null ? null : context.sealer.open(refreshToken, `bot:${id}:refresh`),
    expiresAt: millis(tokenExpiresAt),
  };
}

function toBot(row: BotAccount): Bot {
  return {
    id: row.id,
    provider: row.provider,
    name: row.name,
    twitchUserId: row.twitchUserId,
    twitchLogin: row.twitchLogin,
    enabled: row.enabled,
    state: botState.parse(row.state),
    scopes: row.scopes,
    tokenExpiresAt: millis(row.tokenExpiresAt),
    validatedAt: millis(row.validatedAt),
    coveredUntil: millis(row.coveredUntil),
    createdAt: row.createdAt.getTime(),
  };
}
