// How long a connection waits for an answer. `pg` has such a limit of its own (`query_timeout`), but keeps it, as it keeps its
// promises, in a function that it assigns to the query: V8 puts a function that is assigned to a property among the old objects at
// once, and then whatever that function sees: the statement, its parameters and its answer (docs/performance.md).
import type pg from 'pg';
import { systemClock } from './clock.ts';

/** What a statement may say for itself; `pg` passes over it. */
export interface AnswerLimit {
  /** Milliseconds; the connection's limit counts if left out. */
  readonly answerWithinMs?: number;
}

type Callback = (error: Error | null | undefined, result?: unknown) => void;
type Ask = (statement: unknown, values?: unknown, callback?: unknown) => unknown;

/**
 * From now on a statement whose answer is later than `limitMs` (0: no limit) fails with pg's own "Query read timeout", and what comes
 * later is passed over. The connection still waits for it: whoever holds it gives it back as broken, as `pool.query` does. For
 * statements, not for cursors and streams.
 */
export function limitAnswers(client: pg.PoolClient, limitMs: number): void {
  const ask = client.query.bind(client) as Ask;
  const askWithLimit: Ask = (statement, values, callback) => {
    const ms = (statement as AnswerLimit).answerWithinMs ?? limitMs;
    if (typeof values === 'function') return ask(statement, withLimit(values as Callback, ms));
    if (typeof callback === 'function') return ask(statement, values, withLimit(callback as Callback, ms));
    const answer = new Promise((resolve, reject) => {
      const settle: Callback = (error, result) => (error ? reject(error) : resolve(result));
      ask(statement, values, withLimit(settle, ms));
    });
    return answer.catch(toldFromHere);
  };
  client.query = askWithLimit as typeof client.query;
}

/** As `pg` does: the stack that led to the answer's arrival would tell nobody who asked. */
function toldFromHere(error: unknown): never {
  if (error instanceof Error) Error.captureStackTrace(error);
  throw error;
}

/** The first of answer and limit counts. */
function withLimit(callback: Callback, ms: number): Callback {
  if (ms === 0) return callback;
  let waits = true;
  const cancel = systemClock.after(ms, () => {
    waits = false;
    callback(new Error('Query read timeout'));
  });
  return (error, result) => {
    if (!waits) return;
    waits = false;
    cancel();
    callback(error, result);
  };
}
