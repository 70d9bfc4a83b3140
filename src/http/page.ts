// Lists: JSON arrays, a page at a time, the next one named in a Link header.
import type { Context } from 'hono';
import { z } from 'zod';
import { pageLimit } from '../protocol/rest.ts';
import { parseQuery } from './parse.ts';

export const pageQuery = z.object({ limit: pageLimit, after: z.string().max(200).optional() });

/** Names the page behind `lastKey`; every other parameter of the request is kept. Relative: we may sit behind a proxy. */
export function linkNext(c: Context, lastKey: string): void {
  const query = new URLSearchParams(new URL(c.req.url).search);
  query.set('after', lastKey);
  c.header('link', `<${c.req.path}?${query.toString()}>; rel="next"`);
}

/** The asked page of a list that is in memory as a whole, in the order of its keys. */
export function pageOf<T>(c: Context, rows: readonly T[], key: (row: T) => string): T[] {
  const { limit, after } = parseQuery(c, pageQuery);
  const sorted = rows
    .map((row) => ({ row, key: key(row) }))
    .filter((entry) => after === undefined || entry.key > after)
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const page = sorted.slice(0, limit);
  const last = page.at(-1);
  if (last && sorted.length > page.length) linkNext(c, last.key);
  return page.map((entry) => entry.row);
}
