// The commands that read events: the live stream of a consumer, and a page of the log.
import { z } from 'zod';
import type { EventsOptions, RelayClient } from '../../client/index.ts';
import { command, commaList, whole, type Flag } from '../command.ts';
import { ReaderGone } from '../failure.ts';
import { eventLine } from '../event-line.ts';
import type { Session } from '../session.ts';

/** The position of `tail` when nobody names another one. */
export const tailConsumer = 'cli';
const maxTailLimit = 999_999_999;
const maxPage = 1_000;
const pageDefault = 100;

const typesFlag: Flag = ['--types <list>', 'only these event types, separated by commas'];
const afterFlag: Flag = ['--after <cursor>', 'begin behind this cursor'];

const tailOptions = z.object({
  types: commaList.optional(),
  after: z.string().optional(),
  limit: whole(1, maxTailLimit).optional(),
  consumer: z.string().optional(),
  onExpired: z.enum(['reject', 'earliest', 'live'], 'expected reject, earliest or live').optional(),
});
type TailOptions = z.infer<typeof tailOptions>;

const tail = command({
  usage: 'tail',
  summary: 'Prints events as they come, until Ctrl-C',
  notes:
    'Begins with what comes from now on. With --consumer it goes on where that consumer stopped the last time. ' +
    'What was printed is acknowledged. Breaks of the connection are noted on stderr, and nothing is missed by them. ' +
    'With --json each line of stdout is one event.',
  flags: [
    typesFlag,
    afterFlag,
    ['--limit <n>', 'end after so many events'],
    ['--consumer <name>', `whose position is kept; "${tailConsumer}" by default, and that one begins anew`],
    ['--on-expired <what>', 'when the position is no longer in the log: reject (default), earliest or live'],
  ],
  options: tailOptions,
  examples: [
    'eventsub-relay events tail --types channel.chat.message',
    'eventsub-relay events tail --json --limit 1 | jq .type',
  ],
  async run(session, { options }) {
    const client = session.service();
    const after = await startOf(client, options);
    await print(session, client, { ...options, after });
  },
});

/** Behind what there is now, unless somebody named a place or a consumer that has one. */
async function startOf(client: RelayClient, options: TailOptions): Promise<string | undefined> {
  if (options.after !== undefined || options.consumer !== undefined) return options.after;
  const { head } = await client.pull({ limit: 1 });
  return head;
}

async function print(session: Session, client: RelayClient, options: TailOptions): Promise<void> {
  const { io, out } = session;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const columns = io.stdout.isTTY ? io.stdout.columns : undefined;
  for await (const delivery of client.deliveries(streamOptions(session, options))) {
    const { event } = delivery;
    await (out.json ? out.record(event) : out.painted(eventLine(event, { style: out.style, columns })));
    // Then it was not printed, and must not be acknowledged. After Ctrl-C it was.
    if (io.signal.reason instanceof ReaderGone) return;
    left -= 1;
    if (left > 0) continue;
    delivery.done();
    return;
  }
}

function streamOptions({ io, out }: Session, options: TailOptions): EventsOptions {
  let connections = 0;
  let away = false;
  return {
    consumer: options.consumer ?? tailConsumer,
    after: options.after,
    types: options.types,
    onExpired: options.onExpired,
    signal: io.signal,
    onHello: () => {
      connections += 1;
      if (away) void out.note('The connection stands again.');
      else if (connections === 1 && !out.json) void out.note('Waiting for events. Ctrl-C ends.');
      away = false;
    },
    onReconnect: ({ code, reason }) => {
      // Once, not for every try.
      if (!away) void out.note(`The connection has ended (${code}: ${reason}); trying again.`);
      away = true;
    },
    onLag: ({ behind_events: behind }) => void out.warn(`${behind} events behind.`),
  };
}

const list = command({
  usage: 'list',
  summary: 'Prints a page of the log',
  notes: 'Begins with the oldest event that is kept. Go on with --after and the cursor that is told.',
  flags: [typesFlag, afterFlag, ['--limit <n>', `1 to ${maxPage}; ${pageDefault} by default`]],
  options: z.object({
    types: commaList.optional(),
    after: z.string().optional(),
    limit: whole(1, maxPage).default(pageDefault),
  }),
  examples: ['eventsub-relay events list --limit 20', 'eventsub-relay events list --json'],
  async run({ io, out, service, during }, { options }) {
    const page = await during('reading the log', () => service().pull({ ...options, signal: io.signal }));
    if (out.json) return out.document(page);
    const columns = io.stdout.isTTY ? io.stdout.columns : undefined;
    for (const event of page.events) await out.painted(eventLine(event, { style: out.style, columns }));
    return out.note(
      page.next === page.head ? 'This is the end of the log.' : `There is more: --after ${page.next}`,
    );
  },
});

export const eventCommands = [tail, list];
