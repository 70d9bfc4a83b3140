// Owns `npm run demo`: the relay at work within seconds, with no account, no .env and no database server. It is the only
// part of the demo that touches the process.
import { parseOptions, usage } from './demo/options.ts';
import type { DemoOptions } from './demo/options.ts';
import { Printer } from './demo/printer.ts';
import { runDemo } from './demo/run.ts';

const interruptedCode = 130;

async function main(options: DemoOptions): Promise<number> {
  // With --json, stdout is for the program that reads it.
  const stream = options.json ? process.stderr : process.stdout;
  const printer = new Printer({
    write: (text) => void stream.write(text),
    colour: stream.isTTY && !process.env['NO_COLOR'],
    // Some terminals say 0 when they do not know.
    columns: () => (stream.isTTY && stream.columns > 0 ? stream.columns : undefined),
  });
  const stopping = new AbortController();
  const stop = () => {
    // The second one is from somebody who will not wait.
    if (stopping.signal.aborted) process.exit(interruptedCode);
    printer.line();
    stopping.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const { result, complaints } = await runDemo(options, {
    printer,
    random: Math.random,
    signal: stopping.signal,
    onPlatformPort: (port) => {
      process.env['TWURPLE_MOCK_API_PORT'] = String(port);
    },
  });
  for (const line of complaints) console.error(line);
  if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return complaints.length > 0 ? 1 : 0;
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
