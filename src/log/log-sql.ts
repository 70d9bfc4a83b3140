// The log's statements and the shapes that go in and come out of them. It knows the tables' columns and nothing of
// pools, listeners or order; postgres-log.ts runs these.
import type { Selection } from '../delivery/port.ts';
import type { Audience, EventDraft, LogRecord } from '../domain/event.ts';
import type { Filter } from '../domain/filter.ts';
import { retentionClassOf } from '../domain/event.ts';
import { encodeTextArray } from '../runtime/text-array.ts';

/**
 * Hands out numbers and inserts in one statement. The update's row lock is held until the commit, so whoever comes
 * next, in any process, gets larger numbers and becomes visible later. An id that is there already (or twice in this
 * batch) is skipped and leaves a hole. `added` is null when nothing was skipped, which is nearly always.
 */
export const appendSql = `
WITH head AS (
  UPDATE log_head SET seq = seq + $1::bigint WHERE id = 1 RETURNING seq - $1::bigint AS base
), added AS (
  INSERT INTO event (seq, message_id, class, provider, type, version, event_timestamp, received_at,
                     bot_account_id, topic_id, topic_ids, service_account_id, body)
  SELECT head.base + d.ord, d.message_id, d.class, d.provider, d.type, d.version, d.event_timestamp,
         to_timestamp(d.received_ms::float8 / 1000), d.bot_account_id::uuid, d.topic_id::uuid, d.topic_ids,
         d.service_account_id::uuid, d.body
  FROM head, unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
       WITH ORDINALITY AS d(message_id, class, provider, type, version, event_timestamp, received_ms,
                            bot_account_id, topic_id, topic_ids, service_account_id, body, ord)
  ORDER BY d.ord
  ON CONFLICT (message_id) DO NOTHING
  RETURNING seq
)
SELECT head.base::float8 AS base,
       CASE WHEN (SELECT count(*) FROM added) = $1::bigint THEN NULL
            ELSE ARRAY(SELECT (added.seq - head.base)::int FROM added) END AS added
FROM head`;

export interface AppendRow {
  readonly base: number;
  /** Positions (1 is the first draft) that were added; null for all. */
  readonly added: readonly number[] | null;
}

/** The thirteen parameters of `appendSql`. */
export function appendParameters(drafts: readonly EventDraft[]): (number | Buffer)[] {
  const column = (pick: (draft: EventDraft) => string | null) => encodeTextArray(drafts.map(pick));
  return [
    drafts.length,
    column((draft) => draft.id),
    column((draft) => retentionClassOf(draft.type)),
    column((draft) => draft.provider),
    column((draft) => draft.type),
    column((draft) => draft.version),
    column((draft) => draft.eventTimestamp),
    column((draft) => String(draft.receivedAt)),
    column((draft) => draft.botAccountId),
    column(({ audience }) => (audience.kind === 'topic' ? audience.topicId : null)),
    column(({ audience }) => (audience.kind === 'topics' ? audience.topicIds.join(',') : null)),
    column(({ audience }) => (audience.kind === 'service' ? audience.serviceAccountId : null)),
    column((draft) => draft.body),
  ];
}

const columns = `seq::float8 AS seq, message_id, provider, type, version, event_timestamp,
  (extract(epoch FROM received_at) * 1000)::float8 AS received_ms, bot_account_id, topic_id, topic_ids,
  service_account_id, body`;

/**
 * As `class=seq,…`, with each row that is read: of one snapshot with them, so that what retention has taken from a page is
 * below the floors that came with it.
 */
const floors = `(SELECT string_agg(class || '=' || deleted_seq, ',') FROM log_floor) AS floors`;

export const readSql = `SELECT ${columns}, ${floors} FROM event
WHERE seq > $1::bigint AND seq <= $2::bigint ORDER BY event.seq LIMIT $3`;

export const readTopicsSql = `SELECT ${columns}, ${floors} FROM event
WHERE seq > $1::bigint AND seq <= $2::bigint AND (topic_id = ANY($4::uuid[]) OR topic_id IS NULL)
ORDER BY event.seq LIMIT $3`;

export const readAtSql = `SELECT ${columns} FROM event WHERE seq = ANY($1::bigint[]) ORDER BY event.seq`;

/**
 * What `matches` (src/domain/filter.ts) says, as a condition: whoever changes one changes the other. Most records are for
 * other topics, which the first half of the topic's condition, one look into a hash table, tells without the second.
 */
