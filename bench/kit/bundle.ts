// A program as one file of plain JavaScript: for processes whose memory is read, which no loader may add to.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { Closing } from './clean-up.ts';

/** The file's path; rejects when something that it imports is not installed. Adds its removal to `closing`. */
export async function bundled(program: string, closing: Closing): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'eventsub-relay-bench-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const outfile = join(folder, `${basename(program, '.ts')}.cjs`);
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    // Optional parts of ws, in C++.
    external: ['bufferutil', 'utf-8-validate'],
    logLevel: 'silent',
  });
  return outfile;
}
