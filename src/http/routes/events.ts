// Pull: the log from a cursor on, for one service and all of its interests over whatever transport, with a long poll. The
// same reader as every socket; nothing is queued for anybody, and a request that goes away leaves nothing behind.
import { Hono } from 'hono';
import type { EventFeed, ReadResult } from '../../delivery/port.ts';
import { encodeCursor } from '../../domain/cursor.ts';
import { eventsQuery } from '../../protocol/rest.ts';
import { requireService, serviceOf } from '../auth.ts';
import { expired, readCursor } from '../cursor-param.ts';
import type { AppEnv } from '../env.ts';
import { parseQuery } from '../parse.ts';
import { pollUntil } from '../poll-until.ts';
import type { HttpDeps } from '../port.ts';

export function eventRoutes(deps: HttpDeps): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { feed } = deps;
  app.get('/v1/events', requireService(deps.store.services), async (c) => {
    const query = parseQuery(c, eventsQuery);
    const types = splitTypes(query.types);
    const serviceId = c.get('service').id;
    const filter = feed.filter(serviceId, types, 'any');
    const reader = { feed, serviceId, types, limit: query.limit, given: query.after !== undefined };
    const signals = [c.req.raw.signal, deps.stopping];
    let accountChanged = false;
    let position =
      query.after === undefined
        ? feed.oldestFor(filter)
        : readCursor('after', query.after, feed, feed.floorFor(filter));
    const page = await pollUntil<ReadResult>({
      async attempt() {
        // A secret that dies during the wait ends it, as it ends the sockets.
        if (accountChanged) await serviceOf(c, deps.store.services);
        accountChanged = false;
        const result = await readOn(reader, position, signals);
        position = result.through;
        return result.records.length > 0 ? result : undefined;
      },
      watch(wake) {
        const unwatch = feed.watch(serviceId, wake);
        const unsubscribe = deps.store.onChange((change) => {
          if (change.kind !== 'service' || change.serviceAccountId !== serviceId) return;
          accountChanged = true;
          wake();
        });
        return () => {
          unwatch();
          unsubscribe();
        };
      },
      waitMs: query.wait * 1000,
      clock: deps.clock,
      signals,
    });
    c.header('content-type', 'application/json');
    c.header('cache-control', 'no-store');
    return c.body(render(page, position, feed));
  });
  return app;
}

interface Reader {
  readonly feed: EventFeed;
  readonly serviceId: string;
  readonly types: string[] | null;
  readonly limit: number;
  /** The caller named a cursor, so that it has to be told if events behind it are gone. */
  readonly given: boolean;
}

/** Up to the first records or the end of the log: one read covers only so much of a log without a match. */
async function readOn(
  { feed, serviceId, types, limit, given }: Reader,
  from: number,
  signals: readonly AbortSignal[],
): Promise<ReadResult> {
  let position = from;
  for (;;) {
    const filter = feed.filter(serviceId, types, 'any');
    const result = await feed.read(position, filter, limit);
    // Judged after the read: only then is it certain that retention had not overtaken it.
    const floor = feed.floorFor(filter);
    if (floor > position && given) throw expired('retention has passed this cursor', feed, floor);
    if (result.records.length > 0 || result.through >= feed.head()) return result;
    if (result.through <= position || signals.some((signal) => signal.aborted)) return result;
    position = result.through;
  }
}

function splitTypes(text: string | undefined): string[] | null {
  const types = (text ?? '').split(',').map((type) => type.trim());
  const named = types.filter((type) => type !== '');
  return named.length > 0 ? named : null;
}

/** The records' own text is spliced in: the platform's bytes are not parsed on the way out. */
function render(page: ReadResult | undefined, position: number, feed: EventFeed): string {
  const events = (page?.records ?? []).map((record) => record.json()).join(',');
  const next = encodeCursor(feed.epoch, position);
  const head = encodeCursor(feed.epoch, feed.head());
  return `{"events":[${events}],"next":"${next}","head":"${head}"}`;
}
