// Tries of a Twitch user to grant something to the app. A `state` is kept as its hash only, a device code sealed and only
// while somebody may still type it in. Nothing here talks to Twitch.
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { RelayError } from '../domain/errors.ts';
import type { StoreContext } from './context.ts';
import { brokenForeignKey, isUuid, storable } from './rows.ts';
import { openedOrNot } from './seal.ts';
import { hashSecret } from './secrets.ts';

const authorizationKind = z.enum(['browser', 'device', 'broadcaster']);
const authorizationState = z.enum(['pending', 'completed', 'denied', 'failed']);

export interface Authorization {
  readonly id: string;
  readonly kind: z.infer<typeof authorizationKind>;
  /** As it is written; whether a pending one is too old is for the reader to say. */
  readonly state: z.infer<typeof authorizationState>;
  /** Why it was denied or failed, for programs and for people. */
  readonly code: string | null;
  readonly reason: string | null;
  /** What the account shall be called; null for its login, or the name it has. */
  readonly name: string | null;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  /** The one bot whose grant it renews; null for anybody's. */
  readonly botAccountId: string | null;
  /** Who asked; null: the admin. */
  readonly serviceAccountId: string | null;
  readonly intervalSeconds: number | null;
  /** The account that came of it, also when that is gone again. */
  readonly grantedBotId: string | null;
  readonly expiresAt: number;
  readonly createdAt: number;
}

export interface NewAuthorization {
  readonly kind: Authorization['kind'];
  readonly name: string | null;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  readonly botAccountId: string | null;
  readonly serviceAccountId: string | null;
  readonly intervalSeconds: number | null;
  readonly expiresAt: number;
  /** In plain text; null for a device code. */
  readonly stateToken: string | null;
  /** In plain text; null for a link. */
  readonly deviceCode: string | null;
}

export type Claim =
  | { readonly ok: true; readonly authorization: Authorization }
  | { readonly ok: false; readonly why: 'unknown' | 'used' | 'expired' };

export type AuthorizationOutcome =
  | { readonly state: 'completed'; readonly grantedBotId: string }
  | { readonly state: 'denied' | 'failed'; readonly code: string; readonly reason: string };

export interface Authorizations {
  /** Throws RelayError `unknown_service` (401) when the service that asks is gone. */
  create(authorization: NewAuthorization): Promise<Authorization>;
  get(id: string): Promise<Authorization | undefined>;
  /**
   * The one use of a state: of any number of calls with it, at once or later, one gets the authorization. The others are
   * told why not and change nothing. One that ended counts as used.
   */
  claim(stateToken: string): Promise<Claim>;
  /** Writes down how it ended, once, and forgets its device code; false when it had ended, or is unknown. */
  end(id: string, outcome: AuthorizationOutcome): Promise<boolean>;
  /** Device codes that somebody may still type in, the oldest first. One that no key opens is left out. */
  pendingDevices(): Promise<(Authorization & { readonly deviceCode: string })[]>;
  /** Removes those that ended or expired before the instant; how many. */
  removeBefore(at: number): Promise<number>;
}

export function createAuthorizations(context: StoreContext): Authorizations {
  const { pool } = context.database;
  return {
    create: (authorization) => create(context, authorization),
    async get(id) {
      if (!isUuid(id)) return undefined;
      const answer = await pool.query(`SELECT ${columns} FROM bot_authorization WHERE id = $1`, [id]);
      return answer.rows.map(toAuthorization)[0];
    },
    claim: (stateToken) => claim(context, stateToken),
    end: (id, outcome) => end(context, id, outcome),
    async pendingDevices() {
      const answer = await pool.query(
        `SELECT ${columns}, device_code FROM bot_authorization
          WHERE state = 'pending' AND kind = 'device' AND expires_at > $1 ORDER BY created_at, id`,
        [new Date(context.clock.now())],
      );
      return answer.rows.flatMap((raw: unknown) => {
        const { id, device_code: sealed } = deviceRow.parse(raw);
        const deviceCode = sealed === null ? undefined : openedOrNot(context.sealer, sealed, devicePlace(id));
        return deviceCode === undefined ? [] : { ...toAuthorization(raw), deviceCode };
      });
    },
    async removeBefore(at) {
      const sql = 'DELETE FROM bot_authorization WHERE coalesce(ended_at, expires_at) < $1';
      return (await pool.query(sql, [new Date(at)])).rowCount ?? 0;
    },
  };
}

