// Topics: what interests have in common, and what is known about each one upstream. Only the reconciler writes their
// state; wishes reach it through `wanted`.
import { z } from 'zod';
import type { GapCause } from '../domain/relay-event.ts';
import type { Condition } from '../domain/topic.ts';
import { gapCauses } from '../protocol/event.ts';
import { interestStates } from '../protocol/rest.ts';
import type { InterestState } from '../protocol/rest.ts';
import { allowedSql, wantedSql } from './access.ts';
import type { StoreContext } from './context.ts';
import { brokenForeignKey, instant, millis } from './rows.ts';
import { gatheredPatch } from './topic-patches.ts';

export interface Topic {
  readonly id: string;
  readonly provider: string;
  readonly botAccountId: string;
  readonly type: string;
  readonly version: string;
  readonly condition: Condition;
  readonly state: InterestState;
  readonly reason: string | null;
  readonly code: string | null;
  readonly retryAt: number | null;
  /** The platform's subscription as last confirmed. */
  readonly subscriptionId: string | null;
  readonly cost: number;
  /** While events may be missed: since when, and why. */
  readonly gapFrom: number | null;
  readonly gapCause: GapCause | null;
  readonly createdAt: number;
}

export interface WantedTopic extends Topic {
  /** At least one interest that counts: of an enabled service that may use the bot. */
  readonly wanted: boolean;
  /** All interests, those that do not count too. */
  readonly interestCount: number;
}

export type TopicPatch = Partial<
  Pick<Topic, 'state' | 'reason' | 'code' | 'retryAt' | 'subscriptionId' | 'cost' | 'gapFrom' | 'gapCause'>
>;

export interface Topics {
  /** By id. */
  forBot(botAccountId: string): Promise<WantedTopic[]>;
  all(): Promise<WantedTopic[]>;
  /**
   * Sets what the patch names; false when the topic is gone. Announced when it names the state. With `only` it is also false,
   * and nothing set, when its bot's token was validated at another time than that (by now); a grant that is being taken in at
   * this moment counts.
   */
  update(id: string, patch: TopicPatch, only?: { readonly validatedAt: number | null }): Promise<boolean>;
  /** Whose services may use the bot: what becomes of the topic is of no concern to the others. */
  interestsOf(topicId: string): Promise<{ id: string; serviceAccountId: string; botAccountId: string }[]>;
  /** Deletes the topic unless an interest in it exists, also one that is being created at this moment. */
  removeIfUnwanted(id: string): Promise<boolean>;
}

/** A topic's columns under the alias `t`. */
export const topicColumns = `t.id, t.provider, t.bot_account_id, t.type, t.version, t.condition, t.state, t.reason,
  t.code, t.retry_at, t.subscription_id, t.cost, t.gap_from, t.gap_cause, t.created_at`;

const topicRow = z.object({
  id: z.string(),
  provider: z.string(),
  bot_account_id: z.string(),
  type: z.string(),
  version: z.string(),
  condition: z.record(z.string(), z.string()),
  state: z.enum(interestStates),
  reason: z.string().nullable(),
  code: z.string().nullable(),
  retry_at: z.date().nullable(),
  subscription_id: z.string().nullable(),
  cost: z.number(),
  gap_from: z.date().nullable(),
  gap_cause: z.enum(gapCauses).nullable(),
  created_at: z.date(),
});
const wantedRow = topicRow.extend({ wanted: z.boolean(), interest_count: z.number() });

