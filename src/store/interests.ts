// Interests: the wishes of services. A wish is a row and nothing more; nobody here talks to a platform.
import { z } from 'zod';
import { wantedSql } from './access.ts';
import type { StoreContext } from './context.ts';
import { createInterest } from './interest-create.ts';
import { removeInterest, removeInterestsOfBot } from './interest-remove.ts';
import { selectInterests } from './interest-row.ts';
import type { CreatedInterest, Interest, NewInterest } from './interest-row.ts';
import { isUuid } from './rows.ts';

/** What goes to a service, and where: one row per service, topic and endpoint. */
export interface FilterRow {
  readonly serviceAccountId: string;
  readonly topicId: string;
  readonly type: string;
  readonly createdSeq: number;
  /** Null: to its sockets. */
  readonly endpointId: string | null;
}

export interface InterestOfBot {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly botAccountId: string;
}

export interface Interests {
  /**
   * The interest, made by this call or found: however many identical calls there are at once, one row comes of it, and
   * one answer says `created`. The first interest of a service with a webhook URL makes the URL's endpoint. If the topic
   * was rejected or revoked it waits for another try, since somebody asks for it again. Throws RelayError `unknown_bot`
   * (404) or `unknown_service` (401) when the one or the other is gone.
   */
  create(wish: NewInterest): Promise<CreatedInterest>;
  /** In the order of ids, beginning behind `after`. */
  list(serviceAccountId: string, page: { limit: number; after?: string | undefined }): Promise<Interest[]>;
  /** Only the service's own. */
  get(serviceAccountId: string, id: string): Promise<Interest | undefined>;
  /**
   * Only the service's own; false when there is none. The last one of an endpoint takes it along. The topic stays until
   * the reconciler has dealt with it.
   */
  remove(serviceAccountId: string, id: string): Promise<boolean>;
  /** Whoever's they are, in the order of ids. */
  ofBot(botAccountId: string): Promise<InterestOfBot[]>;
  /** Those of the ids that are interests in something of the bot; as `remove`, all in one transaction. */
  removeOfBot(botAccountId: string, ids: readonly string[]): Promise<void>;
  /** Those that count: of enabled services that may use the bot, over every transport; all of them or one service's. */
  filters(serviceAccountId?: string): Promise<FilterRow[]>;
}

export function createInterests(context: StoreContext): Interests {
  const { pool } = context.database;
  return {
    create: (wish) => createInterest(context, wish),
    async list(serviceAccountId, { limit, after }) {
      if (after !== undefined && !isUuid(after)) return [];
      return selectInterests(
        pool,
        `WHERE i.service_account_id = $1 AND ($2::uuid IS NULL OR i.id > $2) ORDER BY i.id LIMIT $3`,
        [serviceAccountId, after ?? null, limit],
      );
    },
    async get(serviceAccountId, id) {
      if (!isUuid(id)) return undefined;
      const where = 'WHERE i.service_account_id = $1 AND i.id = $2';
      return (await selectInterests(pool, where, [serviceAccountId, id]))[0];
    },
    async remove(serviceAccountId, id) {
      return isUuid(id) && removeInterest(context, serviceAccountId, id);
    },
    async ofBot(botAccountId) {
      if (!isUuid(botAccountId)) return [];
      const answer = await pool.query<{ id: string; service: string; bot: string }>(
        `SELECT i.id, i.service_account_id AS service, t.bot_account_id AS bot
           FROM interest i JOIN topic t ON t.id = i.topic_id WHERE t.bot_account_id = $1 ORDER BY i.id`,
        [botAccountId],
      );
      return answer.rows.map(({ id, service, bot }) => ({
        id,
        serviceAccountId: service,
        botAccountId: bot,
      }));
    },
    async removeOfBot(botAccountId, ids) {
      if (isUuid(botAccountId)) await removeInterestsOfBot(context, botAccountId, ids.filter(isUuid));
    },
    async filters(serviceAccountId) {
      const answer = await pool.query(
        `SELECT i.service_account_id, i.topic_id, t.type, i.created_seq, i.endpoint_id
           FROM interest i
           JOIN topic t ON t.id = i.topic_id
           JOIN bot_account b ON b.id = t.bot_account_id
           JOIN service_account s ON s.id = i.service_account_id
          WHERE ${wantedSql} AND ($1::uuid IS NULL OR i.service_account_id = $1)`,
        [serviceAccountId ?? null],
      );
      return answer.rows.map(toFilterRow);
    },
  };
}

const filterRow = z.object({
  service_account_id: z.string(),
  topic_id: z.string(),
  type: z.string(),
  created_seq: z.coerce.number(),
  endpoint_id: z.string().nullable(),
});

function toFilterRow(raw: unknown): FilterRow {
  const row = filterRow.parse(raw);
  return {
    serviceAccountId: row.service_account_id,
    topicId: row.topic_id,
    type: row.type,
    createdSeq: row.created_seq,
    endpointId: row.endpoint_id,
  };
}
