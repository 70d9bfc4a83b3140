// Single-use browser log-ins. They are in the database, hashed, so that a restart between issue and use is no failure.
import type { StoreContext } from './context.ts';
import { hashSecret, newSecret } from './secrets.ts';
import { selectServices } from './service-row.ts';
import type { Service } from './service-row.ts';

export interface WsTokens {
  /** 256 random bits; the text is in this answer and nowhere else. */
  issue(serviceAccountId: string, ttlSeconds: number): Promise<string>;
  /** The service, once: the token is gone afterwards. Undefined for one that is unknown, used or expired. */
  redeem(token: string): Promise<Service | undefined>;
  /** Deletes what nobody redeemed in time; how many there were. */
  prune(): Promise<number>;
}

export function createWsTokens({ database, clock }: StoreContext): WsTokens {
  const { pool, prisma } = database;
  const prune = async () => {
    const { count } = await prisma.wsToken.deleteMany({
      where: { expiresAt: { lte: new Date(clock.now()) } },
    });
    return count;
  };
  return {
    prune,
    async issue(serviceAccountId, ttlSeconds) {
      // Whoever makes the table grow clears it: it never holds more than was issued within one lifetime.
      await prune();
      const token = newSecret();
      const expiresAt = new Date(clock.now() + ttlSeconds * 1000);
      await prisma.wsToken.create({ data: { tokenHash: hashSecret(token), serviceAccountId, expiresAt } });
      return token;
    },
    async redeem(token) {
      // One statement: of two attempts at the same moment one gets the row.
      const answer = await pool.query<{ id: string; expires_at: Date }>(
        'DELETE FROM ws_token WHERE token_hash = $1 RETURNING service_account_id AS id, expires_at',
        [hashSecret(token)],
      );
      const taken = answer.rows[0];
      if (!taken || taken.expires_at.getTime() <= clock.now()) return undefined;
      return (await selectServices(pool, 'WHERE s.id = $1', [taken.id]))[0];
    },
  };
}
