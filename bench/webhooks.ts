// Owns `npm run bench:webhooks`: how many events a second one webhook endpoint gets, and how soon. It is the only part of
// the bench that touches the process; bench/README.md says what the numbers mean.
import { parseOptions, usage } from './webhooks/options.ts';
import type { BenchOptions } from './webhooks/options.ts';
import { render } from './webhooks/render.ts';
import { lineOf } from './webhooks/result.ts';
import { runBench } from './webhooks/run.ts';

const interruptedCode = 130;

async function main(options: BenchOptions): Promise<number> {
  const stopping = new AbortController();
  // Further signals change nothing: cleaning up is bounded, and a database would be left behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  const measured = await runBench(options, {
    say: (line) => void process.stderr.write(`${line}\n`),
    signal: stopping.signal,
  });
  if (!measured) return interruptedCode;
  console.log(options.json ? JSON.stringify(lineOf(measured)) : render(measured));
  return lineOf(measured).lost > 0 ? 1 : 0;
}

const parsed = parseOptions(process.argv.slice(2));
if (parsed.kind === 'help') {
  console.log(usage);
} else if (parsed.kind === 'wrong') {
  console.error(`${parsed.message}\n\n${usage}`);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await main(parsed.options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
