// Service accounts: who may log in, with which secrets, until when. A secret exists in plain text only in the answer
// that hands it out.
import { randomBytes } from 'node:crypto';
import { RelayError } from '../domain/errors.ts';
import type { Cancel } from '../runtime/clock.ts';
import type { StoreContext } from './context.ts';
import { instant, isUniqueViolation, isUuid, storable } from './rows.ts';
import { constantTimeEqual, hashSecret, newSecret } from './secrets.ts';
import { allowBot, patchService } from './service-access.ts';
import type { AccessEffect, ServicePatch } from './service-access.ts';
import { announce, announceInterests, botsOf } from './service-hints.ts';
import { selectServices, selectWithHashes } from './service-row.ts';
import type { AccessMode, Service } from './service-row.ts';
import { inTransaction } from './transaction.ts';

export type { AccessEffect, AffectedInterest, ServicePatch } from './service-access.ts';
export type { AccessMode, Service } from './service-row.ts';

/** How precise `lastSeenAt` is: more would be a write per request. */
const touchEveryMs = 60_000;
/** How long sightings are gathered before they are written together. */
const touchDelayMs = 1_000;
/** Nobody's hash, to be compared with when the id is unknown, so that both cases do the same work. */
const nobody = hashSecret(newSecret());

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
  /**
   * Undefined for an unknown account. Throws RelayError `unknown_bot` (422), which names every bot of the list that is not
   * there; nothing is changed then.
   */
  patch(
    clientId: string,
    patch: ServicePatch,
  ): Promise<(AccessEffect & { readonly service: Service }) | undefined>;
  /**
   * Adds the bot to those that the service may use while it is restricted. Repeating it changes nothing, nor does a service
   * or a bot that is gone.
   */
  allowBot(serviceAccountId: string, botAccountId: string): Promise<AccessEffect>;
  /** Takes its interests, endpoints, consumers and tokens with it; the bots whose topics may now be unwanted. */
  remove(clientId: string): Promise<{ botAccountIds: string[] } | undefined>;
  /** An unknown id and a wrong secret look the same, also to a stopwatch. */
  authenticate(clientId: string, clientSecret: string): Promise<Authentication>;
  /** Notes that the service was here. Costs no write most of the time and never fails. */
  touch(serviceAccountId: string): void;
  /** Writes the noted sightings now and stops the timer. */
  flush(): Promise<void>;
}

export interface ServiceDefaults {
  /** Of new accounts: all bots, or none until an admin names some. */
  readonly serviceBotDefault: 'all' | 'none';
}

export function createServices(context: StoreContext, { serviceBotDefault }: ServiceDefaults): Services {
  const { pool } = context.database;
  const newAccessMode: AccessMode = serviceBotDefault === 'all' ? 'all' : 'restricted';
  const sightings = gatherSightings(context);
  return {
    create: (name) => create(context, name, newAccessMode),
    list: () => selectServices(pool, 'ORDER BY s.name', []),
    regenerate: (clientId, graceSeconds) => regenerate(context, clientId, graceSeconds),
    patch: (clientId, patch) => patchService(context, clientId, patch),
    async allowBot(serviceAccountId, botAccountId) {
      if (!isUuid(serviceAccountId) || !isUuid(botAccountId)) return { suspended: [], resumed: [] };
      return allowBot(context, serviceAccountId, botAccountId);
    },
    remove: (clientId) => remove(context, clientId),
    authenticate: (clientId, clientSecret) => authenticate(context, clientId, clientSecret),
    touch: sightings.touch,
    flush: sightings.flush,
  };
}

async function create(context: StoreContext, name: string, accessMode: AccessMode) {
  const clientSecret = newSecret();
  const data = {
    name,
    clientId: `svc_${randomBytes(10).toString('hex')}`,
    secretHash: hashSecret(clientSecret),
    accessMode,
    createdAt: new Date(context.clock.now()),
  };
  const row = await context.database.prisma.serviceAccount.create({ data }).catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error;
    const message = `Another service account is already called ${name}; give a different name.`;
    throw new RelayError('name_taken', 409, message, { errors: [{ path: 'name', message }] });
  });
  announce(context, row, 'created');
  const { id, clientId, enabled, createdAt } = row;
  const service: Service = {
    id,
    name: row.name,
    clientId,
    enabled,
    accessMode,
    botAccountIds: [],
    createdAt: createdAt.getTime(),
    lastSeenAt: null,
    previousValidUntil: null,
  };
  return { service, clientSecret };
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

async function remove(context: StoreContext, clientId: string) {
  const { prisma, pool } = context.database;
  const known = await prisma.serviceAccount.findUnique({ where: { clientId } });
  if (!known) return undefined;
  const botAccountIds = await botsOf(pool, known.id);
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
  const [known] = await selectWithHashes(context.database.pool, 'WHERE s.client_id = $1', [
    storable(clientId),
  ]);
  const given = hashSecret(clientSecret);
  const current = constantTimeEqual(given, known?.secretHash ?? nobody);
  const inGrace = (known?.service.previousValidUntil ?? 0) > context.clock.now();
  const previous = constantTimeEqual(given, known?.previousSecretHash ?? nobody) && inGrace;
  if (!known || !(current || previous)) return { ok: false, reason: 'unknown' };
  const { service } = known;
  return service.enabled ? { ok: true, service } : { ok: false, reason: 'disabled' };
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
