// Bugs that real relays shipped, and breaches of our own invariants, made on purpose: each must make a test fail.
// `npm run mutants -- [--only TEXT] [--json]`. Ends with 1 when a mutant lives, or no longer fits the text it changes.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deliveryMutants } from './mutants/delivery.ts';
import { logMutants } from './mutants/log.ts';
import type { Mutant } from './mutants/mutant.ts';
import { upstreamMutants } from './mutants/upstream.ts';
import { openWorkshop, type TestRun, type Workshop } from './mutants/workshop.ts';

type Verdict = 'killed' | 'lives' | 'error';

interface Result {
  readonly name: string;
  readonly origin: string;
  readonly file: string;
  readonly verdict: Verdict;
  /** The first test that failed; or what is wrong. */
  readonly detail: string;
  readonly tookMs: number;
}

const { values } = parseArgs({ options: { only: { type: 'string' }, json: { type: 'boolean' } } });
const all = [...upstreamMutants, ...logMutants, ...deliveryMutants];
const hasServer = Boolean(process.env['TEST_DATABASE_URL']);
const named = all.filter(({ name }) => name.includes(values.only ?? ''));
const chosen = named.filter(({ onServer }) => hasServer || !onServer);
const skipped = named.filter((mutant) => !chosen.includes(mutant)).map(({ name }) => name);
const say = (text: string) => void (values.json || console.log(text));

process.exitCode = (await campaign()) ? 0 : 1;

async function campaign(): Promise<boolean> {
  const startedAt = performance.now();
  const twice = all.filter((mutant, index) => all.findIndex(({ name }) => name === mutant.name) !== index);
  if (twice.length > 0 || chosen.length === 0) {
    const none = skipped.length > 0 ? 'That one needs TEST_DATABASE_URL.' : 'None is called that.';
    console.error(twice.length > 0 ? `Two are called ${twice[0]?.name}.` : none);
    return false;
  }
  await using workshop = await openWorkshop(join(import.meta.dirname, '..'));
  const before = await workshop.runUnmutated(chosen);
  const broken = before.find(({ status }) => status !== 0);
  if (broken) {
    console.error(`The tests fail without any mutant:\n${broken.failed.join('\n') || broken.output}`);
    return false;
  }
  const passing = new Set(before.flatMap(({ passed }) => passed));
  say(
    `${passing.size} tests pass without a mutant (${Math.round((performance.now() - startedAt) / 1000)} s).`,
  );
  const results: Result[] = [];
  for (const mutant of chosen) {
    const result = await tryOut(workshop, mutant, passing);
    results.push(result);
    say(
      `${result.verdict.padEnd(6)} ${result.name}: ${result.detail} (${(result.tookMs / 1000).toFixed(1)} s)`,
    );
  }
  const killed = results.filter(({ verdict }) => verdict === 'killed').length;
  const tookMs = Math.round(performance.now() - startedAt);
  if (values.json)
    console.log(JSON.stringify({ killed, mutants: results.length, skipped, tookMs, results }, null, 2));
  say(`${killed} of ${results.length} killed in ${Math.round(tookMs / 1000)} s.`);
  if (skipped.length > 0) say(`Without TEST_DATABASE_URL not tried: ${skipped.join(', ')}.`);
  return killed === results.length;
}

async function tryOut(workshop: Workshop, mutant: Mutant, passing: ReadonlySet<string>): Promise<Result> {
  const startedAt = performance.now();
  const fault = await workshop.faultOf(mutant);
  const found: [Verdict, string] =
    fault === undefined ? judge(await workshop.runMutated(mutant), passing) : ['error', fault];
  const [verdict, detail] = found;
  const { name, origin, file } = mutant;
  return { name, origin, file, verdict, detail, tookMs: Math.round(performance.now() - startedAt) };
}

/** Killed is what makes a test fail that passes otherwise; a run that breaks down has judged nothing. */
function judge(run: TestRun, passing: ReadonlySet<string>): [Verdict, string] {
  const killer = run.failed.find((test) => passing.has(test));
  if (killer !== undefined) return ['killed', killer];
  if (run.status === null) return ['error', 'the run hung and was cut off'];
  if (run.passed.length === 0) return ['error', `no test ran:\n${run.output}`];
  if (run.status === 0) return ['lives', `${run.passed.length} tests pass all the same`];
  // All tests passed, and vitest failed the run: an error that nobody caught, which ends the process outside of a test.
  return /Unhandled (Error|Rejection)|Uncaught Exception/.test(run.output)
    ? ['killed', 'an error that nobody catches']
    : ['error', run.output];
}
