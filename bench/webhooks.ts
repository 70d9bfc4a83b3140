// `npm run bench:webhooks`: how many events a second one webhook endpoint gets, and how soon; the relay beside its peers.
import { runProgram } from './kit/program.ts';
import { flags } from './webhooks/flags.ts';
import { render } from './webhooks/render.ts';
import { lineOf, lostIn } from './webhooks/result.ts';
import { measure } from './webhooks/run.ts';

await runProgram({ flags, measure, render, line: lineOf, lost: lostIn });
