// A scratch copy of the project in which mutants are made and the tests run. The checkout itself is only read; what the
// copy needs of node_modules is linked.
import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Mutant } from './mutant.ts';

const notCopied = new Set(['.git', 'node_modules', 'dist', 'data', 'coverage', '.env']);
/** The tests of one mutant that take longer hang: the mutant made it so, and no test said so. */
const mutatedLimitMs = 120_000;
/** The tests of all mutants together. */
const unmutatedLimitMs = 600_000;
/** A failing test is reported a moment after it failed; the rest of the file says nothing more. */
const stopAtFirst = '--bail=1';

const report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

export interface TestRun {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Vitest's exit status; null when the run was cut off. */
  readonly status: number | null;
  /** The end of what was printed, for people. */
  readonly output: string;
}

export interface Workshop extends AsyncDisposable {
  /** The reason why the mutant cannot be made as it is written, or undefined. */
  faultOf(mutant: Mutant): Promise<string | undefined>;
  /** The tests of all of them together, on the project as it is: one that fails here kills nothing. */
  runUnmutated(mutants: readonly Mutant[]): Promise<readonly TestRun[]>;
  /** Runs the mutant's tests with the mutant in place, up to the first failure, and takes it out again. */
  runMutated(mutant: Mutant): Promise<TestRun>;
}

export async function openWorkshop(root: string): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-mutants-'));
  const wanted = (path: string) => path === root || !notCopied.has(basename(path));
  await cp(root, folder, { recursive: true, filter: wanted });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const vitest = (args: readonly string[], limitMs: number) => runVitest(folder, args, limitMs);
  return {
    async faultOf({ file, find, replace }) {
      const text = await readFile(join(folder, file), 'utf8').catch(() => undefined);
      if (text === undefined) return `${file} is not there`;
      if (find === replace) return 'it changes nothing';
      const times = text.split(find).length - 1;
      return times === 1 ? undefined : `its text stands ${times} times in ${file}, not once`;
    },
    async runUnmutated(mutants) {
      const whole = filesOf(mutants.filter(({ only }) => only === undefined));
      const narrowed = mutants.filter(({ killedBy }) => !killedBy.every((file) => whole.includes(file)));
      const runs: TestRun[] = [];
      if (whole.length > 0) runs.push(await vitest(whole, unmutatedLimitMs));
      const titles = narrowed.flatMap(({ only }) => (only === undefined ? [] : [titlePattern(only)]));
      if (titles.length > 0)
        runs.push(await vitest([...filesOf(narrowed), '-t', titles.join('|')], unmutatedLimitMs));
      return runs;
    },
    async runMutated({ file, find, replace, killedBy, only }) {
      const path = join(folder, file);
      const text = await readFile(path, 'utf8');
      try {
        await writeFile(path, text.split(find).join(replace));
        const narrowed = only === undefined ? [] : ['-t', titlePattern(only)];
        return await vitest([...killedBy, stopAtFirst, ...narrowed], mutatedLimitMs);
      } finally {
        await writeFile(path, text);
      }
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const filesOf = (mutants: readonly Mutant[]) => [...new Set(mutants.flatMap(({ killedBy }) => killedBy))];

const titlePattern = (title: string) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

async function runVitest(folder: string, args: readonly string[], limitMs: number): Promise<TestRun> {
  const out = join(folder, 'vitest-report.json');
  await rm(out, { force: true });
  const { status, output } = await execute(folder, limitMs, [
    join('node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...args,
    '--reporter=json',
    `--outputFile=${out}`,
  ]);
  const text = await readFile(out, 'utf8').catch(() => undefined);
  const results = text === undefined ? [] : report.parse(JSON.parse(text)).testResults;
  const named = (wanted: string) =>
    results.flatMap(({ name, assertionResults }) =>
      assertionResults
        .filter((each) => each.status === wanted)
        .map(({ fullName }) => `${name.slice(folder.length + 1)}: ${fullName}`),
    );
  const told = results.map(({ message }) => message ?? '').filter((message) => message !== '');
  return {
    passed: named('passed'),
    failed: named('failed'),
    status,
    output: [...told, output].join('\n').slice(-3_000),
  };
}

function execute(
  cwd: string,
  limitMs: number,
  args: readonly string[],
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    // Of its own group, so that cutting it off ends the workers as well.
    const child = spawn(process.execPath, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer) => void chunks.push(chunk);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const late = setTimeout(() => cutOff(child.pid), limitMs);
    child.on('close', (status) => {
      clearTimeout(late);
      resolve({ status, output: Buffer.concat(chunks).toString('utf8') });
    });
  });
}

function cutOff(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
