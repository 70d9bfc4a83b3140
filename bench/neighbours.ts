// Owns `npm run bench:neighbours`: what a receiver that hangs costs a hundred others. It is the only part of the bench that
// touches the process; bench/README.md says what the numbers mean.
import { parseOptions, usage } from './neighbours/options.ts';
import type { NeighboursOptions } from './neighbours/options.ts';
import { lineOf, lostOf, render } from './neighbours/result.ts';
import { runBench } from './neighbours/run.ts';

const lostCode = 1;
const notRunCode = 2;
const interruptedCode = 130;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(options: NeighboursOptions): Promise<number> {
  const stopping = new AbortController();
  // Further signals change nothing: cleaning up is bounded, and a database would be left behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort());
  const measured = await runBench(options, { say, signal: stopping.signal });
  if (!measured) return interruptedCode;
  console.log(options.json ? JSON.stringify(lineOf(measured)) : render(measured));
  const lost = lostOf(measured);
  if (lost === 0) return 0;
  say(`${lost} deliveries were lost`);
  return lostCode;
}

const parsed = parseOptions(process.argv.slice(2), process.env['DATABASE_URL']);
if (parsed.kind === 'help') {
  console.log(usage);
} else if (parsed.kind === 'wrong') {
  say(`${parsed.message}\n\n${usage}`);
  process.exitCode = notRunCode;
} else {
  try {
    process.exitCode = await main(parsed.options);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = notRunCode;
  }
}
