// What `npm run build` makes, built once and again whenever a source is younger: a relay that runs from its sources carries a
// compiler along, which start-up times and memory would show.
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');
const made = join(root, 'dist', 'main.js');
/** What the build depends on. */
const inputs = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'prisma/schema.prisma',
];
const buildWithinMs = 300_000;

const run = promisify(execFile);

/** The program's path. Two benches that begin at the same moment may both build, into the same folder. */
export async function builtRelay(say: (line: string) => void): Promise<string> {
  const builtAt = await stat(made).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  if (builtAt > (await youngest())) return made;
  say('Building the relay…');
  await run('npm', ['run', 'build', '--silent'], { cwd: root, timeout: buildWithinMs });
  return made;
}

/** When an input was last changed; a folder's own time tells of files that came or went. */
async function youngest(): Promise<number> {
  const entries = await readdir(join(root, 'src'), { recursive: true });
  // The build itself writes there.
  const sources = entries.filter((path) => !path.replaceAll('\\', '/').startsWith('store/generated'));
  const paths = [...inputs, ...sources.map((path) => join('src', path))];
  const times = await Promise.all(paths.map(async (path) => (await stat(join(root, path))).mtimeMs));
  return Math.max(...times);
}
