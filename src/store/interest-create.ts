// Makes an interest, or finds it: the topic, the row and, for the first one with a webhook URL, the URL's endpoint. The
// endpoint's secret leaves in the answer and is stored sealed only.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import { canonicalCondition, topicId } from '../domain/topic.ts';
import type { StoreContext } from './context.ts';
import { secretPlace } from './endpoint-row.ts';
import { selectInterests } from './interest-row.ts';
import type { CreatedInterest, Interest, NewInterest } from './interest-row.ts';
import { brokenForeignKey } from './rows.ts';
import { newWebhookSecret } from './secrets.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

/** A topic can be removed as unwanted between two statements here, but hardly this often in a row. */
const maxRounds = 10;

export async function createInterest(context: StoreContext, wish: NewInterest): Promise<CreatedInterest> {
  const id = topicId(wish.topic);
  await refuseLeavingBot(context, wish.topic.botAccountId);
  for (let round = 1; ; round++) {
    const placed = await tryToPlace(context, id, wish);
    if (placed) {
      announce(context, wish, placed);
      const { interest, created, webhookSecret } = placed;
      return { interest, created, webhookSecret };
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

/** A wish that comes between this and the removal's end goes with the bot. */
async function refuseLeavingBot({ database }: StoreContext, botAccountId: string): Promise<void> {
  const sql = 'SELECT 1 FROM bot_account WHERE id = $1 AND removed_at IS NOT NULL';
  const { rowCount } = await database.pool.query(sql, [botAccountId]);
  if (rowCount !== 0) throw new RelayError(noBot.code, noBot.status, noBot.message);
}

interface Placed extends CreatedInterest {
  /** The topic waits for another try. */
  readonly retried: boolean;
}

/** Undefined when the topic or the interest was removed in between. */
async function tryToPlace(context: StoreContext, id: string, wish: NewInterest): Promise<Placed | undefined> {
  const { pool } = context.database;
  try {
    if (wish.webhookUrl === null) {
      const placed = await place(context, pool, { id, wish, endpointId: null });
      return placed && { ...placed, webhookSecret: null };
    }
    const url = wish.webhookUrl;
    return await inTransaction(pool, async (client) => {
      const endpoint = await lockEndpoint(context, client, { wish, url });
      const placed = await place(context, client, { id, wish, endpointId: endpoint.id });
      return placed && { ...placed, webhookSecret: endpoint.secret };
    });
  } catch (error) {
    if (brokenForeignKey(error) === 'interest_topic_id_fkey') return undefined;
    throw refusal(error);
  }
}

/**
 * The endpoint of the URL, made if there is none, and locked until the transaction ends: its last interest cannot be
 * removed meanwhile. Whoever made it has its secret; for everybody else that is null.
 */
async function lockEndpoint(
  context: StoreContext,
  client: Queryable,
  { wish, url }: { readonly wish: NewInterest; readonly url: string },
): Promise<{ id: string; secret: string | null }> {
  const id = randomUUID();
  const secret = wish.webhookSecret ?? newWebhookSecret();
  await client.query('SELECT 1 FROM service_account WHERE id = $1 FOR KEY SHARE', [wish.serviceAccountId]);
  // Writing what is there already is what locks a row that is found.
  const answer = await client.query(
    `INSERT INTO endpoint AS e (id, service_account_id, url, secret, acked_seq, sent_seq, state_since, whole_at,
                                created_at)
     VALUES ($1, $2, $3, $4, $5, $5, $6, $6, $6)
     ON CONFLICT (service_account_id, url) DO UPDATE SET description = e.description
     RETURNING id`,
    [
      id,
      wish.serviceAccountId,
      url,
      context.sealer.seal(secret, secretPlace(id)),
      wish.createdSeq,
      new Date(context.clock.now()),
    ],
  );
  const found = z.object({ id: z.string() }).parse(answer.rows[0]);
  return { id: found.id, secret: found.id === id ? secret : null };
}

interface Placing {
  readonly id: string;
  readonly wish: NewInterest;
  readonly endpointId: string | null;
}

async function place(context: StoreContext, db: Queryable, placing: Placing) {
  const { id, wish } = placing;
  const created = await insert(context, db, placing);
  const retried = await retryTopic(db, id);
  const interest = await find(db, id, wish);
  return interest && { interest, created, retried };
}

/**
 * Topic and interest in one statement: foreign keys are checked when it ends, and a conflict waits for the other one's
 * commit. A topic that is deleted in between breaks the foreign key, and nothing is written. False: it was there.
 */
async function insert(context: StoreContext, db: Queryable, { id, wish, endpointId }: Placing) {
  const { provider, botAccountId, type, version, condition } = wish.topic;
  const answer = await db.query(
    `WITH made AS (
       INSERT INTO topic (id, provider, bot_account_id, type, version, condition, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $12) ON CONFLICT (id) DO NOTHING
     )
     INSERT INTO interest (id, service_account_id, topic_id, transport, webhook_url, created_seq, created_at, endpoint_id)
     VALUES ($7, $8, $1, $9, $10, $11, $12, $13)
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
      endpointId,
    ],
  );
  return answer.rowCount === 1;
}

async function retryTopic(db: Queryable, id: string): Promise<boolean> {
  const answer = await db.query(
    `UPDATE topic SET state = 'pending', reason = NULL, code = NULL, retry_at = NULL
      WHERE id = $1 AND state IN ('rejected', 'revoked')`,
    [id],
  );
  return answer.rowCount === 1;
}

async function find(db: Queryable, id: string, wish: NewInterest): Promise<Interest | undefined> {
  const found = await selectInterests(
    db,
    'WHERE i.service_account_id = $1 AND i.topic_id = $2 AND i.transport = $3 AND i.webhook_url = $4',
    [wish.serviceAccountId, id, wish.transport, wish.webhookUrl ?? ''],
  );
  return found[0];
}

const noBot = { code: 'unknown_bot', status: 404, message: 'There is no such bot account.' };
const noService = { code: 'unknown_service', status: 401, message: 'There is no such service account.' };

const refusals = new Map([
  ['topic_bot_account_id_fkey', noBot],
  ['interest_service_account_id_fkey', noService],
  ['endpoint_service_account_id_fkey', noService],
]);

/** What the caller asked for and is not there, or the fault as it is. */
function refusal(error: unknown): unknown {
  const known = refusals.get(brokenForeignKey(error) ?? '');
  return known ? new RelayError(known.code, known.status, known.message, { cause: error }) : error;
}

/** The wish before its endpoint: whoever hears of the endpoint must not take it for one that wants nothing. */
function announce(context: StoreContext, wish: NewInterest, placed: Placed): void {
  const { serviceAccountId, topic } = wish;
  const { interest, created, retried, webhookSecret } = placed;
  if (created || retried) {
    const botAccountIds = [topic.botAccountId];
    context.changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds: [serviceAccountId] });
  }
  if (webhookSecret !== null && interest.endpointId !== null) {
    const { endpointId } = interest;
    context.changes.emit({ kind: 'endpoint', endpointId, serviceAccountId, what: 'created' });
  }
  if (retried) context.changes.emit({ kind: 'topic', topicId: interest.topic.id, state: 'pending' });
}
