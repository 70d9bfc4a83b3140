// What the benches of ingest, resume, restart and the footprint make of their rounds: the middle one, the ratio, what was lost.
import { expect, it } from 'vitest';
import { lineOf as footprintLine } from '../../bench/footprint/result.ts';
import { allBots, lineOf as ingestLine, oneBot } from '../../bench/ingest/result.ts';
import { idealMs, lineOf as restartLine } from '../../bench/restart/result.ts';
import { lineOf as resumeLine } from '../../bench/resume/result.ts';
import { figure, spread, summaryOf } from '../../bench/kit/summary.ts';
import { asTable } from '../../bench/kit/table.ts';

const shares = { program: 0.5, postgres: undefined, generator: 0 };

it('takes the middle round and shows the others', () => {
  expect(summaryOf([3_000, 1_000, 2_500])).toEqual({ median: 2_500, min: 1_000, max: 3_000, rounds: 3 });
  expect(spread(summaryOf([3_000, 1_000, 2_500]))).toBe('2,500 (1,000–3,000)');
  expect(figure(Number.NaN)).toBe('–');
  expect(
    asTable([
      ['a', 'b'],
      ['long', '1'],
    ]),
  ).toBe('a      b\nlong   1');
});

it('ingest: one bot by the best of the inserts', () => {
  const turn = (contender: string, seconds: number, lost = 0) => ({
    contender,
    events: 1_000,
    seconds,
    lost,
    shares,
  });
  const slow = { contender: 'slow', form: 'unnest', batchRows: 100 } as const;
  const fast = { contender: 'fast', form: 'values', batchRows: 500 } as const;
  const turns = [turn(oneBot, 0.1), turn(allBots, 0.2, 3), turn('slow', 0.2), turn('fast', 0.05)];
  const rest = { bots: 50, topics: 8, eventBytes: 700, batchRows: 480, database: '' };
  expect(ingestLine({ turns, insertions: [slow, fast], ...rest })).toMatchObject({
    one_bot_per_second: 10_000,
    insert_per_second: 20_000,
    insert_batch_rows: 500,
    ingest_vs_insert: 0.5,
    all_bots_vs_insert: 0.25,
    lost: 3,
  });
});

it('resume: the largest log by the smallest, and everything that was owed', () => {
  const turn = (rows: number, seconds: number, lost: number) => ({
    rows,
    passes: [{ events: 1_000, seconds, firstMs: 5, lost }],
    quietMs: [1, 2],
    besideMs: [3],
    lostNew: 1,
    relayShare: undefined,
    readerShare: undefined,
  });
  const turns = [turn(10_000, 0.1, 0), turn(1_000_000, 0.125, 2)];
  const line = resumeLine({ turns, sizes: [10_000, 1_000_000], behind: 1, perSecond: 200, database: '' });
  expect(line).toMatchObject({ resume_growth: 0.8, lost: 4, rows_10000_quiet_p99_ms: 2 });
});

it('restart: the worst size by one list and a create for each topic', () => {
  const restart = (bots: number, subscribeMs: number) => ({
    bots,
    startUpMs: 1,
    readyMs: 1,
    subscribeMs,
    calls: 21,
    relayShare: undefined,
    platformShare: undefined,
  });
  const setting = { topics: 20, latencyMs: 50 };
  expect(idealMs(setting)).toBe(1_050);
  const restarts = [restart(1, 525), restart(50, 2_100)];
  expect(restartLine({ restarts, sizes: [1, 50], ...setting, database: '' })).toMatchObject({
    bots_1_vs_ideal: 0.5,
    bots_50_vs_ideal: 2,
    restart_vs_ideal: 2,
  });
});

it('footprint: what the consumers add, for each of them', () => {
  const idle = (server: string, crowdedKb: number) => ({ server, restKb: 1_000, crowdedKb });
  const line = footprintLine({
    boots: [{ database: 'embedded', kind: 'first', ms: 900 }],
    rests: [{ database: 'embedded', kb: 2_048 }],
    idles: [idle('relay.v1', 2_600), idle('socket.io', 3_000)],
    consumers: 100,
    settleSeconds: 1,
    database: '',
  });
  expect(line).toMatchObject({
    kb_per_idle_consumer: 16,
    socket_io_kb_per_idle_socket: 20,
    embedded_first_boot_ms: 900,
    embedded_rest_mb: 2,
  });
});
