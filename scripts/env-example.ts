// Writes .env.example from the table of settings; with --check it only tells whether the file is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { renderEnvExample } from '../src/config/render.ts';

const path = new URL('../.env.example', import.meta.url);
const wanted = renderEnvExample();
if (!process.argv.includes('--check')) {
  writeFileSync(path, wanted);
} else if (readFileSync(path, 'utf8') !== wanted) {
  console.error('.env.example is out of date; run `tsx scripts/env-example.ts`.');
  process.exitCode = 1;
}
