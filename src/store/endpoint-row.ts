// A row of `endpoint` as a value: settings, health, position, secrets. Secrets leave it only through `liveSecrets`; what
// no listed key opens is told as health instead of thrown, so that one such endpoint does not stop the others.
import { z } from 'zod';
import { endpointStates, laneOrders, retryProfiles } from '../domain/endpoint.ts';
import type { EndpointHealth, EndpointSettings } from '../domain/endpoint.ts';
import { millis } from './rows.ts';
import { openedOrNot } from './seal.ts';
import type { Sealer } from './seal.ts';

/** A signing secret, `whsec_…`, and until when it signs; null: until it is replaced. */
export interface LiveSecret {
  readonly secret: string;
  readonly validUntil: number | null;
}

/** An endpoint's columns under the alias `e`. */
export const endpointColumns = `e.id, e.service_account_id, e.url, e.description, e.retry_profile, e.ordering,
  e.max_age_seconds, e.concurrency, e.secret, e.previous_secret, e.previous_valid_until, e.state, e.code, e.reason,
  e.state_since, e.failures_in_row, e.failing_since, e.probe_at, e.probes, e.acked_seq, e.created_at`;

export const endpointShape = z.object({
  id: z.string(),
  service_account_id: z.string(),
  url: z.string(),
  description: z.string(),
  retry_profile: z.enum(retryProfiles),
  ordering: z.enum(laneOrders),
  max_age_seconds: z.number().nullable(),
  concurrency: z.number(),
  secret: z.string(),
  previous_secret: z.string().nullable(),
  previous_valid_until: z.date().nullable(),
  state: z.enum(endpointStates),
  code: z.string().nullable(),
  reason: z.string().nullable(),
  state_since: z.date(),
  failures_in_row: z.number(),
  failing_since: z.date().nullable(),
  probe_at: z.date().nullable(),
  probes: z.number(),
  // int8 arrives as text.
  acked_seq: z.coerce.number(),
  created_at: z.date(),
});
export type EndpointColumns = z.infer<typeof endpointShape>;

/** What a sealed secret is bound to. */
export const secretPlace = (endpointId: string): string => `endpoint:${endpointId}:secret`;
export const previousPlace = (endpointId: string): string => `endpoint:${endpointId}:previous`;

/** The newest first; undefined when the present one does not open. A previous one that does not open signs no more. */
export function liveSecrets(sealer: Sealer, row: EndpointColumns, now: number): LiveSecret[] | undefined {
  const secret = openedOrNot(sealer, row.secret, secretPlace(row.id));
  if (secret === undefined) return undefined;
  const validUntil = millis(row.previous_valid_until);
  const previous =
    row.previous_secret !== null && validUntil !== null && validUntil > now
      ? openedOrNot(sealer, row.previous_secret, previousPlace(row.id))
      : undefined;
  return [
    { secret, validUntil: null },
    ...(previous === undefined ? [] : [{ secret: previous, validUntil }]),
  ];
}

export const settingsOf = (row: EndpointColumns): EndpointSettings => ({
  retryProfile: row.retry_profile,
  order: row.ordering,
  maxAgeSeconds: row.max_age_seconds,
  concurrency: row.concurrency,
});

export const healthOf = (row: EndpointColumns): EndpointHealth => ({
  state: row.state,
  code: row.code,
  reason: row.reason,
  since: row.state_since.getTime(),
  failuresInRow: row.failures_in_row,
  failingSince: millis(row.failing_since),
  probeAt: millis(row.probe_at),
  probes: row.probes,
});

/**
 * As `healthOf`, but an endpoint whose secret cannot be read shows as disabled, since nothing can be signed for it. That
 * is in no row: with the key back in the list it works again, as does one whose secret is rotated.
 */
export function shownHealthOf(sealer: Sealer, row: EndpointColumns): EndpointHealth {
  const health = healthOf(row);
  if (health.state === 'disabled') return health;
  if (openedOrNot(sealer, row.secret, secretPlace(row.id)) !== undefined) return health;
  return { ...health, state: 'disabled', code: 'secret_unreadable', reason: unreadable, probeAt: null };
}

const unreadable =
  'The signing secret cannot be read with any key of TOKEN_ENCRYPTION_KEY; put the key back, or rotate the secret.';
