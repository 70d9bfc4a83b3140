// Takes in a grant: a new bot, new tokens for a known one, or one that is being taken out and comes back. Tokens enter the
// database sealed.
import { randomUUID } from 'node:crypto';
import { RelayError } from '../domain/errors.ts';
import { sealTokens, toBot } from './bot-row.ts';
import type { Bot, BotTokens } from './bot-row.ts';
import type { StoreContext } from './context.ts';
import type { BotAccount } from './generated/client.ts';
import { isMissingRow, isUniqueViolation } from './rows.ts';

export interface BotGrant extends BotTokens {
  /** Defaults to the name it has, or to the login. */
  readonly name?: string | undefined;
  readonly twitchUserId: string;
  readonly twitchLogin: string;
  readonly scopes: readonly string[];
}

/** More than one round only when somebody else brings in, or takes out, the same user at the same moment. */
const maxRounds = 5;

export async function takeGrant(
  context: StoreContext,
  grant: BotGrant,
): Promise<{ bot: Bot; created: boolean }> {
  for (let round = 1; ; round++) {
    try {
      const outcome = await writeGrant(context, grant);
      announce(context, outcome);
      return { bot: outcome.bot, created: outcome.created };
    } catch (error) {
      if (isUniqueViolation(error)) await refuseTakenName(context, grant);
      else if (!isMissingRow(error)) throw error;
      if (round === maxRounds) throw error;
    }
  }
}

interface Written {
  readonly bot: Bot;
  readonly created: boolean;
  /** It was being taken out; of these services something is left that counts again. */
  readonly regainedBy: readonly string[];
  readonly retried: readonly string[];
}

async function writeGrant(context: StoreContext, grant: BotGrant): Promise<Written> {
  const { prisma } = context.database;
  const known = await prisma.botAccount.findUnique({
    where: { provider_twitchUserId: { provider: 'twitch', twitchUserId: grant.twitchUserId } },
  });
  const data = dataOf(context, grant, known);
  if (!known) {
    const row = await prisma.botAccount.create({ data: { ...data, twitchUserId: grant.twitchUserId } });
    return { bot: toBot(row), created: true, regainedBy: [], retried: [] };
  }
  const { id } = known;
  const [locked, row, , topics, interests] = await prisma.$transaction([
    prisma.$queryRaw<{ is_back: boolean }[]>`
      SELECT removed_at IS NOT NULL AS is_back FROM bot_account WHERE id = ${id}::uuid FOR NO KEY UPDATE`,
    prisma.botAccount.update({ where: { id }, data }),
    // In the order of whoever else locks several (topic-patches.ts).
    prisma.$queryRaw`SELECT 1 FROM topic WHERE bot_account_id = ${id}::uuid ORDER BY id FOR NO KEY UPDATE`,
    prisma.topic.updateManyAndReturn({
      where: { botAccountId: id, state: { in: ['rejected', 'revoked'] } },
      data: { state: 'pending', reason: null, code: null, retryAt: null },
      select: { id: true },
    }),
    prisma.interest.findMany({
      where: { topic: { botAccountId: id } },
      select: { serviceAccountId: true },
      distinct: ['serviceAccountId'],
    }),
  ]);
  const isBack = locked.some((each) => each.is_back);
  const regainedBy = isBack ? interests.map(({ serviceAccountId }) => serviceAccountId) : [];
  return { bot: toBot(row), created: false, regainedBy, retried: topics.map((topic) => topic.id) };
}

/** One that was being taken out comes back as a new one would: enabled, and under its login unless a name is given. */
function dataOf(context: StoreContext, grant: BotGrant, known: BotAccount | null) {
  const id = known?.id ?? randomUUID();
  const isLeaving = known !== null && known.removedAt !== null;
  const keptName = isLeaving ? undefined : known?.name;
  return {
    ...sealTokens(context, id, grant),
    id,
    name: grant.name ?? keptName ?? grant.twitchLogin,
    twitchLogin: grant.twitchLogin,
    scopes: [...grant.scopes],
    state: 'ok',
    validatedAt: new Date(context.clock.now()),
    removedAt: null,
    ...(isLeaving ? { enabled: true } : {}),
  };
}

function announce({ changes }: StoreContext, { bot, regainedBy, retried }: Written): void {
  const botAccountIds = [bot.id];
  if (regainedBy.length > 0)
    changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds: [...regainedBy] });
  changes.emit({ kind: 'bot', botAccountId: bot.id });
  for (const topicId of retried) changes.emit({ kind: 'topic', topicId, state: 'pending' });
}

async function refuseTakenName(context: StoreContext, grant: BotGrant): Promise<void> {
  const name = grant.name ?? grant.twitchLogin;
  const holder = await context.database.prisma.botAccount.findUnique({ where: { name } });
  if (holder && holder.twitchUserId !== grant.twitchUserId) throw nameTaken(name);
}

export function nameTaken(name: string): RelayError {
  const message = `Another bot is already called ${name}; give a different name.`;
  return new RelayError('name_taken', 409, message, { errors: [{ path: 'name', message }] });
}
