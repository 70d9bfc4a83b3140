// One point of a curve, in a process of its own: the relay's own stages from ingest to fan-out on a database, with a given
// number of topics and interests, and what an event costs then. No sockets: what they cost is the other curve's.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { topicId } from '../../src/domain/topic.ts';
import { Audience } from '../../src/fanout/audience.ts';
import { createFeed } from '../../src/fanout/feed.ts';
import type { InterestRow } from '../../src/fanout/port.ts';
import { createIngest } from '../../src/ingest/ingest.ts';
import { openLog } from '../../src/log/postgres-log.ts';
import { createReader } from '../../src/log/reader.ts';
import { openTail } from '../../src/log/tail.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { pointTask } from './messages.ts';
import type { PointResult, PointTask } from './messages.ts';

const services = 100;
/** Topics that events are sent of, whatever else there is. */
const busy = 10;
/** Handed over in one turn, as a socket's read brings them. */
const perTurn = 64;
const dayMs = 86_400_000;
const readAtOnce = 128;

const [asked] = (await once(process, 'message')) as [unknown];
const task = pointTask.parse(asked);
process.send?.(await measure(task));
process.disconnect?.();

async function measure({ databaseUrl, topics, otherInterests, events }: PointTask): Promise<PointResult> {
  const log = createLogger({ level: 'warn', format: 'json', destination: process.stderr });
  const database = await openDatabase({ databaseUrl, dataDir: '', log });
  await migrate(database);
  const eventLog = await openLog({ pool: database.pool });
  const tail = await openTail({ log: eventLog, clock: systemClock });
  const reader = createReader({ log: eventLog, tail });
  const serviceIds = Array.from({ length: services }, () => randomUUID());
  const botAccountId = randomUUID();
  const specOf = (n: number) => ({
    provider: 'twitch',
    botAccountId,
    type: 'channel.follow',
    version: '2',
    condition: { broadcaster_user_id: String(1_000_000 + n), moderator_user_id: '1' },
  });
  const rowOf = (n: number): InterestRow => ({
    serviceAccountId: serviceIds[n % services] ?? '',
    topicId: topicId(specOf(n)),
    type: 'channel.follow',
    createdSeq: 0,
    endpointId: null,
  });
  const rows = Array.from({ length: topics + otherInterests }, (_, n) => rowOf(n));
  const audience = new Audience({ loadInterests: async () => rows });
  await audience.reload();
  const feed = createFeed({ reader, audience, keepMs: { chat: dayMs, standard: dayMs } });
  const ingest = createIngest({ log: eventLog, clock: systemClock, isWanted: (id) => audience.isWanted(id) });

  let delivered = 0;
  for (const serviceAccountId of serviceIds) {
    let through = feed.head();
    const look = async () => {
      for (;;) {
        const filter = feed.filter(serviceAccountId);
        const page = await feed.batch(through, filter, readAtOnce, 'relay.v1');
        delivered += page.records.length;
        if (page.through <= through) return;
        through = page.through;
      }
    };
    feed.watch(serviceAccountId, () => void look());
  }

  const send = async (count: number) => {
    const until = delivered + count;
    for (let sent = 0; sent < count; sent++) {
      const n = sent % busy;
      ingest.notification({
        ...specOf(n),
        messageId: randomUUID(),
        subscriptionId: `subscription-${n}`,
        eventTimestamp: new Date().toISOString(),
        receivedAt: Date.now(),
        body: `"subscription":{"id":"subscription-${n}"},"event":{"text":"${'x'.repeat(600)}"}`,
      });
      if (sent % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
    }
    while (delivered < until) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  await send(Math.ceil(events / 4));
  const before = process.cpuUsage();
  await send(events);
  const { user, system } = process.cpuUsage(before);
  await ingest.stop();
  await database.close();
  return { microsecondsPerEvent: (user + system) / events, delivered };
}
