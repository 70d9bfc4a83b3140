// The commands about what was sent to webhook endpoints, and about sending it again.
import { z } from 'zod';
import type { ReplayBody } from '../../client/index.ts';
import { command, needed, whole } from '../command.ts';
import { usageError } from '../failure.ts';
import { count } from '../format.ts';
import { attemptColumns } from '../views.ts';
import { findEndpoint } from './endpoints.ts';

const states = ['delivered', 'retrying', 'failed', 'expired'] as const;
const maxPage = 1_000;
const pageDefault = 50;

const list = command({
  usage: 'list',
  summary: 'Lists attempts, the newest first',
  flags: [
    ['--endpoint <endpoint>', 'only of this one: id, URL or description'],
    ['--state <state>', `${states.join(', ')}; retrying: what is still owed`],
    ['--event <id>', 'only of this event'],
    ['--run <id>', 'only of this replay'],
    ['--limit <n>', `1 to ${maxPage}; ${pageDefault} by default`],
    ['--after <id>', 'what is older than this attempt'],
  ],
  options: z.object({
    endpoint: z.string().optional(),
    state: z.enum(states, `expected one of ${states.join(', ')}`).optional(),
    event: z.string().optional(),
    run: z.string().optional(),
    limit: whole(1, maxPage).default(pageDefault),
    after: z.string().optional(),
  }),
  examples: ['eventsub-relay deliveries list --state failed'],
  async run({ io, out, service: open, during }, { options }) {
    const service = open();
    const { endpoint, ...query } = options;
    const id = endpoint === undefined ? undefined : (await findEndpoint(service, endpoint)).id;
    const attempts = await during('reading the history', () => service.attempts({ ...query, endpoint: id }));
    if (out.json) return out.document(attempts);
    if (attempts.length === 0) return out.note('There is no such attempt.');
    await out.table(attemptColumns(io.clock.now()), attempts);
    const last = attempts.at(-1);
    if (attempts.length < options.limit || !last) return undefined;
    return out.note(`There may be more: --after ${last.id}`);
  },
});

const replayOptions = z.object({
  endpoint: needed,
  event: z.array(z.string()).optional(),
  from: z.string().optional(),
  to: z.string().optional(),
  fromCursor: z.string().optional(),
  toCursor: z.string().optional(),
  dryRun: z.boolean().optional(),
});
type ReplayOptions = z.infer<typeof replayOptions>;

const replay = command({
  usage: 'replay',
  summary: 'Sends events of the log to an endpoint once more',
  notes:
    'By id, by a range of times or by a range of cursors. Only what the endpoint has passed and the log still holds.',
  flags: [
    ['--endpoint <endpoint>', 'id, URL or description (required)'],
    ['--event <id...>', 'these events'],
    ['--from <time>', 'from this time on, such as 2026-11-21T03:00:00Z'],
    ['--to <time>', 'before this time'],
    ['--from-cursor <cursor>', 'behind this cursor'],
    ['--to-cursor <cursor>', 'up to this cursor'],
    ['--dry-run', 'only count them'],
  ],
  options: replayOptions,
  examples: [
    'eventsub-relay deliveries replay --endpoint http://127.0.0.1:9000/hook --from 2026-11-21T03:00:00Z --dry-run',
  ],
  async run({ out, service: open, during }, { options }) {
    const service = open();
    const { id } = await findEndpoint(service, options.endpoint);
    const answer = await during('looking for the events', () => service.replay(bodyOf(options, id)));
    if (out.json) return out.document(answer);
    const events = count(answer.events, 'event');
    if (answer.dry_run) return out.line(`${events} would be sent again.`);
    if (answer.run === null) return out.line('There is nothing to send again.');
    await out.line(`${events} ${answer.events === 1 ? 'is' : 'are'} sent again.`);
    return out.note(`See: eventsub-relay deliveries list --run ${answer.run}`);
  },
});

function bodyOf(options: ReplayOptions, endpointId: string): ReplayBody {
  const { event, from, to, fromCursor, toCursor, dryRun } = options;
  if ([event, from ?? to, fromCursor ?? toCursor].filter((each) => each !== undefined).length !== 1) {
    throw usageError('Say which events: --event, or --from and --to, or --from-cursor and --to-cursor.');
  }
  return {
    endpoint_id: endpointId,
    dry_run: dryRun ?? false,
    ...(event === undefined ? {} : { event_ids: event }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(fromCursor === undefined ? {} : { from_cursor: fromCursor }),
    ...(toCursor === undefined ? {} : { to_cursor: toCursor }),
  };
}

export const deliveryCommands = [list, replay];
