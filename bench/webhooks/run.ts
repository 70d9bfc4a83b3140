// The bench from start to end: rounds in which each contender has its turn, in another order each time.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { cleaningUp } from '../kit/clean-up.ts';
import type { BenchDeps } from '../kit/clean-up.ts';
import { contenders, ours } from './contenders.ts';
import type { WebhooksOptions } from './flags.ts';
import type { BenchResult, Turn } from './result.ts';
import { detailsOf } from './result.ts';
import { broadcasters, concurrency } from './stage.ts';
import { pacedPerSecond, trial } from './trial.ts';

const peersFolder = join(import.meta.dirname, '..', 'node_modules');

export async function measure(options: WebhooksOptions, deps: BenchDeps): Promise<BenchResult> {
  const { say, signal } = deps;
  const who = options.peers === 0 ? [ours] : contenders;
  if (who.length > 1 && !existsSync(peersFolder))
    throw new Error('the peers are not installed: npm ci --prefix bench, or --peers 0 for the relay alone');
  const setting = {
    broadcasters,
    concurrency,
    pacedPerSecond,
    ...(await durabilityOf(options.databaseUrl)),
  };
  const turns: Turn[] = [];
  let database = '';
  for (let round = 0; round < options.rounds; round++) {
    // Whoever comes first in one round does not in the next.
    for (let place = 0; place < who.length; place++) {
      const contender = who[(round + place) % who.length] ?? ours;
      say(`Round ${round + 1} of ${options.rounds}: ${contender.name}…`);
      const measured = await cleaningUp(deps, (closing) => trial(contender, options, deps, closing));
      signal.throwIfAborted();
      if (!measured) throw new Error('interrupted');
      ({ database } = measured);
      const turn = { name: contender.name, role: contender.role, round, ...detailsOf(measured) };
      say(`  ${turn.per_second} per second; p50 ${turn.p50_ms} ms, p99 ${turn.p99_ms} ms; lost ${turn.lost}`);
      turns.push(turn);
    }
  }
  return { turns, setting: { ...setting, database } };
}

/** What the server promises of a commit. */
async function durabilityOf(url: string | undefined): Promise<{ fsync: string; synchronousCommit: string }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const answer = await client.query<{ fsync: string; synchronous_commit: string }>(
      `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit`,
    );
    const row = answer.rows[0];
    return { fsync: row?.fsync ?? 'unknown', synchronousCommit: row?.synchronous_commit ?? 'unknown' };
  } finally {
    await client.end();
  }
}
