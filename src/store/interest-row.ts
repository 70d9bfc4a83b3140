// What an interest is to the rest of the process, and how its row is read. Writing is interest-create.ts and interest-remove.ts.
import { z } from 'zod';
import type { TopicSpec } from '../domain/topic.ts';
import { allowedSql } from './access.ts';
import { toTopic, topicColumns } from './topics.ts';
import type { Topic } from './topics.ts';
import type { Queryable } from './transaction.ts';

const transport = z.enum(['websocket', 'webhook']);
export type Transport = z.infer<typeof transport>;

export interface Interest {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly transport: Transport;
  readonly webhookUrl: string | null;
  /** The endpoint of that URL; null for websocket. */
  readonly endpointId: string | null;
  /** Its service may use the bot at present, be it enabled or not; if not, nothing is delivered for it. */
  readonly allowed: boolean;
  /** Only what was logged after this is for it. */
  readonly createdSeq: number;
  readonly createdAt: number;
  readonly topic: Topic;
}

export interface NewInterest {
  readonly serviceAccountId: string;
  readonly topic: TopicSpec;
  readonly transport: Transport;
  /** In the spelling of the URL standard; null for websocket. */
  readonly webhookUrl: string | null;
  /** Of the URL's endpoint, if this wish makes it: `whsec_…`. Without one a secret is made up. */
  readonly webhookSecret?: string | undefined;
  readonly createdSeq: number;
}

export interface CreatedInterest {
  readonly interest: Interest;
  readonly created: boolean;
  /** In plain text when this call made the endpoint, and told nowhere else. */
  readonly webhookSecret: string | null;
}

const interestRow = z.looseObject({
  interest_id: z.string(),
  service_account_id: z.string(),
  transport,
  webhook_url: z.string(),
  endpoint_id: z.string().nullable(),
  allowed: z.boolean(),
  // int8 arrives as text.
  created_seq: z.coerce.number(),
  interest_created_at: z.date(),
});

/** Interests `i` with their topics `t`, in the order that the tail asks for. */
export async function selectInterests(db: Queryable, tail: string, values: unknown[]): Promise<Interest[]> {
  const answer = await db.query(
    `SELECT i.id AS interest_id, i.service_account_id, i.transport, i.webhook_url, i.endpoint_id, i.created_seq,
            i.created_at AS interest_created_at, ${allowedSql} AS allowed, ${topicColumns}
       FROM interest i
       JOIN topic t ON t.id = i.topic_id
       JOIN bot_account b ON b.id = t.bot_account_id
       JOIN service_account s ON s.id = i.service_account_id ${tail}`,
    values,
  );
  return answer.rows.map((raw: unknown) => {
    const row = interestRow.parse(raw);
    return {
      id: row.interest_id,
      serviceAccountId: row.service_account_id,
      transport: row.transport,
      webhookUrl: row.webhook_url === '' ? null : row.webhook_url,
      endpointId: row.endpoint_id,
      allowed: row.allowed,
      createdSeq: row.created_seq,
      createdAt: row.interest_created_at.getTime(),
      topic: toTopic(raw),
    };
  });
}
