// What a service account is to the rest of the process, and how its row is read. Secrets never leave here.
import { z } from 'zod';
import { millis } from './rows.ts';
import type { Queryable } from './transaction.ts';

const accessMode = z.enum(['all', 'restricted']);
export type AccessMode = z.infer<typeof accessMode>;

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly clientId: string;
  readonly enabled: boolean;
  /** Every bot, or those of `botAccountIds`. */
  readonly accessMode: AccessMode;
  /** In order. Without meaning while it may use all. */
  readonly botAccountIds: readonly string[];
  readonly createdAt: number;
  /** Within a minute or so. */
  readonly lastSeenAt: number | null;
  /** Until when the secret before the present one works; null when there is none. */
  readonly previousValidUntil: number | null;
}

/** With the hashes that a log-in is compared with. */
export interface ServiceWithHashes {
  readonly service: Service;
  readonly secretHash: string;
  readonly previousSecretHash: string | null;
}

const serviceRow = z.object({
  id: z.string(),
  name: z.string(),
  client_id: z.string(),
  enabled: z.boolean(),
  access_mode: accessMode,
  bot_account_ids: z.array(z.string()),
  created_at: z.date(),
  last_seen_at: z.date().nullable(),
  secret_hash: z.string(),
  previous_secret_hash: z.string().nullable(),
  previous_valid_until: z.date().nullable(),
});

/** Services `s`, narrowed and ordered by the tail. */
export async function selectServices(db: Queryable, tail: string, values: unknown[]): Promise<Service[]> {
  return (await selectWithHashes(db, tail, values)).map(({ service }) => service);
}

export async function selectWithHashes(
  db: Queryable,
  tail: string,
  values: unknown[],
): Promise<ServiceWithHashes[]> {
  const answer = await db.query(
    `SELECT s.id, s.name, s.client_id, s.enabled, s.access_mode, s.created_at, s.last_seen_at, s.secret_hash,
            s.previous_secret_hash, s.previous_valid_until,
            ARRAY(SELECT sb.bot_account_id::text FROM service_bot sb
                   WHERE sb.service_account_id = s.id ORDER BY sb.bot_account_id) AS bot_account_ids
       FROM service_account s ${tail}`,
    values,
  );
  return answer.rows.map(fromRow);
}

function fromRow(raw: unknown): ServiceWithHashes {
  const row = serviceRow.parse(raw);
  return {
    service: {
      id: row.id,
      name: row.name,
      clientId: row.client_id,
      enabled: row.enabled,
      accessMode: row.access_mode,
      botAccountIds: row.bot_account_ids,
      createdAt: row.created_at.getTime(),
      lastSeenAt: millis(row.last_seen_at),
      previousValidUntil: millis(row.previous_valid_until),
    },
    secretHash: row.secret_hash,
    previousSecretHash: row.previous_secret_hash,
  };
}
