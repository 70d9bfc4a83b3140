// `npm run bench:resume`: how fast a consumer that is far behind reads on, and how soon new events are in the log beside it.
import { runProgram } from './kit/program.ts';
import { flags } from './resume/flags.ts';
import { lineOf, lostOf, render } from './resume/result.ts';
import { measure } from './resume/run.ts';

await runProgram({ flags, measure, render, line: lineOf, lost: lostOf });
