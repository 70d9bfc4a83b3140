// Owns the simulator's own reading of the EventSub type table, kept apart from the relay's so that the two can
// disagree. It must never be derived from the relay's catalogue.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const entrySchema = z.object({
  type: z.string(),
  version: z.string(),
  condition: z.array(z.string()),
  optional_condition: z.array(z.string()),
  scopes_any_of: z.array(z.string()),
  scopes_all_of: z.array(z.array(z.string())).default([]),
  websocket: z.boolean(),
  token_user: z.string().nullable(),
  condition_exactly_one_of: z.array(z.string()).default([]),
  removed: z.boolean().default(false),
  batched: z.boolean().default(false),
});

export type CatalogEntry = z.infer<typeof entrySchema>;

const entries = z
  .array(entrySchema)
  .parse(JSON.parse(readFileSync(new URL('./catalog.json', import.meta.url), 'utf8')));

const byKey = new Map(entries.map((entry) => [`${entry.type}@${entry.version}`, entry]));
const types = new Set(entries.map((entry) => entry.type));

export function findEntry(type: string, version: string): CatalogEntry | undefined {
  return byKey.get(`${type}@${version}`);
}

export function isKnownType(type: string): boolean {
  return types.has(type);
}

/** The newest version that can still be subscribed to, for callers that do not care which. */
export function newestVersion(type: string): string | undefined {
  return entries.filter((entry) => entry.type === type && !entry.removed).at(-1)?.version;
}

export function needsAuthorization(entry: CatalogEntry): boolean {
  return entry.scopes_any_of.length > 0 || entry.scopes_all_of.length > 0;
}

export function scopesSuffice(entry: CatalogEntry, scopes: readonly string[]): boolean {
  const has = (choices: readonly string[]): boolean => choices.some((scope) => scopes.includes(scope));
  return (entry.scopes_any_of.length === 0 || has(entry.scopes_any_of)) && entry.scopes_all_of.every(has);
}
