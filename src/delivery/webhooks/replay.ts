// A replay: what the cursor has passed and is still kept becomes owed again, under a run of its own. It counts first and
// adds nothing that it cannot add whole.
import { randomUUID } from 'node:crypto';
import { RelayError } from '../../domain/errors.ts';
import type { EndpointRow, ReplayRequest, WebhookDeps } from './ports.ts';

/** Some hours of a busy service. Larger ones are asked for in parts. */
const maxEvents = 100_000;
const pageSize = 5_000;

type ReplayDeps = Pick<WebhookDeps, 'feed' | 'rows' | 'clock'>;

/** `cursor`: what it has not passed comes anyway. Rejects while the database is away, and with 422 `replay_too_large`. */
export async function replay(
  deps: ReplayDeps,
  endpoint: Pick<EndpointRow, 'id' | 'serviceAccountId'>,
  request: ReplayRequest,
  cursor: number,
): Promise<{ readonly run: string | null; readonly events: number }> {
  const seqs = await selected(deps, endpoint, request, cursor);
  if (request.dryRun || seqs.length === 0) return { run: null, events: seqs.length };
  const run = randomUUID();
  const now = deps.clock.now();
  let events = 0;
  for (let from = 0; from < seqs.length; from += pageSize) {
    const page = seqs.slice(from, from + pageSize);
    events += await deps.rows.addRun({ endpointId: endpoint.id, run, seqs: page, now });
  }
  return { run, events };
}

async function selected(
  { feed }: ReplayDeps,
  endpoint: Pick<EndpointRow, 'id' | 'serviceAccountId'>,
  { ids, receivedFrom, receivedBefore, ...request }: ReplayRequest,
  cursor: number,
): Promise<number[]> {
  const filter = feed.filter(endpoint.serviceAccountId, null, { endpointId: endpoint.id });
  const through = Math.min(request.through ?? cursor, cursor);
  const seqs: number[] = [];
  let after = request.after ?? 0;
  while (after < through) {
    const page = await feed.select(filter, { after, through, receivedFrom, receivedBefore, ids }, pageSize);
    for (const seq of page) seqs.push(seq);
    if (seqs.length > maxEvents) throw tooLarge();
    if (page.length < pageSize) break;
    after = page.at(-1) ?? through;
  }
  return seqs;
}

const tooLarge = () =>
  new RelayError(
    'replay_too_large',
    422,
    `more than ${maxEvents} events are selected; narrow the range and replay it in parts`,
    { extra: { max_events: maxEvents } },
  );
