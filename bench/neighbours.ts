// `npm run bench:neighbours`: what a receiver that hangs costs a hundred others.
import { runProgram } from './kit/program.ts';
import { flags } from './neighbours/flags.ts';
import { lineOf, lostOf, render } from './neighbours/result.ts';
import { measure } from './neighbours/run.ts';

await runProgram({ flags, measure, render, line: lineOf, lost: lostOf });
