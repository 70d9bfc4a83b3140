// The bench's end of the plain program that inserts.
import { once } from 'node:events';
import { join } from 'node:path';
import { startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { insertAnswer } from './insert-messages.ts';
import type { InsertAnswer, InsertRequest } from './insert-messages.ts';

export interface Inserter {
  readonly pid: number | undefined;
  insert(request: InsertRequest): Promise<{ readonly seconds: number; readonly cpuSeconds: number }>;
}

/** Copies rows of the relay's log in this database, into a table beside it. What it opens, it adds to `closing`. */
export async function startInserter(
  databaseUrl: string,
  signal: AbortSignal,
  closing: Closing,
): Promise<Inserter> {
  const child = startChild({
    program: join(import.meta.dirname, 'insert-main.ts'),
    args: [databaseUrl],
    // Its stdout is not ours to write on.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  const answer = async (): Promise<InsertAnswer> => {
    const heard = new AbortController();
    const options = { signal: AbortSignal.any([signal, heard.signal]) };
    try {
      const [message] = (await Promise.race([
        once(child, 'message', options),
        once(child, 'exit', options).then(() => Promise.reject(new Error('the program that inserts ended'))),
      ])) as [unknown];
      const parsed = insertAnswer.parse(message);
      if (parsed.kind === 'failed') throw new Error(parsed.message);
      return parsed;
    } finally {
      heard.abort();
    }
  };
  await answer();
  return {
    pid: child.pid,
    async insert(request) {
      const answered = answer();
      child.send(request);
      const inserted = await answered;
      if (inserted.kind !== 'inserted') throw new Error(`expected what was inserted, got ${inserted.kind}`);
      return inserted;
    },
  };
}
