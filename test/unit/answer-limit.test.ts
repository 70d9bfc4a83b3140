// How long a connection waits: the first of answer and limit counts, with a callback as with a promise.
import type pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { limitAnswers } from '../../src/runtime/answer-limit.ts';

type Callback = (error: Error | null, result?: unknown) => void;

/** A connection that answers when it is told to. */
function connection(limitMs: number) {
  const asked: { statement: unknown; values: unknown; answer: Callback }[] = [];
  const client = {
    query(statement: unknown, values: unknown, callback?: Callback) {
      const answer = (typeof values === 'function' ? values : callback) as Callback;
      asked.push({ statement, values, answer });
    },
  };
  limitAnswers(client as unknown as pg.PoolClient, limitMs);
  return { client: client as unknown as pg.PoolClient, asked };
}

/** As the pool asks. */
const callbackStyle = (client: pg.PoolClient) => client.query.bind(client) as (...given: unknown[]) => void;

const tooLate = { message: 'Query read timeout' };

describe('the limit on answers', () => {
  it('hands statement, values and answer through', async () => {
    const { client, asked } = connection(10_000);
    const promised = client.query('SELECT $1', [1]);
    expect(asked[0]).toMatchObject({ statement: 'SELECT $1', values: [1] });
    asked[0]?.answer(null, 'rows');
    await expect(promised).resolves.toBe('rows');
    const told: unknown[] = [];
    const ask = callbackStyle(client);
    ask('SELECT 1', (...answer: unknown[]) => told.push(answer));
    ask('SELECT 2', [2], (...answer: unknown[]) => told.push(answer));
    asked[1]?.answer(null, 'one');
    asked[2]?.answer(new Error('no'));
    expect(told).toEqual([
      [null, 'one'],
      [new Error('no'), undefined],
    ]);
    const failed = client.query('SELECT 3');
    asked[3]?.answer(new Error('refused'));
    await expect(failed).rejects.toThrow('refused');
  });

  it('fails what is not answered in time, and passes over the answer that comes then', async () => {
    const { client, asked } = connection(5);
    await expect(client.query('SELECT 1')).rejects.toMatchObject(tooLate);
    const told: unknown[] = [];
    const ask = callbackStyle(client);
    await new Promise<void>((resolve) => {
      ask('SELECT 2', [], (error: Error | null) => {
        told.push(error);
        resolve();
      });
    });
    for (const { answer } of asked) answer(null, 'late');
    expect(told).toEqual([expect.objectContaining(tooLate)]);
  });

  it('is what the statement says, if it says so; 0 is none', async () => {
    const { client, asked } = connection(0);
    const limited: pg.QueryConfig = Object.assign({ text: 'SELECT 1' }, { answerWithinMs: 5 });
    const unlimited = client.query('SELECT 2');
    await expect(client.query(limited)).rejects.toMatchObject(tooLate);
    asked[0]?.answer(null, 'after the other one failed');
    await expect(unlimited).resolves.toBe('after the other one failed');
  });

  it('leaves no timer behind a statement that was answered', async () => {
    vi.useFakeTimers();
    try {
      const { client, asked } = connection(10_000);
      const answered = client.query('SELECT 1');
      expect(vi.getTimerCount()).toBe(1);
      asked[0]?.answer(null, 'rows');
      expect(vi.getTimerCount()).toBe(0);
      await answered;
    } finally {
      vi.useRealTimers();
    }
  });
});
