// Owns `npm run fuzz`: generated input for everything that reads what others write, each target with its share; a line for
// each, and the smallest input that fails. Ends with 1 when anything failed, with 2 when it was asked for nonsense.
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { piecesOf, targets } from '../test/fuzz/targets.ts';
import type { Played, Target } from '../test/fuzz/target.ts';

const defaultRuns = 100_000;
/** Longer than any deadline of a target: this is for what no deadline can interrupt. */
const patienceMs = 60_000;

const usage = `npm run fuzz -- [--runs N] [--seed S] [--target NAME] [--path P] [--json]

  --runs    inputs over all targets that are played (${defaultRuns})
  --seed    a whole number; the same one gives the same inputs
  --target  one of: ${targets.map(({ name }) => name).join(', ')}; may be given more than once
  --path    of a counterexample: that input alone; needs --target and --seed
  --json    one JSON object per target`;

interface Options {
  readonly runs: number;
  readonly seed: number;
  readonly played: readonly Target[];
  readonly path: string | undefined;
  readonly json: boolean;
}

function optionsOf(args: string[]): Options | string {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string', default: String(defaultRuns) },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 0x7fffffff)) },
      target: { type: 'string', multiple: true, default: [] },
      path: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const unknown = values.target.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) return `there is no target ${unknown}`;
  if (!/^[1-9]\d{0,8}$/.test(values.runs)) return '--runs: expected a whole number from 1';
  if (!/^-?\d{1,10}$/.test(values.seed)) return '--seed: expected a whole number';
  if (values.path !== undefined && values.target.length !== 1) return '--path belongs to one --target';
  return {
    runs: Number(values.runs),
    seed: Number(values.seed),
    played: targets.filter(({ name }) => values.target.length === 0 || values.target.includes(name)),
    path: values.path,
    json: values.json,
  };
}

/** Told which target and input are under way, since a thread that hangs tells nobody. */
function watch(played: readonly Target[], seed: number) {
  const counter = new SharedArrayBuffer(8);
  const view = new Int32Array(counter).fill(-1);
  const names = played.map(({ name }) => name);
  const worker = new Worker(new URL('../test/fuzz/watchdog.mjs', import.meta.url), {
    workerData: { counter, names, seed, patienceMs },
  });
  return {
    input: (target: number) => (n: number) => {
      view[0] = target;
      view[1] = n;
    },
    /** Between targets nothing is under way. */
    rest: () => void (view[0] = -1),
    stop: () => worker.postMessage('stop'),
  };
}

const columns = ['inputs', 'accepted', 'refused', 'crashes', 'hangs', 'serverFaults', 'slowestMs'] as const;
const heads = ['inputs', 'accepted', 'refused', 'crashes', 'hangs', '500s', 'slowest ms', 'took s'];
const nameWidth = Math.max(...targets.map(({ name }) => name.length));
const row = (name: string, cells: readonly string[]) =>
  [name.padEnd(nameWidth), ...cells.map((cell, at) => cell.padStart(heads[at]?.length ?? 0))].join('  ');

function show(played: Played): void {
  const cells = [...columns.map((name) => String(played[name])), (played.tookMs / 1_000).toFixed(1)];
  console.log(row(played.target, cells));
  const { failure } = played;
  if (!failure) return;
  console.log(`  ${failure.kind}: ${failure.message}`);
  if (failure.counterexample !== null) console.log(`  counterexample: ${failure.counterexample}`);
  if (failure.path === null) return;
  console.log(
    `  again: npm run fuzz -- --target ${played.target} --seed ${played.seed} --path ${failure.path}`,
  );
}

async function main({ runs, seed, played, path, json }: Options): Promise<number> {
  const watchdog = watch(played, seed);
  const results: Played[] = [];
  if (!json) console.log(`seed ${seed}\n${row('target', heads)}`);
  for (const [index, target] of played.entries()) {
    const pieces = piecesOf(target, played, runs);
    const result = await target.play({ pieces, seed, path, onInput: watchdog.input(index) });
    watchdog.rest();
    results.push(result);
    if (json) console.log(JSON.stringify(result));
    else show(result);
  }
  watchdog.stop();
  const failed = results.filter(({ failure }) => failure !== null).length;
  const inputs = results.reduce((sum, each) => sum + each.inputs, 0);
  const tookMs = results.reduce((sum, each) => sum + each.tookMs, 0);
  if (!json)
    console.log(
      `${inputs} inputs in ${Math.round(tookMs / 1_000)} s, ${failed} of ${results.length} targets failed`,
    );
  return failed > 0 ? 1 : 0;
}

const options = (() => {
  try {
    return optionsOf(process.argv.slice(2));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
})();
if (typeof options === 'string') {
  console.error(`${options}\n\n${usage}`);
  process.exitCode = 2;
} else {
  process.exitCode = await main(options);
}
