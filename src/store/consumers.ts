// Where each named reader stands. Positions are written in batches by their owner; nothing here reads the log.
import type { StoreContext } from './context.ts';
import type { Consumer as ConsumerRow } from './generated/client.ts';
import { z } from 'zod';
import { encodeTextArray } from '../runtime/text-array.ts';

export interface Consumer {
  readonly serviceAccountId: string;
  readonly name: string;
  /** Everything up to here is done. */
  readonly ackedSeq: number;
  /** Everything up to here may have been sent before. */
  readonly sentSeq: number;
  /** Of the latest sending of what lies between the two. */
  readonly attempt: number;
  /** A connection is open; or its end was unclean. */
  readonly open: boolean;
  readonly updatedAt: number;
}

export type ConsumerPosition = Omit<Consumer, 'updatedAt'>;

export interface Consumers {
  /**
   * Marks the consumer open, creating it at `startSeq` if it is new. `wasOpen` on a known one means that its last
   * connection did not end cleanly (or has not ended), so its `sentSeq` may be behind the truth.
   */
  open(
    serviceAccountId: string,
    name: string,
    options: { startSeq: number },
  ): Promise<{ consumer: Consumer; created: boolean; wasOpen: boolean }>;
  /** By name. */
  list(serviceAccountId: string): Promise<Consumer[]>;
  get(serviceAccountId: string, name: string): Promise<Consumer | undefined>;
  /** All of them in one statement. `ackedSeq` never goes back. Consumers that are gone are passed over. */
  save(positions: readonly ConsumerPosition[]): Promise<void>;
  /** Everything up to `seq` is done; makes the consumer if it is new. One statement; answers where it stands, never behind. */
  acknowledge(serviceAccountId: string, name: string, seq: number): Promise<number>;
  /** Puts the consumer at `seq`, back or forward, with nothing outstanding; creates it if need be. */
  reset(serviceAccountId: string, name: string, seq: number): Promise<Consumer>;
}

const saveSql = `
UPDATE consumer AS c
   SET acked_seq = greatest(c.acked_seq, p.acked::bigint),
       sent_seq = greatest(p.sent::bigint, c.acked_seq, p.acked::bigint),
       attempt = p.attempt::int, open = p.open::bool, updated_at = $7
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS p(service, name, acked, sent, attempt, open)
 WHERE c.service_account_id = p.service::uuid AND c.name = p.name`;

export function createConsumers(context: StoreContext): Consumers {
  const { prisma, pool } = context.database;
  const now = () => new Date(context.clock.now());
  return {
    open: (serviceAccountId, name, { startSeq }) => open(context, serviceAccountId, name, startSeq),
    async list(serviceAccountId) {
      const rows = await prisma.consumer.findMany({ where: { serviceAccountId }, orderBy: { name: 'asc' } });
      return rows.map(toConsumer);
    },
    async get(serviceAccountId, name) {
      const where = { serviceAccountId_name: { serviceAccountId, name } };
      const row = await prisma.consumer.findUnique({ where });
      return row ? toConsumer(row) : undefined;
    },
    async save(positions) {
      const latest = lastOfEach(positions);
      if (latest.length === 0) return;
      const column = (pick: (position: ConsumerPosition) => string | number | boolean) =>
        encodeTextArray(latest.map((position) => String(pick(position))));
      const values = [
        column((position) => position.serviceAccountId),
        column((position) => position.name),
        column((position) => position.ackedSeq),
        column((position) => position.sentSeq),
        column((position) => position.attempt),
        column((position) => position.open),
        now(),
      ];
      await pool.query({ name: 'consumers_save', text: saveSql, values });
    },
    async acknowledge(serviceAccountId, name, seq) {
      const answer = await pool.query<{ acked_seq: string }>(
        `INSERT INTO consumer AS c (service_account_id, name, acked_seq, sent_seq, updated_at)
         VALUES ($1, $2, $3, $3, $4)
         ON CONFLICT (service_account_id, name) DO UPDATE
            SET acked_seq = greatest(c.acked_seq, $3), sent_seq = greatest(c.sent_seq, $3), updated_at = $4
         RETURNING acked_seq`,
        [serviceAccountId, name, seq, now()],
      );
      return Number(answer.rows[0]?.acked_seq ?? seq);
    },
    async reset(serviceAccountId, name, seq) {
      const data = { ackedSeq: BigInt(seq), sentSeq: BigInt(seq), attempt: 1, updatedAt: now() };
      const row = await prisma.consumer.upsert({
        where: { serviceAccountId_name: { serviceAccountId, name } },
        create: { serviceAccountId, name, ...data },
        update: data,
      });
      return toConsumer(row);
    },
  };
}

const openedRow = z.object({
  acked_seq: z.coerce.number(),
  sent_seq: z.coerce.number(),
  attempt: z.number(),
  updated_at: z.date(),
  was_open: z.boolean().nullable(),
});

async function open(context: StoreContext, serviceAccountId: string, name: string, startSeq: number) {
  const answer = await context.database.pool.query(
    `WITH before AS (SELECT open FROM consumer WHERE service_account_id = $1 AND name = $2)
     INSERT INTO consumer (service_account_id, name, acked_seq, sent_seq, open, updated_at)
     VALUES ($1, $2, $3, $3, true, $4)
     ON CONFLICT (service_account_id, name) DO UPDATE SET open = true, updated_at = $4
     RETURNING acked_seq, sent_seq, attempt, updated_at, (SELECT open FROM before) AS was_open`,
    [serviceAccountId, name, startSeq, new Date(context.clock.now())],
  );
  const row = openedRow.parse(answer.rows[0]);
  return {
    consumer: {
      serviceAccountId,
      name,
      ackedSeq: row.acked_seq,
      sentSeq: row.sent_seq,
      attempt: row.attempt,
      open: true,
      updatedAt: row.updated_at.getTime(),
    },
    created: row.was_open === null,
    wasOpen: row.was_open ?? false,
  };
}

/** One statement may change a row once: of several positions of one consumer the last counts, with the furthest ack. */
function lastOfEach(positions: readonly ConsumerPosition[]): ConsumerPosition[] {
  const byConsumer = new Map<string, ConsumerPosition>();
  for (const position of positions) {
    // A UUID is always as long.
    const key = position.serviceAccountId + position.name;
    const ackedSeq = Math.max(position.ackedSeq, byConsumer.get(key)?.ackedSeq ?? 0);
    byConsumer.set(key, { ...position, ackedSeq });
  }
  return [...byConsumer.values()];
}

function toConsumer(row: ConsumerRow): Consumer {
  return {
    serviceAccountId: row.serviceAccountId,
    name: row.name,
    ackedSeq: Number(row.ackedSeq),
    sentSeq: Number(row.sentSeq),
    attempt: row.attempt,
    open: row.open,
    updatedAt: row.updatedAt.getTime(),
  };
}