/** What a sealed device code is bound to. */
const devicePlace = (id: string): string => `authorization:${id}:device`;

async function create(context: StoreContext, given: NewAuthorization): Promise<Authorization> {
  const id = randomUUID();
  try {
    const answer = await context.database.pool.query(createSql, [
      id,
      given.kind,
      given.stateToken === null ? null : hashSecret(given.stateToken),
      given.deviceCode === null ? null : context.sealer.seal(given.deviceCode, devicePlace(id)),
      given.intervalSeconds,
      given.name && storable(given.name),
      given.scopes.map(storable),
      given.redirectUri,
      given.botAccountId,
      given.serviceAccountId,
      new Date(given.expiresAt),
      new Date(context.clock.now()),
    ]);
    return toAuthorization(answer.rows[0]);
  } catch (error) {
    if (brokenForeignKey(error) === undefined) throw error;
    throw new RelayError('unknown_service', 401, 'There is no such service account.', { cause: error });
  }
}

/** One statement: of several calls at the same moment each waits for the row, and all but the first find it used. */
async function claim({ database, clock }: StoreContext, stateToken: string): Promise<Claim> {
  const hash = hashSecret(stateToken);
  const taken = await database.pool.query(claimSql, [hash, new Date(clock.now())]);
  const [authorization] = taken.rows.map(toAuthorization);
  if (authorization) return { ok: true, authorization };
  const found = await database.pool.query(
    `SELECT used_at IS NOT NULL OR state <> 'pending' AS used FROM bot_authorization WHERE state_hash = $1`,
    [hash],
  );
  const known = z.object({ used: z.boolean() }).optional().parse(found.rows[0]);
  if (!known) return { ok: false, why: 'unknown' };
  return { ok: false, why: known.used ? 'used' : 'expired' };
}

async function end(context: StoreContext, id: string, outcome: AuthorizationOutcome) {
  const { changes, clock, database } = context;
  if (!isUuid(id)) return false;
  const why = outcome.state === 'completed' ? null : outcome;
  const answer = await database.pool.query(
    `UPDATE bot_authorization
        SET state = $2, code = $3, reason = $4, granted_bot_id = $5, ended_at = $6, device_code = NULL
      WHERE id = $1 AND state = 'pending'`,
    [
      id,
      outcome.state,
      why && storable(why.code),
      // What a browser brings back may be anything.
      why && storable(why.reason),
      outcome.state === 'completed' ? outcome.grantedBotId : null,
      new Date(clock.now()),
    ],
  );
  const ended = answer.rowCount === 1;
  if (ended) changes.emit({ kind: 'authorization', authorizationId: id });
  return ended;
}

const columns = `id, kind, state, code, reason, name, scopes, redirect_uri, bot_account_id, service_account_id,
  interval_seconds, granted_bot_id, expires_at, created_at`;

const createSql = `
INSERT INTO bot_authorization (id, kind, state_hash, device_code, interval_seconds, name, scopes, redirect_uri,
                               bot_account_id, service_account_id, expires_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING ${columns}`;

const claimSql = `
UPDATE bot_authorization SET used_at = $2
 WHERE state_hash = $1 AND used_at IS NULL AND state = 'pending' AND expires_at > $2
RETURNING ${columns}`;

const authorizationRow = z.object({
  id: z.string(),
  kind: authorizationKind,
  state: authorizationState,
  code: z.string().nullable(),
  reason: z.string().nullable(),
  name: z.string().nullable(),
  scopes: z.array(z.string()),
  redirect_uri: z.string().nullable(),
  bot_account_id: z.string().nullable(),
  service_account_id: z.string().nullable(),
  interval_seconds: z.number().nullable(),
  granted_bot_id: z.string().nullable(),
  expires_at: z.date(),
  created_at: z.date(),
});
const deviceRow = z.object({ id: z.string(), device_code: z.string().nullable() });

function toAuthorization(raw: unknown): Authorization {
  const row = authorizationRow.parse(raw);
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    code: row.code,
    reason: row.reason,
    name: row.name,
    scopes: row.scopes,
    redirectUri: row.redirect_uri,
    botAccountId: row.bot_account_id,
    serviceAccountId: row.service_account_id,
    intervalSeconds: row.interval_seconds,
    grantedBotId: row.granted_bot_id,
    expiresAt: row.expires_at.getTime(),
    createdAt: row.created_at.getTime(),
  };
}
