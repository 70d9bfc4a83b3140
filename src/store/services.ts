// Service accounts: who may log in, with which secrets, until when. A secret exists in plain text only in the answer
// that hands it out.
import { randomBytes } from 'node:crypto';
import { RelayError } from '../domain/errors.ts';
import type { Cancel } from '../runtime/clock.ts';
import type { StoreContext } from './context.ts';
import type { ServiceChange } from './changes.ts';
import type { ServiceAccount } from './generated/client.ts';
import { instant, isUniqueViolation, millis } from './rows.ts';
import { constantTimeEqual, hashSecret, newSecret } from './secrets.ts';
import { inTransaction } from './transaction.ts';

/** How precise `lastSeenAt` is: more would be a write per request. */
const touchEveryMs = 60_000;
/** How long sightings are gathered before they are written together. */
const touchDelayMs = 1_000;
/** Nobody's hash, to be compared with when the id is unknown, so that both cases do the same work. */
const nobody = hashSecret(newSecret());

export interface Service {
  readonly id: string;
  readonly name: string;
  readonly clientId: string;
  readonly enabled: boolean;
  readonly createdAt: number;
  /** Within a minute or so. */
  readonly lastSeenAt: number | null;
  /** Until when the secret before the present one works; null when there is none. */
  readonly previousValidUntil: number | null;
}

export type Authentication =
  | { readonly ok: true; readonly service: Service }
  | { readonly ok: false; readonly reason: 'unknown' | 'disabled' };

export interface Services {
  /** Throws RelayError `name_taken` (409). The secret is in this answer and nowhere else. */
  create(name: string): Promise<{ service: Service; clientSecret: string }>;
  /** By name. */
  list(): Promise<Service[]>;
  /** A new secret; the old one works for `graceSeconds` more. Undefined for an unknown account. */
  regenerate(
    clientId: string,
    graceSeconds: number,
  ): Promise<{ clientSecret: string; previousValidUntil: number | null } | undefined>;
  setEnabled(clientId: string, enabled: boolean): Promise<Service | undefined>;
  /** Takes its interests, endpoints, consumers and tokens with it; the bots whose topics may now be unwanted. */
  remove(clientId: string): Promise<{ botAccountIds: string[] } | undefined>;
  /** An unknown id and a wrong secret look the same, also to a stopwatch. */
  authenticate(clientId: string, clientSecret: string): Promise<Authentication>;
  /** Notes that the service was here. Costs no write most of the time and never fails. */
  touch(serviceAccountId: string): void;
  /** Writes the noted sightings now and stops the timer. */
  flush(): Promise<void>;
}

export function createServices(context: StoreContext): Services {
  const { prisma } = context.database;
  const sightings = gatherSightings(context);
  return {
    create: (name) => create(context, name),
    list: async () => (await prisma.serviceAccount.findMany({ orderBy: { name: 'asc' } })).map(toService),
    regenerate: (clientId, graceSeconds) => regenerate(context, clientId, graceSeconds),
    setEnabled: (clientId, enabled) => setEnabled(context, clientId, enabled),
    remove: (clientId) => remove(context, clientId),
    authenticate: (clientId, clientSecret) => authenticate(context, clientId, clientSecret),
    touch: sightings.touch,
    flush: sightings.flush,
  };
}

async function create(context: StoreContext, name: string) {
  const clientSecret = newSecret();
  const data = {
    name,
    clientId: `svc_${randomBytes(10).toString('hex')}`,
    secretHash: hashSecret(clientSecret),
    createdAt: new Date(context.clock.now()),
  };
  const row = await context.database.prisma.serviceAccount.create({ data }).catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error;
    const message = `Another service account is already called ${name}; give a different name.`;
    throw new RelayError('name_taken', 409, message, { errors: [{ path: 'name', message }] });
  });
  announce(context, row, 'created');
  return { service: toService(row), clientSecret };
}

async function regenerate(context: StoreContext, clientId: string, graceSeconds: number) {
  const clientSecret = newSecret();
  const validUntil = graceSeconds > 0 ? context.clock.now() + graceSeconds * 1000 : null;
  // One statement, so that of two at the same moment each previous secret is one that was really handed out.
  const answer = await context.database.pool.query<{ id: string }>(
    `UPDATE service_account
        SET previous_secret_hash = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE secret_hash END,
            previous_valid_until = $2, secret_hash = $3
      WHERE client_id = $1 RETURNING id`,
    [clientId, instant(validUntil), hashSecret(clientSecret)],
  );
  const id = answer.rows[0]?.id;
  if (id === undefined) return undefined;
  announce(context, { id, clientId }, 'secret', { previousValidUntil: validUntil });
  return { clientSecret, previousValidUntil: validUntil };
}

