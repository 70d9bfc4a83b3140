// Interests: the wishes of services. A wish is a row and nothing more; nobody here talks to a platform.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import { canonicalCondition, topicId } from '../domain/topic.ts';
import type { TopicSpec } from '../domain/topic.ts';
import type { StoreContext } from './context.ts';
import { brokenForeignKey, isUuid } from './rows.ts';
import { toTopic, topicColumns } from './topics.ts';
import type { Topic } from './topics.ts';

const transport = z.enum(['websocket', 'webhook']);
export type Transport = z.infer<typeof transport>;

export interface Interest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly transport: Transport;
  readonly webhookUrl: string | null;
  /** Only what was logged after this is for it. */
  readonly createdSeq: number;
  readonly createdAt: number;
  readonly topic: Topic;
}

export interface NewInterest {
  readonly serviceAccountId: string;
  readonly topic: TopicSpec;
  readonly transport: Transport;
  readonly webhookUrl: string | null;
  readonly createdSeq: number;
}

/** What a service reads over a socket: one row per service and topic, with the earliest of its interests. */
export interface FilterRow {
  readonly serviceAccountId: string;
  readonly topicId: string;
  readonly type: string;
  readonly createdSeq: number;
  readonly transport: Transport;
}

export interface Interests {
  /**
   * The interest, made by this call or found: however many identical calls there are at once, one row comes of it, and
   * one answer says `created`. If the topic was rejected or revoked it waits for another try, since somebody asks for it
   * again. Throws RelayError `unknown_bot` (404) or `unknown_service` (401) when the one or the other is gone.
   */
  create(wish: NewInterest): Promise<{ interest: Interest; created: boolean }>;
  /** In the order of ids, beginning behind `after`. */
  list(serviceAccountId: string, page: { limit: number; after?: string | undefined }): Promise<Interest[]>;
  /** Only the service's own. */
  get(serviceAccountId: string, id: string): Promise<Interest | undefined>;
  /** Only the service's own; false when there is none. The topic stays until the reconciler has dealt with it. */
  remove(serviceAccountId: string, id: string): Promise<boolean>;
  /** Of enabled services, for the socket; all of them or one. */
  filters(serviceAccountId?: string): Promise<FilterRow[]>;
}

export function createInterests(context: StoreContext): Interests {
  const { pool } = context.database;
  return {
    create: (wish) => create(context, wish),
    async list(serviceAccountId, { limit, after }) {
      if (after !== undefined && !isUuid(after)) return [];
      return select(
        context,
        `WHERE i.service_account_id = $1 AND ($2::uuid IS NULL OR i.id > $2) ORDER BY i.id LIMIT $3`,
        [serviceAccountId, after ?? null, limit],
      );
    },
    async get(serviceAccountId, id) {
      if (!isUuid(id)) return undefined;
      const found = await select(context, 'WHERE i.service_account_id = $1 AND i.id = $2', [
        serviceAccountId,
        id,
      ]);
      return found[0];
    },
    async remove(serviceAccountId, id) {
      if (!isUuid(id)) return false;
      const answer = await pool.query<{ bot: string }>(
        `DELETE FROM interest i USING topic t WHERE t.id = i.topic_id AND i.service_account_id = $1 AND i.id = $2
         RETURNING t.bot_account_id AS bot`,
        [serviceAccountId, id],
      );
      const bot = answer.rows[0]?.bot;
      if (bot === undefined) return false;
      announce(context, bot, serviceAccountId);
      return true;
    },
    async filters(serviceAccountId) {
      const answer = await pool.query(
        `SELECT i.service_account_id, i.topic_id, t.type, min(i.created_seq) AS created_seq, i.transport
           FROM interest i
           JOIN topic t ON t.id = i.topic_id
           JOIN service_account s ON s.id = i.service_account_id AND s.enabled
          WHERE i.transport = 'websocket' AND ($1::uuid IS NULL OR i.service_account_id = $1)
          GROUP BY i.service_account_id, i.topic_id, t.type, i.transport`,
        [serviceAccountId ?? null],
      );
      return answer.rows.map(toFilterRow);
    },
  };
}

/** A topic can be removed as unwanted between two statements here, but hardly this often in a row. */
const maxRounds = 10;

async function create(context: StoreContext, wish: NewInterest) {
  const id = topicId(wish.topic);
  for (let round = 1; ; round++) {
    const outcome = await insert(context, id, wish);
    if (outcome !== 'topic-gone') {
      const retried = await retryTopic(context, id);
      const interest = await find(context, id, wish);
      if (interest) {
        if (outcome === 'created' || retried)
          announce(context, wish.topic.botAccountId, wish.serviceAccountId);
        if (retried) context.changes.emit({ kind: 'topic', topicId: id, state: 'pending' });
        return { interest, created: outcome === 'created' };
      }
    }
    if (round === maxRounds) {
      throw new RelayError(
        'interest_contended',
        503,
        'The interest is being created and removed at the same time.',
      );
    }
  }
}

