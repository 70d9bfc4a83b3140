// `npm run bench:footprint`: how soon the relay is ready, and what memory it and each idle consumer take.
import { flags } from './footprint/flags.ts';
import { lineOf, render } from './footprint/result.ts';
import { measure } from './footprint/run.ts';
import { runProgram } from './kit/program.ts';

// No event is sent; a connection that does not stay ends the bench.
await runProgram({ flags, measure, render, line: lineOf, lost: () => 0 });
