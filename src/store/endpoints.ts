// Webhook endpoints as their service sees them: settings, secrets, health. A secret exists in plain text only in the
// answer that hands it out. Interests make and remove endpoints (interests.ts); the dispatcher's part is endpoint-work.ts.
import { z } from 'zod';
import type { EndpointHealth, EndpointSettings } from '../domain/endpoint.ts';
import type { EndpointChange } from './changes.ts';
import type { StoreContext } from './context.ts';
import { endpointColumns, endpointShape, previousPlace, secretPlace } from './endpoint-row.ts';
import { settingsOf, shownHealthOf } from './endpoint-row.ts';
import { instant, isUuid, millis, storable } from './rows.ts';
import { openedOrNot } from './seal.ts';
import { newWebhookSecret } from './secrets.ts';
import { inTransaction } from './transaction.ts';
import type { Queryable } from './transaction.ts';

export interface Endpoint {
  readonly id: string;
  readonly serviceAccountId: string;
  readonly url: string;
  readonly description: string;
  readonly settings: EndpointSettings;
  /** Shows `disabled` with code `secret_unreadable` while no key opens the secret. */
  readonly health: EndpointHealth;
  /** Everything up to here is delivered, or owed. */
  readonly ackedSeq: number;
  /** How many deliveries are owed beside the cursor. */
  readonly owed: number;
  /** Until when the secret before the present one signs as well; null when there is none. */
  readonly previousSecretValidUntil: number | null;
  readonly createdAt: number;
}

/** What is left out stays as it is. */
export type EndpointPatch = {
  readonly [Name in keyof EndpointSettings]?: EndpointSettings[Name] | undefined;
} & { readonly description?: string | undefined };

/** Every call is about the service's own endpoints; an unknown one and a foreign one are both undefined. */
export interface Endpoints {
  /** In the order of ids, beginning behind `after`. */
  list(serviceAccountId: string, page: { limit: number; after?: string | undefined }): Promise<Endpoint[]>;
  get(serviceAccountId: string, id: string): Promise<Endpoint | undefined>;
  /** Of the endpoint for that URL, in the URL standard's spelling. Cheap, however much is owed. */
  idOf(serviceAccountId: string, url: string): Promise<string | undefined>;
  update(serviceAccountId: string, id: string, patch: EndpointPatch): Promise<Endpoint | undefined>;
  /** A new secret; the one before signs as well for `graceSeconds` more, unless no key opens it. */
  rotateSecret(
    serviceAccountId: string,
    id: string,
    graceSeconds: number,
  ): Promise<{ webhookSecret: string; previousValidUntil: number | null } | undefined>;
  /** Healthy again, whatever it was. */
  enable(serviceAccountId: string, id: string): Promise<Endpoint | undefined>;
  /**
   * Seals again what was sealed with a key that is not the first; how many endpoints that were. Secrets that no listed
   * key opens are left as they are.
   */
  reseal(): Promise<number>;
}

export function createEndpoints(context: StoreContext): Endpoints {
  const { pool } = context.database;
  const get = async (serviceAccountId: string, id: string) => {
    if (!isUuid(id)) return undefined;
    const where = 'WHERE e.service_account_id = $1 AND e.id = $2';
    return (await select(context, where, [serviceAccountId, id]))[0];
  };
  const changed = async (serviceAccountId: string, id: string, what: EndpointChange['what'], sql: Change) => {
    if (!isUuid(id)) return undefined;
    const where = 'WHERE service_account_id = $1 AND id = $2';
    const answer = await pool.query<{ id: string }>(`UPDATE endpoint SET ${sql.set} ${where} RETURNING id`, [
      serviceAccountId,
      id,
      ...sql.values,
    ]);
    // As everybody else spells it, whatever the case it was given in.
    const endpointId = answer.rows[0]?.id;
    if (endpointId === undefined) return undefined;
    context.changes.emit({ kind: 'endpoint', endpointId, serviceAccountId, what });
    return get(serviceAccountId, endpointId);
  };
  return {
    get,
    async list(serviceAccountId, { limit, after }) {
      if (after !== undefined && !isUuid(after)) return [];
      const where =
        'WHERE e.service_account_id = $1 AND ($2::uuid IS NULL OR e.id > $2) ORDER BY e.id LIMIT $3';
      return select(context, where, [serviceAccountId, after ?? null, limit]);
    },
    async idOf(serviceAccountId, url) {
      const sql = 'SELECT id FROM endpoint WHERE service_account_id = $1 AND url = $2';
      return (await pool.query<{ id: string }>(sql, [serviceAccountId, url])).rows[0]?.id;
    },
    async update(serviceAccountId, id, patch) {
      const change = patchOf(patch);
      if (change.values.length === 0) return get(serviceAccountId, id);
      return changed(serviceAccountId, id, 'changed', change);
    },
    rotateSecret: (serviceAccountId, id, graceSeconds) =>
      rotateSecret(context, { serviceAccountId, id, graceSeconds }),
    enable: (serviceAccountId, id) =>
      changed(serviceAccountId, id, 'enabled', { set: healthy, values: [new Date(context.clock.now())] }),
    reseal: () => reseal(context),
  };
}

