// A row of `bot_account` as a value, and its tokens: they are sealed on the way in and opened on the way out, bound to the
// row that they belong to.
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import type { StoreContext } from './context.ts';
import type { BotAccount } from './generated/client.ts';
import { instant, isUuid, millis } from './rows.ts';

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
  /** Whether new tokens can be had without asking its user. */
  readonly refreshable: boolean;
  /** Up to here everything that its upstream session delivered is in the log. */
  readonly coveredUntil: number | null;
  /** Since when it is being taken out; null for every other. */
  readonly removedAt: number | null;
  readonly createdAt: number;
}

export interface BotTokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresAt: number | null;
}

const botSql = `SELECT id, provider, name, twitch_user_id AS "twitchUserId", twitch_login AS "twitchLogin", enabled, state,
  coalesce(scopes, '{}') AS scopes, access_token AS "accessToken", refresh_token AS "refreshToken", token_expires_at AS "tokenExpiresAt",
  validated_at AS "validatedAt", covered_until AS "coveredUntil", removed_at AS "removedAt",
  created_at AS "createdAt", updated_at AS "updatedAt" FROM bot_account WHERE id = $1`;

/** Read several times in every pass of every bot, and so by a statement of its own: Prisma takes many times as long. */
export async function findBot(context: StoreContext, id: string): Promise<BotAccount | undefined> {
  if (!isUuid(id)) return undefined;
  const { rows } = await context.database.pool.query<BotAccount>({
    name: 'bot_by_id',
    text: botSql,
    values: [id],
  });
  return rows[0];
}

export function sealTokens(context: StoreContext, id: string, tokens: BotTokens) {
  const { accessToken, refreshToken, expiresAt } = tokens;
  return {
    accessToken: context.sealer.seal(accessToken, `bot:${id}:access`),
    refreshToken: refreshToken === null ? null : context.sealer.seal(refreshToken, `bot:${id}:refresh`),
    tokenExpiresAt: instant(expiresAt),
  };
}

export function openedTokens(context: StoreContext, row: BotAccount): BotTokens | undefined {
  try {
    return openTokens(context, row);
  } catch (error) {
    if (error instanceof RelayError) return undefined;
    throw error;
  }
}

export function openTokens(context: StoreContext, row: BotAccount): BotTokens {
  const { id, accessToken, refreshToken, tokenExpiresAt } = row;
  return {
    accessToken: context.sealer.open(accessToken, `bot:${id}:access`),
    refreshToken: refreshToken === null ? null : context.sealer.open(refreshToken, `bot:${id}:refresh`),
    expiresAt: millis(tokenExpiresAt),
  };
}

export function toBot(row: BotAccount): Bot {
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
    refreshable: row.refreshToken !== null,
    coveredUntil: millis(row.coveredUntil),
    removedAt: millis(row.removedAt),
    createdAt: row.createdAt.getTime(),
  };
}
