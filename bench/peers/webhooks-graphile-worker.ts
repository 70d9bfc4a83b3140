// graphile-worker in the webhooks bench. Jobs are added in batches, fetched ahead into its local queue, and completed in
// batches; what is added wakes it, as its own triggers do.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { Batches } from './webhooks-batches.ts';
import { concurrency, send } from './webhooks-send.ts';
import { listen, setting, type Notification } from './webhooks-upstream.ts';

const perInsert = Number(process.env['PEER_INSERT'] ?? 500);
const perFetch = Number(process.env['PEER_FETCH'] ?? 500);

// Without a name for the queue its jobs run side by side.
const task = 'webhook';
const logger = new Logger(() => () => undefined);
const pgPool = new pg.Pool({ connectionString: setting('DATABASE_URL'), max: 10 });
pgPool.on('error', (error) => console.error(error));
const utils = await makeWorkerUtils({ pgPool, logger });
await utils.migrate();
await run({
  pgPool,
  logger,
  concurrency,
  noHandleSignals: true,
  taskList: { [task]: (payload) => send(payload as Notification) },
  preset: {
    worker: {
      concurrentJobs: concurrency,
      localQueue: { size: perFetch },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
});

const inserts = new Batches<Notification>(perInsert, async (notifications) => {
  await utils.addJobs(notifications.map((payload) => ({ identifier: task, payload })));
});
listen((notification) => inserts.add(notification));
