// `npm run bench:restart`: how soon after a crash every topic is confirmed again.
import { runProgram } from './kit/program.ts';
import { flags } from './restart/flags.ts';
import { lineOf, render } from './restart/result.ts';
import { measure } from './restart/run.ts';

// A start that does not confirm everything does not end; there is nothing else to lose.
await runProgram({ flags, measure, render, line: lineOf, lost: () => 0 });