/** `set` counts its parameters from $3. */
interface Change {
  readonly set: string;
  readonly values: readonly unknown[];
}

const healthy = `state = 'healthy', code = NULL, reason = NULL, failures_in_row = 0, failing_since = NULL,
  probe_at = NULL, probes = 0, state_since = CASE WHEN state = 'healthy' THEN state_since ELSE $3 END`;

const settable = [
  ['description', 'description'],
  ['retryProfile', 'retry_profile'],
  ['order', 'ordering'],
  ['maxAgeSeconds', 'max_age_seconds'],
  ['concurrency', 'concurrency'],
] as const satisfies (readonly [keyof EndpointPatch, string])[];

function patchOf(patch: EndpointPatch): Change {
  const named = settable.filter(([name]) => patch[name] !== undefined);
  return {
    set: named.map(([, column], index) => `${column} = $${index + 3}`).join(', '),
    values: named.map(([name]) => {
      const value = patch[name];
      return typeof value === 'string' ? storable(value) : value;
    }),
  };
}

interface Rotation {
  readonly serviceAccountId: string;
  readonly id: string;
  readonly graceSeconds: number;
}

async function rotateSecret(context: StoreContext, rotation: Rotation) {
  const { serviceAccountId, id } = rotation;
  if (!isUuid(id)) return undefined;
  const rotated = await inTransaction(context.database.pool, (client) => rotate(context, client, rotation));
  if (!rotated) return undefined;
  const { endpointId, webhookSecret, previousValidUntil } = rotated;
  // One whose secret could not be read was left out of the delivery: to that it comes back.
  const what = rotated.wasReadable ? 'changed' : 'enabled';
  context.changes.emit({ kind: 'endpoint', endpointId, serviceAccountId, what });
  return { webhookSecret, previousValidUntil };
}

/** The row is locked between reading and writing, so that each previous secret is one that was really handed out. */
async function rotate(context: StoreContext, client: Queryable, rotation: Rotation) {
  const { sealer, clock } = context;
  const { serviceAccountId, graceSeconds } = rotation;
  const found = await client.query(
    'SELECT id, secret FROM endpoint WHERE service_account_id = $1 AND id = $2 FOR NO KEY UPDATE',
    [serviceAccountId, rotation.id],
  );
  const row = z.object({ id: z.string(), secret: z.string() }).optional().parse(found.rows[0]);
  if (!row) return undefined;
  // What is sealed is bound to the row's own spelling of the id.
  const { id } = row;
  const present = openedOrNot(sealer, row.secret, secretPlace(id));
  const kept = graceSeconds > 0 ? present : undefined;
  const previousValidUntil = kept === undefined ? null : clock.now() + graceSeconds * 1000;
  const webhookSecret = newWebhookSecret();
  await client.query(
    'UPDATE endpoint SET secret = $2, previous_secret = $3, previous_valid_until = $4 WHERE id = $1',
    [
      id,
      sealer.seal(webhookSecret, secretPlace(id)),
      kept === undefined ? null : sealer.seal(kept, previousPlace(id)),
      instant(previousValidUntil),
    ],
  );
  return { endpointId: id, webhookSecret, previousValidUntil, wasReadable: present !== undefined };
}

async function reseal(context: StoreContext): Promise<number> {
  const { prisma } = context.database;
  const sealedColumns = { id: true, secret: true, previousSecret: true } as const;
  let count = 0;
  for (const row of await prisma.endpoint.findMany({ select: sealedColumns })) {
    const secret = resealed(context, row.secret, secretPlace(row.id));
    const previousSecret = row.previousSecret && resealed(context, row.previousSecret, previousPlace(row.id));
    if (secret === row.secret && previousSecret === row.previousSecret) continue;
    // Unless a rotation replaced them meanwhile: then they are sealed with the first key already.
    const data = { secret, previousSecret };
    count += (await prisma.endpoint.updateMany({ where: row, data })).count;
  }
  return count;
}

/** With the first key; as it is when it was that already, or when no key opens it. */
function resealed({ sealer }: StoreContext, envelope: string, place: string): string {
  const plain = openedOrNot(sealer, envelope, place);
  return plain === undefined || !sealer.needsReseal(envelope) ? envelope : sealer.seal(plain, place);
}

const listedShape = endpointShape.extend({ owed: z.number() });

async function select(context: StoreContext, tail: string, values: unknown[]): Promise<Endpoint[]> {
  const answer = await context.database.pool.query(
    `SELECT ${endpointColumns}, (SELECT count(*)::int FROM delivery d WHERE d.endpoint_id = e.id) AS owed
       FROM endpoint e ${tail}`,
    values,
  );
  return answer.rows.map((raw: unknown) => {
    const row = listedShape.parse(raw);
    return {
      id: row.id,
      serviceAccountId: row.service_account_id,
      url: row.url,
      description: row.description,
      settings: settingsOf(row),
      health: shownHealthOf(context.sealer, row),
      ackedSeq: row.acked_seq,
      owed: row.owed,
      previousSecretValidUntil: millis(row.previous_valid_until),
      createdAt: row.created_at.getTime(),
    };
  });
}