export function createTopics(context: StoreContext): Topics {
  const { pool } = context.database;
  const gathered = gatheredPatch(pool);
  return {
    forBot: (botAccountId) => select(context, 'WHERE t.bot_account_id = $1', [botAccountId]),
    all: () => select(context, '', []),
    async update(id, patch, only) {
      const found = await (only
        ? patchUnderGrant(context, id, patch, only)
        : (gathered(id, patch) ?? patchTopic(context, id, patch)));
      const { state } = patch;
      if (found && state !== undefined) context.changes.emit({ kind: 'topic', topicId: id, state });
      return found;
    },
    async interestsOf(topicId) {
      const answer = await pool.query<{ id: string; service: string; bot: string }>(
        `SELECT i.id, i.service_account_id AS service, t.bot_account_id AS bot
           FROM interest i
           JOIN topic t ON t.id = i.topic_id
           JOIN bot_account b ON b.id = t.bot_account_id
           JOIN service_account s ON s.id = i.service_account_id
          WHERE i.topic_id = $1 AND ${allowedSql} ORDER BY i.id`,
        [topicId],
      );
      return answer.rows.map(({ id, service, bot }) => ({
        id,
        serviceAccountId: service,
        botAccountId: bot,
      }));
    },
    async removeIfUnwanted(id) {
      try {
        const answer = await pool.query(
          'DELETE FROM topic t WHERE t.id = $1 AND NOT EXISTS (SELECT 1 FROM interest i WHERE i.topic_id = t.id)',
          [id],
        );
        return answer.rowCount === 1;
      } catch (error) {
        // An interest that was committed after this statement began: the foreign key sees it, NOT EXISTS does not.
        if (brokenForeignKey(error) === undefined) throw error;
        return false;
      }
    },
  };
}

async function select(context: StoreContext, where: string, values: unknown[]): Promise<WantedTopic[]> {
  const answer = await context.database.pool.query(
    `SELECT ${topicColumns}, coalesce(w.wanted, false) AS wanted, w.total AS interest_count
       FROM topic t
       JOIN bot_account b ON b.id = t.bot_account_id
      CROSS JOIN LATERAL (SELECT bool_or(${wantedSql}) AS wanted, count(*)::int AS total
                            FROM interest i JOIN service_account s ON s.id = i.service_account_id
                           WHERE i.topic_id = t.id) w
      ${where} ORDER BY t.id`,
    values,
  );
  return answer.rows.map((row: unknown) => {
    const parsed = wantedRow.parse(row);
    return { ...fromRow(parsed), wanted: parsed.wanted, interestCount: parsed.interest_count };
  });
}

const patchOf = ({ retryAt, gapFrom, ...rest }: TopicPatch) => ({
  ...rest,
  ...(retryAt === undefined ? {} : { retryAt: instant(retryAt) }),
  ...(gapFrom === undefined ? {} : { gapFrom: instant(gapFrom) }),
});

async function patchTopic(context: StoreContext, id: string, patch: TopicPatch): Promise<boolean> {
  const { prisma } = context.database;
  const { count } = await prisma.topic.updateMany({ where: { id }, data: patchOf(patch) });
  return count > 0;
}

/** Waits for a grant that is being taken in, which locks the bot before it looks at the topics. */
async function patchUnderGrant(
  context: StoreContext,
  id: string,
  patch: TopicPatch,
  { validatedAt }: { readonly validatedAt: number | null },
): Promise<boolean> {
  const { prisma } = context.database;
  const [, { count }] = await prisma.$transaction([
    prisma.$queryRaw`SELECT 1 FROM bot_account b JOIN topic t ON t.bot_account_id = b.id
                      WHERE t.id = ${id}::uuid FOR SHARE OF b`,
    prisma.topic.updateMany({
      where: { id, bot: { validatedAt: instant(validatedAt) } },
      data: patchOf(patch),
    }),
  ]);
  return count > 0;
}

/** A row of `topicColumns`, checked. */
export const toTopic = (row: unknown): Topic => fromRow(topicRow.parse(row));

function fromRow(row: z.infer<typeof topicRow>): Topic {
  return {
    id: row.id,
    provider: row.provider,
    botAccountId: row.bot_account_id,
    type: row.type,
    version: row.version,
    condition: row.condition,
    state: row.state,
    reason: row.reason,
    code: row.code,
    retryAt: millis(row.retry_at),
    subscriptionId: row.subscription_id,
    cost: row.cost,
    gapFrom: millis(row.gap_from),
    gapCause: row.gap_cause,
    createdAt: row.created_at.getTime(),
  };
}