/**
 * Both rows in one statement: foreign keys are checked when it ends, and a conflict waits for the other one's commit. A
 * topic that is deleted in between breaks the foreign key, and nothing is written.
 */
async function insert(
  context: StoreContext,
  id: string,
  wish: NewInterest,
): Promise<'created' | 'existing' | 'topic-gone'> {
  const { provider, botAccountId, type, version, condition } = wish.topic;
  try {
    const answer = await context.database.pool.query(
      `WITH made AS (
         INSERT INTO topic (id, provider, bot_account_id, type, version, condition, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $12) ON CONFLICT (id) DO NOTHING
       )
       INSERT INTO interest (id, service_account_id, topic_id, transport, webhook_url, created_seq, created_at)
       VALUES ($7, $8, $1, $9, $10, $11, $12)
       ON CONFLICT (service_account_id, topic_id, transport, webhook_url) DO NOTHING`,
      [
        id,
        provider,
        botAccountId,
        type,
        version,
        JSON.stringify(canonicalCondition(condition)),
        randomUUID(),
        wish.serviceAccountId,
        wish.transport,
        wish.webhookUrl ?? '',
        wish.createdSeq,
        new Date(context.clock.now()),
      ],
    );
    return answer.rowCount === 1 ? 'created' : 'existing';
  } catch (error) {
    const key = brokenForeignKey(error);
    if (key === 'interest_topic_id_fkey') return 'topic-gone';
    if (key === 'topic_bot_account_id_fkey') {
      throw new RelayError('unknown_bot', 404, 'There is no such bot account.', { cause: error });
    }
    if (key === 'interest_service_account_id_fkey') {
      throw new RelayError('unknown_service', 401, 'There is no such service account.', { cause: error });
    }
    throw error;
  }
}

async function retryTopic(context: StoreContext, id: string): Promise<boolean> {
  const answer = await context.database.pool.query(
    `UPDATE topic SET state = 'pending', reason = NULL, code = NULL, retry_at = NULL
      WHERE id = $1 AND state IN ('rejected', 'revoked')`,
    [id],
  );
  return answer.rowCount === 1;
}

async function find(context: StoreContext, id: string, wish: NewInterest): Promise<Interest | undefined> {
  const found = await select(
    context,
    'WHERE i.service_account_id = $1 AND i.topic_id = $2 AND i.transport = $3 AND i.webhook_url = $4',
    [wish.serviceAccountId, id, wish.transport, wish.webhookUrl ?? ''],
  );
  return found[0];
}

function announce(context: StoreContext, botAccountId: string, serviceAccountId: string): void {
  context.changes.emit({
    kind: 'interests',
    botAccountIds: [botAccountId],
    serviceAccountIds: [serviceAccountId],
  });
}

const interestRow = z.looseObject({
  interest_id: z.string(),
  service_account_id: z.string(),
  transport,
  webhook_url: z.string(),
  // int8 arrives as text.
  created_seq: z.coerce.number(),
  interest_created_at: z.date(),
});

async function select(context: StoreContext, tail: string, values: unknown[]): Promise<Interest[]> {
  const answer = await context.database.pool.query(
    `SELECT i.id AS interest_id, i.service_account_id, i.transport, i.webhook_url, i.created_seq,
            i.created_at AS interest_created_at, ${topicColumns}
       FROM interest i JOIN topic t ON t.id = i.topic_id ${tail}`,
    values,
  );
  return answer.rows.map((raw: unknown) => {
    const row = interestRow.parse(raw);
    return {
      id: row.interest_id,
      serviceAccountId: row.service_account_id,
      transport: row.transport,
      webhookUrl: row.webhook_url === '' ? null : row.webhook_url,
      createdSeq: row.created_seq,
      createdAt: row.interest_created_at.getTime(),
      topic: toTopic(raw),
    };
  });
}

const filterRow = z.object({
  service_account_id: z.string(),
  topic_id: z.string(),
  type: z.string(),
  created_seq: z.coerce.number(),
  transport,
});

function toFilterRow(raw: unknown): FilterRow {
  const row = filterRow.parse(raw);
  return {
    serviceAccountId: row.service_account_id,
    topicId: row.topic_id,
    type: row.type,
    createdSeq: row.created_seq,
    transport: row.transport,
  };
}