async function setEnabled(context: StoreContext, clientId: string, enabled: boolean) {
  const { prisma } = context.database;
  const where = { clientId, enabled: !enabled };
  const { count } = await prisma.serviceAccount.updateMany({ where, data: { enabled } });
  const row = await prisma.serviceAccount.findUnique({ where: { clientId } });
  if (!row) return undefined;
  if (count > 0) {
    announce(context, row, enabled ? 'enabled' : 'disabled');
    // A disabled service's wishes do not count, so what its bots need may have changed.
    announceInterests(context, row.id, await botsOf(context, row.id));
  }
  return toService(row);
}

async function remove(context: StoreContext, clientId: string) {
  const { prisma, pool } = context.database;
  const known = await prisma.serviceAccount.findUnique({ where: { clientId } });
  if (!known) return undefined;
  const botAccountIds = await botsOf(context, known.id);
  const removed = await inTransaction(pool, async (client) => {
    // In the order of everybody else, where the cascade would take its own: see transaction.ts.
    await client.query('SELECT 1 FROM service_account WHERE id = $1 FOR UPDATE', [known.id]);
    const endpoints = 'SELECT 1 FROM endpoint WHERE service_account_id = $1 ORDER BY id FOR UPDATE';
    await client.query(endpoints, [known.id]);
    return client.query('DELETE FROM service_account WHERE id = $1', [known.id]);
  });
  if (removed.rowCount === 0) return undefined;
  announce(context, known, 'removed');
  announceInterests(context, known.id, botAccountIds);
  return { botAccountIds };
}

async function authenticate(
  context: StoreContext,
  clientId: string,
  clientSecret: string,
): Promise<Authentication> {
  const row = await context.database.prisma.serviceAccount.findUnique({ where: { clientId } });
  const given = hashSecret(clientSecret);
  const current = constantTimeEqual(given, row?.secretHash ?? nobody);
  const inGrace = (row?.previousValidUntil?.getTime() ?? 0) > context.clock.now();
  const previous = constantTimeEqual(given, row?.previousSecretHash ?? nobody) && inGrace;
  if (!row || !(current || previous)) return { ok: false, reason: 'unknown' };
  return row.enabled ? { ok: true, service: toService(row) } : { ok: false, reason: 'disabled' };
}

async function botsOf(context: StoreContext, serviceAccountId: string): Promise<string[]> {
  const answer = await context.database.pool.query<{ bot: string }>(
    `SELECT DISTINCT t.bot_account_id AS bot FROM interest i JOIN topic t ON t.id = i.topic_id
      WHERE i.service_account_id = $1`,
    [serviceAccountId],
  );
  return answer.rows.map(({ bot }) => bot);
}

function announce(
  context: StoreContext,
  service: { readonly id: string; readonly clientId: string },
  what: ServiceChange['what'],
  more: Pick<ServiceChange, 'previousValidUntil'> = {},
): void {
  const { id, clientId } = service;
  context.changes.emit({ kind: 'service', serviceAccountId: id, clientId, what, ...more });
}

function announceInterests(context: StoreContext, serviceAccountId: string, botAccountIds: string[]): void {
  context.changes.emit({ kind: 'interests', botAccountIds, serviceAccountIds: [serviceAccountId] });
}

function gatherSightings({ clock, database }: StoreContext): Pick<Services, 'touch' | 'flush'> {
  const noted = new Map<string, number>();
  const unwritten = new Set<string>();
  let cancel: Cancel | undefined;
  const flush = async () => {
    cancel?.();
    cancel = undefined;
    const ids = [...unwritten];
    unwritten.clear();
    if (ids.length === 0) return;
    const sql = 'UPDATE service_account SET last_seen_at = $2 WHERE id = ANY($1::uuid[])';
    try {
      await database.pool.query(sql, [ids, new Date(clock.now())]);
    } catch {
      // Only a display value; the next sighting tries again.
      for (const id of ids) noted.delete(id);
    }
  };
  return {
    flush,
    touch(id) {
      const last = noted.get(id);
      if (last !== undefined && clock.now() - last < touchEveryMs) return;
      noted.set(id, clock.now());
      unwritten.add(id);
      cancel ??= clock.after(touchDelayMs, () => void flush());
    },
  };
}

export function toService(row: ServiceAccount): Service {
  return {
    id: row.id,
    name: row.name,
    clientId: row.clientId,
    enabled: row.enabled,
    createdAt: row.createdAt.getTime(),
    lastSeenAt: millis(row.lastSeenAt),
    previousValidUntil: millis(row.previousValidUntil),
  };
}
