// pg-boss in the webhooks bench. Jobs go in, come out and are completed in batches; the next batch is fetched while the last
// one is being sent, and at once when something was added, without waiting for its poll.
import PgBoss from 'pg-boss';
import { Batches } from './webhooks-batches.ts';
import { concurrency, send } from './webhooks-send.ts';
import { listen, setting, type Notification } from './webhooks-upstream.ts';

const queue = 'webhooks';
const perInsert = Number(process.env['PEER_INSERT'] ?? 500);
const perFetch = Number(process.env['PEER_FETCH'] ?? 500);
const perCompletion = 1_000;

const boss = new PgBoss({ connectionString: setting('DATABASE_URL'), max: 10, schedule: false });
boss.on('error', (error) => console.error(error));
await boss.start();
await boss.createQueue(queue);

type Job = PgBoss.Job<Notification>;

let fetched: Job[] = [];
let first = 0;
let inFlight = 0;
let isFetching = false;
/** Something may have been added since the last fetch began. */
let isMore = false;

const completions = new Batches<string>(perCompletion, async (ids) => void (await boss.complete(queue, ids)));
const inserts = new Batches<PgBoss.JobInsert<Notification>>(perInsert, async (jobs) => {
  await boss.insert(jobs as PgBoss.JobInsert[]);
  isMore = true;
  fetchAhead();
});

function fetchAhead(): void {
  if (isFetching || !isMore || fetched.length - first > perFetch / 2) return;
  isFetching = true;
  isMore = false;
  void boss.fetch<Notification>(queue, { batchSize: perFetch }).then((jobs) => {
    isFetching = false;
    isMore ||= jobs.length === perFetch;
    fetched = [...fetched.slice(first), ...jobs];
    first = 0;
    next();
  });
}

function next(): void {
  while (inFlight < concurrency && first < fetched.length) {
    const job = fetched[first++] as Job;
    inFlight += 1;
    void send(job.data).then(
      () => {
        completions.add(job.id);
        ended();
      },
      (error: unknown) => void boss.fail(queue, job.id, { error: String(error) }).then(ended),
    );
  }
  fetchAhead();
}

function ended(): void {
  inFlight -= 1;
  next();
}

listen((notification) => inserts.add({ name: queue, data: notification }));