export const selectSql = `SELECT seq::float8 AS seq FROM event
WHERE seq > $1::bigint AND seq <= $2::bigint
  AND ($3::float8 IS NULL OR received_at >= to_timestamp($3::float8 / 1000))
  AND ($4::float8 IS NULL OR received_at < to_timestamp($4::float8 / 1000))
  AND ($5::text[] IS NULL OR message_id = ANY($5::text[]))
  AND ($6::text[] IS NULL OR provider = 'relay' OR type = ANY($6::text[]))
  AND CASE
    WHEN topic_id IS NOT NULL THEN topic_id = ANY($7::uuid[])
      AND seq > ($8::bigint[])[array_position($7::uuid[], topic_id)]
    WHEN service_account_id IS NOT NULL THEN service_account_id = $9::uuid
    ELSE EXISTS (
      SELECT 1 FROM unnest($7::uuid[], $8::bigint[]) AS wish(topic_id, created_seq)
      WHERE wish.topic_id::text = ANY(string_to_array(event.topic_ids, ',')) AND event.seq > wish.created_seq)
  END
ORDER BY event.seq LIMIT $10`;

/** The ten parameters of `selectSql`. */
export function selectParameters(filter: Filter, selection: Selection, limit: number): unknown[] {
  return [
    selection.after,
    selection.through,
    selection.receivedFrom ?? null,
    selection.receivedBefore ?? null,
    selection.ids ?? null,
    filter.types && [...filter.types],
    [...filter.topics.keys()],
    [...filter.topics.values()],
    filter.serviceAccountId,
    limit,
  ];
}

export interface EventRow {
  readonly seq: number;
  readonly message_id: string;
  readonly provider: string;
  readonly type: string;
  readonly version: string;
  readonly event_timestamp: string;
  readonly received_ms: number;
  readonly bot_account_id: string | null;
  readonly topic_id: string | null;
  readonly topic_ids: string | null;
  readonly service_account_id: string | null;
  readonly body: string;
}

export interface PageRow extends EventRow {
  readonly floors: string | null;
}

export const floorsOf = ({ floors: text }: PageRow): [name: string, seq: number][] =>
  (text ?? '').split(',').map((each) => {
    const [name = '', seq] = each.split('=');
    return [name, Number(seq)];
  });

export const recordOf = (row: EventRow): LogRecord => ({
  seq: row.seq,
  id: row.message_id,
  provider: row.provider,
  type: row.type,
  version: row.version,
  eventTimestamp: row.event_timestamp,
  receivedAt: Math.round(row.received_ms),
  botAccountId: row.bot_account_id,
  audience: audienceOf(row),
  body: row.body,
});

function audienceOf(row: EventRow): Audience {
  if (row.topic_id !== null) return { kind: 'topic', topicId: row.topic_id };
  if (row.service_account_id !== null) return { kind: 'service', serviceAccountId: row.service_account_id };
  return { kind: 'topics', topicIds: row.topic_ids ? row.topic_ids.split(',') : [] };
}

/**
 * Takes the oldest page of a class, removes it up to its last record that is old enough, and moves the floor, all in
 * one statement: no crash leaves records missing above the floor. Starting from the floor keeps it from wading
 * through index entries of what earlier pages removed. "Up to the last old one" rather than "while old": a clock that
 * was once ahead must not stop retention until that time comes.
 */
export const pruneSql = `
WITH page AS MATERIALIZED (
  SELECT seq, received_at FROM event
  WHERE class = $1 AND seq > COALESCE((SELECT deleted_seq FROM log_floor WHERE class = $1), 0)
  ORDER BY seq LIMIT $3
), cut AS (
  SELECT max(seq) AS seq FROM page WHERE received_at < to_timestamp($2::float8 / 1000)
), gone AS (
  DELETE FROM event WHERE seq IN (SELECT page.seq FROM page, cut WHERE page.seq <= cut.seq) RETURNING seq
), floor AS (
  UPDATE log_floor SET deleted_seq = GREATEST(deleted_seq, cut.seq) FROM cut
  WHERE class = $1 AND cut.seq IS NOT NULL RETURNING deleted_seq
)
SELECT (SELECT count(*) FROM gone)::int AS removed, (SELECT deleted_seq FROM floor)::float8 AS floor`;

export interface PruneRow {
  readonly removed: number;
  readonly floor: number | null;
}
