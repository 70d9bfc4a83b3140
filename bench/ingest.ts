// `npm run bench:ingest`: notifications a second from the platform's socket to the commit, beside plain inserts of the same rows.
import { flags } from './ingest/flags.ts';
import { lineOf, lostOf, render } from './ingest/result.ts';
import { measure } from './ingest/run.ts';
import { runProgram } from './kit/program.ts';

await runProgram({ flags, measure, render, line: lineOf, lost: lostOf });
